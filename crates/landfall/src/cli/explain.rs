//! `landfall explain`

use std::process::ExitCode;

use api::{Conclusion, Release, ReleaseState, Run, Status, Step};
use delivery::{Outcome, Thread};
use names::{ReleaseId, RunId};
use serde::Serialize;
use serde_json::json;

use super::{
    Context, exit,
    logs::JobLine,
    output::{Output, OutputArgs, print_json},
    run_name,
    step_cause::{self, StepCause, step_cause},
    tests::of_run,
    thread_answer::{self, ThreadAnswer},
};
use crate::client::Client;

/// So many last lines of a failed step usually hold its error.
const LAST_LINES: usize = 12;

/// So many failed tests of a job are told.
const FAILED_TESTS: usize = 10;

/// Say why something failed
///
/// For a run: the step that failed, its last lines, and the cause if the output
/// proves one. For a release: why it did not become healthy, with the evidence.
/// For a commit or an image: all of it. For a code such as LF-D0102: what it
/// means. What is not known is said to be unknown.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall explain shop#3")]
pub struct ExplainArgs {
    /// A run, release, commit, image digest, or the code of a message
    #[arg(value_name = "ID|CODE")]
    id: String,

    #[command(flatten)]
    output: OutputArgs,
}

/// One thing that went wrong.
#[derive(Debug, Serialize)]
struct Explanation {
    /// What failed, e.g. `shop#3 / build / Unit tests`.
    subject: String,
    code: String,
    summary: String,
    evidence: Vec<String>,
    action: Option<String>,
    help: Vec<String>,
}

pub async fn explain(args: ExplainArgs, context: &Context) -> anyhow::Result<ExitCode> {
    if let Some(text) = meaning(&args.id) {
        match args.output.output {
            Output::Json => print_json(&json!({"apiVersion": "landfall/v1", "code": args.id, "text": text}))?,
            Output::Table => println!("{}: {text}", args.id),
        }
        return Ok(ExitCode::from(exit::OK));
    }
    if is_code(&args.id) {
        eprintln!("error: no message has the code `{}`", args.id);
        return Ok(ExitCode::from(exit::NOT_FOUND));
    }
    let client = context.client()?;
    let id = run_name::expand(&client, &args.id).await?;
    let (_, answer) = thread_answer::fetch(&client, &id).await?;
    let found = of_thread(&client, &id, &answer).await?;
    match args.output.output {
        Output::Json => print_json(&json!({
            "apiVersion": "landfall/v1",
            "commit": answer.thread.commit,
            "outcome": answer.outcome,
            "items": found,
            "reused": reused(&id, &answer),
        }))?,
        Output::Table => {
            found.iter().for_each(print);
            if found.is_empty() {
                println!("{}", nothing_wrong(&answer));
            }
            reused(&id, &answer).iter().for_each(|line| println!("{line}"));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

/// The jobs that did not run because an earlier one had the same inputs, with the proof.
fn reused(id: &str, answer: &ThreadAnswer) -> Vec<String> {
    let run: Option<RunId> = id.replacen('/', "#", 1).parse().ok();
    let runs = answer.thread.runs.iter().filter(|it| run.as_ref().is_none_or(|run| it.id == *run));
    let jobs = runs.flat_map(|run| run.jobs.iter().map(move |job| (run, job)));
    let proof = |(run, job): (&Run, &api::Job)| {
        let reason = job.reason.as_deref().filter(|it| it.starts_with("reused from ") && job.started.is_none())?;
        Some(format!("{} / {} did not run: {reason}", run.id, job.name))
    };
    jobs.filter_map(proof).collect()
}

fn is_code(text: &str) -> bool {
    text.to_ascii_uppercase().starts_with("LF-")
}

fn meaning(code: &str) -> Option<&'static str> {
    let steps = || step_cause::CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, text)| *text);
    delivery::explain_code(code).or_else(|| lint::explain_code(code)).or_else(steps)
}

/// What is wrong with the run or the release that `id` names, else with the whole thread.
async fn of_thread(client: &Client, id: &str, answer: &ThreadAnswer) -> anyhow::Result<Vec<Explanation>> {
    let thread = &answer.thread;
    let run: Option<RunId> = id.replacen('/', "#", 1).parse().ok();
    let release: Option<ReleaseId> = id.parse().ok();
    let mut found = Vec::new();
    if release.is_none() {
        if run.is_none() {
            found.extend(refusals(thread));
        }
        for it in thread.runs.iter().filter(|it| run.as_ref().is_none_or(|run| it.id == *run)) {
            found.extend(of_run(client, it).await?);
        }
    }
    let of_run = |it: &&Release| release.as_ref().map_or(run.as_ref().is_none_or(|run| it.run == *run), |id| it.id == *id);
    // The release is why a run that waits for its rollout fails, so it is told first.
    let mut releases: Vec<_> = thread.releases.iter().filter(of_run).filter_map(of_release).collect();
    releases.append(&mut found);
    Ok(releases)
}

/// Workflow files that could not be read, as the pusher was told.
fn refusals(thread: &Thread) -> Vec<Explanation> {
    let errors = thread.pushes.iter().flat_map(|push| push.errors.iter().map(move |error| (push, error)));
    let refusal = |(push, error): (&api::Push, &String)| Explanation {
        subject: format!("push {}#{}", push.project, push.number),
        code: code_in(error).unwrap_or("LF-R0199").to_owned(),
        summary: summary_in(error).to_owned(),
        evidence: error.lines().skip(1).map(str::to_owned).collect(),
        action: Some("no run was started from this file".to_owned()),
        help: vec!["`landfall lint` shows the same without a push".to_owned()],
    };
    errors.map(refusal).collect()
}

/// The first line of a rendered finding, without the code that is told beside it.
fn summary_in(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default();
    let told = first.strip_prefix("error[").and_then(|rest| rest.split_once("]: "));
    told.map_or(first, |(_, summary)| summary)
}

/// The code of a rendered finding: `error[LF-W0003]: …`.
fn code_in(text: &str) -> Option<&str> {
    let code = text.split_once("[LF-")?.1.split_once(']')?.0;
    let start = text.find("[LF-")? + 1;
    text.get(start..start + "LF-".len() + code.len())
}

async fn of_run(client: &Client, run: &Run) -> anyhow::Result<Vec<Explanation>> {
    let mut found = Vec::new();
    let tests = failed_tests(client, run).await;
    for job in run.jobs.iter().filter(|it| it.conclusion == Some(Conclusion::Failure)) {
        let failed = |step: &&Step| step.conclusion == Some(Conclusion::Failure);
        let Some((index, step)) = job.steps.iter().enumerate().find(|(_, step)| failed(step)) else {
            found.push(Explanation {
                subject: format!("{} / {}", run.id, job.name),
                code: "LF-R0199".to_owned(),
                summary: job.reason.clone().unwrap_or_else(|| "why the job failed is not known".to_owned()),
                evidence: Vec::new(),
                action: None,
                help: Vec::new(),
            });
            continue;
        };
        let lines = last_lines(client, &run.id, &job.id, job.section(index)).await?;
        let StepCause { code, summary, mut help } = step_cause(step.exit_code, step.reason.as_deref(), &lines);
        help.push(format!("all of its output: landfall logs {} --job {}", run.id, job.id));
        let told = tests.iter().filter(|(it, _)| *it == job.id).map(|(_, line)| line.clone());
        let told: Vec<_> = told.collect();
        if !told.is_empty() {
            help.push(format!("all of its tests: landfall tests {}; only those that failed again: landfall rerun {} --failed-tests", run.id, run.id));
        }
        let exit = step.exit_code.map(|it| format!("exit code {it}"));
        let skipped = run.jobs.iter().filter(|it| it.conclusion == Some(Conclusion::Skipped)).count();
        found.push(Explanation {
            subject: format!("{} / {} / {}", run.id, job.name, step.name),
            code: code.to_owned(),
            summary,
            evidence: exit.into_iter().chain(told).chain(lines.into_iter().map(|it| format!("output: {it}"))).collect(),
            action: (skipped > 0).then(|| format!("{skipped} later job{} skipped", if skipped == 1 { " was" } else { "s were" })),
            help,
        });
    }
    if found.is_empty() && matches!(run.conclusion, Some(Conclusion::Failure | Conclusion::Cancelled)) {
        found.push(Explanation {
            subject: run.id.to_string(),
            code: "LF-R0199".to_owned(),
            summary: run.reason.clone().unwrap_or_else(|| "why it ended is not known".to_owned()),
            evidence: Vec::new(),
            action: None,
            help: Vec::new(),
        });
    }
    Ok(found)
}

/// The tests that failed, with their jobs; none where they cannot be had, because they are not why one asks.
async fn failed_tests(client: &Client, run: &Run) -> Vec<(String, String)> {
    if run.conclusion != Some(Conclusion::Failure) {
        return Vec::new();
    }
    let told = client.get::<of_run::Answer>(&format!("runs/{}/tests", run_name::path_of(&run.id))).await;
    let Ok(answer) = told else { return Vec::new() };
    let of_job = |job: of_run::JobTests| {
        let bad = job.cases.into_iter().filter(|it| it.case.outcome.is_bad()).take(FAILED_TESTS);
        bad.map(move |it| {
            let flaky = if it.known_flaky { " (known to be flaky)" } else { "" };
            let message = it.case.message.lines().next().map(|line| format!(": {line}")).unwrap_or_default();
            (job.job.clone(), format!("test {}: {}{}{flaky}{message}", it.case.outcome, it.case.id, of_run::place(&it.case)))
        })
    };
    answer.jobs.into_iter().flat_map(of_job).collect()
}

/// The end of what a step printed.
async fn last_lines(client: &Client, run: &RunId, job: &str, step: u32) -> anyhow::Result<Vec<String>> {
    let path = format!("logs/{}?job={}", run_name::path_of(run), thread_answer::escape(job));
    let log = client.stream(&path).await?.text().await?;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<JobLine>(line).ok());
    let texts: Vec<_> = lines.filter(|line| line.step == step && !line.text.trim().is_empty()).map(|line| line.text).collect();
    Ok(texts.into_iter().rev().take(LAST_LINES).rev().collect())
}

fn of_release(release: &Release) -> Option<Explanation> {
    let cause = release.cause.as_ref()?;
    let action = match (&release.state, &release.rolled_back_to) {
        (ReleaseState::RolledBack, Some(to)) => Some(format!("rolled back; {to} is served again")),
        (ReleaseState::RollingBack, _) => Some("it is being rolled back".to_owned()),
        (ReleaseState::Failed, _) => Some("it stays as it is: there is no healthy release to go back to".to_owned()),
        _ => None,
    };
    let left = release.leftovers.iter().map(|it| format!("could not be undone: {it}"));
    Some(Explanation {
        subject: release.id.to_string(),
        code: cause.code.clone(),
        summary: cause.summary.clone(),
        evidence: cause.evidence.iter().cloned().chain(left).collect(),
        action,
        help: cause.help.clone(),
    })
}

fn print(it: &Explanation) {
    println!("error[{}]: {}", it.code, it.summary);
    println!("  --> {}", it.subject);
    for line in &it.evidence {
        println!("   |  {line}");
    }
    if let Some(action) = &it.action {
        println!("   = action: {action}");
    }
    for help in &it.help {
        println!("help: {help}");
    }
    println!();
}

fn nothing_wrong(answer: &ThreadAnswer) -> String {
    let commit = answer.thread.commit.short();
    let notes = answer.thread.pushes.iter().flat_map(|it| &it.notes).cloned().collect::<Vec<_>>().join("\n");
    let waits = answer.thread.runs.iter().filter(|it| it.status != Status::Completed).filter_map(|it| it.reason.clone());
    match answer.outcome {
        Outcome::Pending => {
            let waits: Vec<_> = waits.collect();
            let why = if waits.is_empty() { String::new() } else { format!(": {}", waits.join("; ")) };
            format!("commit {commit} is not over yet{why}; follow it with `landfall watch {commit}`")
        }
        Outcome::NoRun => format!("no workflow of commit {commit} started\n{notes}").trim_end().to_owned(),
        Outcome::Healthy | Outcome::Succeeded => format!("nothing went wrong: commit {commit} is {}", answer.outcome.words()),
        Outcome::RunFailed | Outcome::Failed | Outcome::RolledBack => {
            format!("commit {commit} is {}; why is not known", answer.outcome.words())
        }
    }
}
