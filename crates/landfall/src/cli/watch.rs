//! `landfall watch`

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use delivery::Outcome;
use names::parse_duration;
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
    progress::{self, Progress, Screen},
    thread_answer::{States, ThreadAnswer, is_unknown, local_name},
};
use crate::client::Client;

/// A commit that is not known may be on its way; a push of a large repository takes that long.
const PUSH_PATIENCE: Duration = Duration::from_secs(10);

/// How often it is asked whether a commit has arrived.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A server that is started again comes back within this time.
const SERVER_PATIENCE: Duration = Duration::from_secs(30);

/// Follow a commit to its outcome
///
/// Prints what happens to the commit as it happens: its runs, jobs and steps,
/// its releases, and what came of it. Without COMMIT it follows the newest push.
/// The exit code tells the outcome: 0 healthy or succeeded, 1 a run or the
/// release failed, 10 rolled back, 7 out of time, 5 no such commit or no run.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  git push landfall main && landfall watch --timeout 10m")]
pub struct WatchArgs {
    /// A commit (at least four digits, or a name that git knows here), run, release or image digest
    #[arg(value_name = "COMMIT")]
    commit: Option<String>,

    /// Stop waiting after this time, e.g. `90s` or `5m`
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    #[command(flatten)]
    output: OutputArgs,
}

pub async fn watch(args: WatchArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let screen = match args.output.output {
        Output::Json => Screen::Silent,
        Output::Table => Screen::detect(),
    };
    let mut progress = Progress::new(screen);
    let id = args.commit.as_deref().map(local_name);
    let followed = follow(&client, context, id.as_deref(), args.timeout, &mut progress);
    let ended = tokio::select! {
        ended = limited(args.timeout, followed) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            progress.end()?;
            eprintln!("it goes on without you; look again with `landfall watch {}`", id.as_deref().unwrap_or_default());
            return Ok(ExitCode::from(exit::INTERRUPTED));
        }
    };
    progress.end()?;
    match ended {
        Ended::Over(told) => conclude(&told?, args.output.output),
        Ended::OutOfTime => {
            eprintln!("error: no outcome after {}", names::format_duration(args.timeout.unwrap_or_default()));
            eprintln!("help: go on with `landfall watch {}`", id.as_deref().unwrap_or_default());
            Ok(ExitCode::from(exit::TIMEOUT))
        }
    }
}

enum Ended {
    Over(anyhow::Result<Value>),
    OutOfTime,
}

async fn limited(timeout: Option<Duration>, work: impl Future<Output = anyhow::Result<Value>>) -> Ended {
    let Some(timeout) = timeout else { return Ended::Over(work.await) };
    // What was not found by then says so itself.
    let grace = ASK_AGAIN * 2;
    match tokio::time::timeout(timeout + grace, work).await {
        Ok(told) => Ended::Over(told),
        Err(_) => Ended::OutOfTime,
    }
}

/// Follows to the last state; a server that goes and comes back is followed on.
async fn follow(
    client: &Client,
    context: &Context,
    id: Option<&str>,
    timeout: Option<Duration>,
    progress: &mut Progress,
) -> anyhow::Result<Value> {
    let (id, mut states) = arrive(client, id, timeout).await?;
    loop {
        match last_state(&mut states, progress).await {
            Ok(Some(told)) => return Ok(told),
            Ok(None) | Err(_) => states = reconnect(context, &id).await?,
        }
    }
}

/// Waits until the commit is there.
async fn arrive(client: &Client, id: Option<&str>, timeout: Option<Duration>) -> anyhow::Result<(String, States)> {
    let began = Instant::now();
    let patience = timeout.unwrap_or(PUSH_PATIENCE);
    loop {
        let error = match id.map(str::to_owned) {
            Some(id) => match States::open(client, &id).await {
                Ok(states) => return Ok((id, states)),
                Err(error) => error,
            },
            None => match newest(client).await? {
                Some(id) => {
                    let states = States::open(client, &id).await?;
                    return Ok((id, states));
                }
                None => anyhow::Error::new(crate::client::Refused {
                    status: reqwest::StatusCode::NOT_FOUND,
                    message: "nothing was pushed yet".to_owned(),
                }),
            },
        };
        if !is_unknown(&error) || began.elapsed() >= patience {
            return Err(error);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// The commit of the newest push that left one.
async fn newest(client: &Client) -> anyhow::Result<Option<String>> {
    let pushes: Value = client.get("pushes?limit=50").await?;
    let commits = pushes["items"].as_array().into_iter().flatten().filter_map(|it| it["after"].as_str());
    Ok(commits.filter(|it| it.bytes().any(|digit| digit != b'0')).map(str::to_owned).next())
}

/// Shows states until the one that is final; `None` if the server went away before.
async fn last_state(states: &mut States, progress: &mut Progress) -> anyhow::Result<Option<Value>> {
    let mut redraw = tokio::time::interval(progress::REDRAW);
    let mut now: Option<(Value, ThreadAnswer)> = None;
    loop {
        tokio::select! {
            next = states.next() => {
                let Some(told) = next? else { break };
                let answer = ThreadAnswer::deserialize(&told).context("the server's answer is not readable")?;
                progress.show(&answer.lines, progress::running(&answer.thread))?;
                now = Some((told, answer));
            }
            _ = redraw.tick(), if progress.is_live() => {
                if let Some((_, answer)) = &now {
                    progress.show(&answer.lines, progress::running(&answer.thread))?;
                }
            }
        }
        if now.as_ref().is_some_and(|(_, answer)| answer.outcome != Outcome::Pending) {
            break;
        }
    }
    Ok(now.filter(|(_, answer)| answer.outcome != Outcome::Pending).map(|(told, _)| told))
}

async fn reconnect(context: &Context, id: &str) -> anyhow::Result<States> {
    let began = Instant::now();
    loop {
        tokio::time::sleep(ASK_AGAIN).await;
        let opened = async { States::open(&context.client()?, id).await };
        match opened.await {
            Ok(states) => return Ok(states),
            Err(error) if began.elapsed() > SERVER_PATIENCE => return Err(error),
            Err(_) => {}
        }
    }
}

fn conclude(told: &Value, output: Output) -> anyhow::Result<ExitCode> {
    let answer = ThreadAnswer::deserialize(told)?;
    match output {
        Output::Json => print_json(told)?,
        Output::Table => {
            let commit = answer.thread.commit.short();
            println!("commit {commit}  {}", answer.outcome.words());
            if let Some(next) = next_command(&answer) {
                eprintln!("help: {next}");
            }
        }
    }
    Ok(ExitCode::from(code_of(answer.outcome)))
}

fn next_command(answer: &ThreadAnswer) -> Option<String> {
    let commit = answer.thread.commit.short();
    match answer.outcome {
        Outcome::Failed | Outcome::RolledBack | Outcome::RunFailed => Some(format!("why: `landfall explain {commit}`")),
        Outcome::NoRun => Some("no workflow of the commit is triggered by a push to this branch; workflows lie in `.github/workflows`".to_owned()),
        Outcome::Healthy | Outcome::Succeeded | Outcome::Pending => None,
    }
}

/// The exit code that tells an outcome to scripts.
pub fn code_of(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Healthy | Outcome::Succeeded => exit::OK,
        Outcome::RunFailed | Outcome::Failed => exit::FAILED,
        Outcome::RolledBack => exit::ROLLED_BACK,
        Outcome::NoRun => exit::NOT_FOUND,
        Outcome::Pending => exit::TIMEOUT,
    }
}
