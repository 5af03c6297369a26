//! `landfall rerun`

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
    run_name::{self, RunName},
};

/// Start a run again: all of it, what failed, or one job
///
/// The run keeps its number and its commit. Jobs that need one that runs again run
/// again, too; the others keep their results and outputs.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall rerun shop#3 --failed")]
pub struct RerunArgs {
    /// `shop#3`, `shop/3`, or `3` where there is one project
    run: RunName,

    /// Only the jobs that failed or were cancelled
    #[arg(long, conflicts_with = "job")]
    failed: bool,

    /// Only the tests that failed: the failed jobs run again and are told their names
    ///
    /// A job whose steps do not ask for them (LANDFALL_FAILED_TESTS, `landfall tests
    /// failed`) runs everything.
    #[arg(long, conflicts_with_all = ["job", "failed"])]
    failed_tests: bool,

    /// Only this job, by the id that `landfall runs -o json` tells
    #[arg(long, short = 'j', value_name = "ID")]
    job: Option<String>,

    #[command(flatten)]
    output: OutputArgs,
}

pub async fn rerun(args: RerunArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let client = context.client()?;
    let id = args.run.resolve(&client).await?;
    let body = match (args.job, args.failed) {
        _ if args.failed_tests => json!({"what": "failed-tests"}),
        (Some(job), _) => json!({"job": job}),
        (None, true) => json!({"what": "failed"}),
        (None, false) => json!({"what": "all"}),
    };
    let told: Value = client.post(&format!("runs/{}/rerun", run_name::path_of(&id)), &body).await?;
    match args.output.output {
        Output::Json => print_json(&json!({"apiVersion": "landfall/v1", "id": id, "attempt": told["attempt"]}))?,
        Output::Table => println!("run {id} starts again, attempt {}; follow it with `landfall logs {id} --follow`", told["attempt"]),
    }
    Ok(ExitCode::from(exit::OK))
}
