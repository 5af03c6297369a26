//! `landfall runs`

use std::process::ExitCode;

use api::{Run, Status, TestCounts};
use names::ProjectName;
use serde_json::Value;

use super::{
    Context,
    ago::{ago, took},
    exit,
    output::{Output, OutputArgs, print_json, print_table},
};

/// List runs, the newest first
///
/// A run is one workflow file carried out for one commit. `landfall logs RUN`
/// shows what its steps printed, `landfall explain RUN` why it failed.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall runs --project shop --limit 5")]
pub struct RunsArgs {
    /// Only runs of this project
    #[arg(long, short = 'p')]
    project: Option<ProjectName>,

    /// At most this many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,

    #[command(flatten)]
    output: OutputArgs,
}

pub async fn runs(args: RunsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let project = args.project.map(|it| format!("&project={it}")).unwrap_or_default();
    let told: Value = context.client()?.get(&format!("runs?limit={}{project}", args.limit)).await?;
    match args.output.output {
        Output::Json => print_json(&told)?,
        Output::Table => {
            let runs: Vec<Run> = serde_json::from_value(told["items"].clone())?;
            let tests = told["items"].as_array().into_iter().flatten().map(|it| tests(&it["tests"]));
            let rows: Vec<_> = runs.iter().zip(tests).map(|(run, tests)| row(run, tests)).collect();
            print_table(&["RUN", "WORKFLOW", "STATE", "COMMIT", "SUBJECT", "STARTED", "TOOK", "TESTS"], &rows);
            if rows.is_empty() {
                eprintln!("no run yet; a push of a commit with a workflow in `.github/workflows` starts one");
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}

/// What the tests of a run came to: `3 failed of 40`.
fn tests(counts: &Value) -> String {
    let counts: Option<TestCounts> = serde_json::from_value(counts.clone()).ok();
    match counts {
        None => String::new(),
        Some(counts) if counts.bad() > 0 => format!("{} failed of {}", counts.bad(), counts.total()),
        Some(counts) if counts.flaky > 0 => format!("{}, {} flaky", counts.total(), counts.flaky),
        Some(counts) => counts.total().to_string(),
    }
}

fn row(run: &Run, tests: String) -> Vec<String> {
    let subject: String = run.subject.chars().take(40).collect();
    vec![
        run.id.to_string(),
        run.name.clone(),
        state(run),
        run.commit.short(),
        subject,
        run.started.map_or_else(|| "-".to_owned(), ago),
        took(run.started, run.finished),
        tests,
    ]
}

/// Where a run stands, in a word.
pub fn state(run: &Run) -> String {
    match (run.status, run.conclusion) {
        (Status::Completed, Some(conclusion)) => conclusion.to_string(),
        (Status::Completed, None) => "over".to_owned(),
        (Status::Queued, _) => "queued".to_owned(),
        (Status::Running, _) if run.cancel => "stopping".to_owned(),
        (Status::Running, _) => "running".to_owned(),
    }
}
