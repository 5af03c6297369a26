//! What steps of jobs ask: their share of the tests, and those that failed before.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use api::TestCase;
use names::ProjectName;
use serde::Deserialize;
use serde_json::json;
use testreport::{
    filter::{self, Runner},
    split::{Timed, share},
};

use crate::cli::{Context, exit};

/// A list of tests that is larger is none.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A server that is being started again is there within this many tries.
const TRIES: u32 = 40;

/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(250);

/// Print this leg's share of the tests on standard input, by what they took before
///
/// One test, class, package or file in each line. All legs of a run are told the same
/// times, also when one of them runs again, so each test runs in exactly one leg. A
/// test that nobody has timed counts as the middle one. A leg may get nothing: most
/// runners then run everything, so ask first (`xargs -r`, `[ -s share ]`).
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  ls tests/*.py | landfall tests split --index ${{ strategy.job-index }} --total ${{ strategy.job-total }} | xargs -r pytest")]
pub struct SplitArgs {
    /// Which leg this is, from 0
    #[arg(long, value_name = "N")]
    index: usize,

    /// How many legs there are
    #[arg(long, value_name = "N")]
    total: usize,

    /// Outside of a job: the project whose times count
    #[arg(long, short = 'p')]
    project: Option<ProjectName>,
}

/// Print the tests that failed before, in a re-run of failed tests
///
/// Without a format, their ids, one in each line; nothing in any other run. With a
/// format, what the runner takes to run only them; in any other run, what it takes to
/// run everything.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  landfall tests failed --format pytest | xargs -d '\\n' pytest
  go test -run \"$(landfall tests failed --format go)\" ./...
  cargo test -- $(landfall tests failed --format cargo)
  cargo nextest run -E \"$(landfall tests failed --format nextest)\"
  npx jest -t \"$(landfall tests failed --format jest)\"
  mvn test $(landfall tests failed --format maven)")]
pub struct FailedArgs {
    /// pytest, go, cargo, nextest, jest, vitest, node, maven, gradle, gtest or phpunit
    #[arg(long, value_name = "RUNNER")]
    format: Option<Runner>,
}

#[derive(Deserialize)]
struct Times {
    micros: Vec<Option<u64>>,
}

pub async fn split(args: SplitArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    std::io::stdin().take(LIST_BYTES_MAX).read_to_string(&mut text).context("the list on standard input cannot be read")?;
    let lines: Vec<_> = text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    // Asked first: a leg that is not there is a mistake even where nothing is listed.
    share(&[], args.index, args.total)?;
    let times = times(&args, &lines, context).await?;
    if times.micros.len() != lines.len() {
        bail!("the server's answer is not readable");
    }
    let known = times.micros.iter().flatten().count();
    let timed: Vec<_> = lines.iter().zip(times.micros).map(|(line, micros)| Timed { line, micros }).collect();
    let own = share(&timed, args.index, args.total)?;
    eprintln!("{} of {} in leg {} of {}; {known} have a known time", own.len(), lines.len(), args.index, args.total);
    own.iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::from(exit::OK))
}

/// What the server knows of the lines; in a job, what it tells all legs of the run.
async fn times(args: &SplitArgs, lines: &[&str], context: &Context) -> anyhow::Result<Times> {
    let body = json!({"lines": lines});
    if let Some(project) = &args.project {
        return context.client()?.post(&format!("projects/{project}/tests/times"), &body).await;
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let (Some(url), Some(token)) = (variable("LANDFALL_URL"), variable("LANDFALL_TOKEN")) else {
        bail!("this is no step of a job; name the project whose times count with `--project`");
    };
    // A proxy could not reach a server of this machine.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/landfall/v1/job/tests/times", url.trim_end_matches('/'));
    let mut tries = 0;
    loop {
        match client.post(&url).bearer_auth(&token).json(&body).send().await {
            Ok(answer) if answer.status().is_success() => {
                return answer.json().await.context("the server's answer is not readable");
            }
            Ok(answer) => bail!("the server refuses: {}: {}", answer.status(), answer.text().await.unwrap_or_default()),
            // Without the times each leg would share out differently, and tests would be left out.
            Err(error) if tries >= TRIES => return Err(error).context("the server does not answer"),
            Err(_) => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

pub fn failed(args: &FailedArgs) -> anyhow::Result<ExitCode> {
    let cases = match std::env::var_os("LANDFALL_FAILED_TESTS").filter(|it| !it.is_empty()) {
        None => Vec::new(),
        Some(list) => read(&PathBuf::from(list))?,
    };
    let Some(runner) = args.format else {
        cases.iter().for_each(|case| println!("{}", case.id));
        return Ok(ExitCode::from(exit::OK));
    };
    let found = filter::filter(runner, &cases, &|file| Path::new(file).is_file());
    if let Some(note) = &found.note {
        eprintln!("all tests run: {note}");
    }
    if !found.text.is_empty() {
        println!("{}", found.text);
    }
    Ok(ExitCode::from(exit::OK))
}

/// The cases beside the list that the job was given.
fn read(list: &Path) -> anyhow::Result<Vec<TestCase>> {
    let file = list.with_extension("json");
    let bytes = std::fs::read(&file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("`{}` is no list of tests", file.display()))
}
