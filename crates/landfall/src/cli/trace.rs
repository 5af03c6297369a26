//! `landfall trace`

use std::process::ExitCode;

use api::{Push, Release, Run};
use delivery::Thread;
use names::Timestamp;

use super::{
    Context,
    ago::{ago, took},
    exit,
    output::{Output, OutputArgs, print_json},
    run_name, runs, thread_answer,
};

/// Show everything that became of a commit
///
/// From any id of the thread (commit, run, release, image digest) to all of it:
/// the push, its runs with jobs and steps, the images they pushed, the releases
/// with their addresses, and the outcome.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall trace shop/production@2")]
pub struct TraceArgs {
    /// A commit (at least four digits), run, release or image digest
    id: String,

    #[command(flatten)]
    output: OutputArgs,
}

pub async fn trace(args: TraceArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let id = run_name::expand(&client, &args.id).await?;
    let (told, answer) = thread_answer::fetch(&client, &id).await?;
    match args.output.output {
        Output::Json => print_json(&told)?,
        Output::Table => {
            for line in lines(&answer.thread) {
                println!("{line}");
            }
            println!("{}", outcome(&answer.thread));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn lines(thread: &Thread) -> Vec<String> {
    let subject = thread.pushes.iter().map(|it| (&it.subject, &it.author)).chain(thread.runs.iter().map(|it| (&it.subject, &it.author))).next();
    let about = subject.map(|(subject, author)| format!("  \"{subject}\" by {author}")).unwrap_or_default();
    let mut lines = vec![format!("commit   {}{about}", thread.commit)];
    thread.pushes.iter().for_each(|it| push(it, &mut lines));
    thread.runs.iter().for_each(|it| run(it, &mut lines));
    for image in &thread.images {
        let by = image.run.as_ref().map(|it| format!("  pushed by {it}")).unwrap_or_default();
        lines.push(format!("image    {}:{}  {}{by}", image.repository, image.tag, image.digest));
    }
    thread.releases.iter().for_each(|it| release(it, &mut lines));
    lines
}

fn push(push: &Push, lines: &mut Vec<String>) {
    lines.push(format!("push     {} {}  {} ({}) by {}", push.project, push.git_ref, push.at.to_seconds_text(), ago(push.at), push.pusher));
    let told = push.errors.iter().chain(&push.notes).flat_map(|it| it.lines());
    lines.extend(told.map(|it| format!("           {it}")));
}

fn run(run: &Run, lines: &mut Vec<String>) {
    let reason = run.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
    lines.push(format!("run      {}  {} ({})  {}{reason}  {}", run.id, run.name, run.workflow, runs::state(run), took(run.started, run.finished)));
    for job in &run.jobs {
        let state = job.conclusion.map_or_else(|| format!("{:?}", job.status).to_lowercase(), |it| it.to_string());
        let reason = job.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        let environment = job.environment.as_ref().map(|it| format!("  → {it}")).unwrap_or_default();
        lines.push(format!("  job      {}  {state}{reason}  {}{environment}", job.name, took(job.started, job.finished)));
        for step in &job.steps {
            let state = step.conclusion.map_or_else(|| format!("{:?}", step.status).to_lowercase(), |it| it.to_string());
            let code = step.exit_code.filter(|it| *it != 0).map(|it| format!("exit code {it}"));
            // The reason often tells the exit code, too.
            let why = step.reason.clone().or(code).map(|it| format!("  ({it})")).unwrap_or_default();
            lines.push(format!("    {state:<8} {}  {}{why}", step.name, took(step.started, step.finished)));
        }
    }
}

fn release(release: &Release, lines: &mut Vec<String>) {
    lines.push(format!("release  {}  {}  {}", release.id, release.state, took(Some(release.created), release.finished)));
    for image in &release.images {
        lines.push(format!("  image    {} is {}", image.reference, image.digest));
    }
    for workload in &release.workloads {
        lines.push(format!("  pods     {}  {}/{} ready  {}", workload.object, workload.ready, workload.desired, workload.message));
    }
    if let Some(cause) = &release.cause {
        lines.push(format!("  cause    [{}] {}", cause.code, cause.summary));
        lines.extend(cause.evidence.iter().map(|it| format!("  evidence {it}")));
    }
    if let Some(to) = &release.rolled_back_to {
        lines.push(format!("  back to  {to}"));
    }
    lines.extend(release.leftovers.iter().map(|it| format!("  left     {it}")));
    for address in &release.addresses {
        lines.push(format!("  address  {}  {}", address.service, address.url));
    }
}

fn outcome(thread: &Thread) -> String {
    let began = thread.pushes.iter().map(|it| it.at).chain(thread.runs.iter().map(|it| it.created)).min();
    let runs = thread.runs.iter().filter_map(|it| it.finished);
    let ended: Option<Timestamp> = runs.chain(thread.releases.iter().filter_map(|it| it.finished)).max();
    let outcome = thread.outcome();
    let span = match (began, ended) {
        (Some(began), Some(ended)) if outcome != delivery::Outcome::Pending => {
            format!("  {} after the push", names::format_duration(ended.since(began)))
        }
        _ => String::new(),
    };
    format!("outcome  {}{span}", outcome.words())
}
