//! `landfall tests`

mod flaky;
mod in_job;
pub mod of_run;

use std::process::ExitCode;

use anyhow::bail;
use names::ProjectName;

use super::{Context, output::OutputArgs, run_name::RunName};
use in_job::{FailedArgs, SplitArgs};

/// Show what tests came to, find flaky ones, share tests out
///
/// A job tells its tests with JUnit reports: name them in `env` as
/// LANDFALL_TEST_REPORTS, or use one of the common actions for reports. What failed
/// comes first. A test is flaky that passed and failed with the same commit.
/// `split` and `failed` are for steps of jobs.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  landfall tests shop#3\n  landfall tests --flaky --project shop\n  landfall tests split --index 0 --total 4 < list"
)]
pub struct TestsArgs {
    /// `shop#3`, `shop/3`, or `3` where there is one project
    run: Option<RunName>,

    /// Only this job, by its id
    #[arg(long, short = 'j', value_name = "ID", conflicts_with = "flaky")]
    job: Option<String>,

    /// Also those that passed and those that were skipped
    #[arg(long, conflicts_with = "flaky")]
    all: bool,

    /// The flaky tests of a project, with the runs that prove it
    #[arg(long, conflicts_with = "run")]
    flaky: bool,

    /// The project, where there are several
    #[arg(long, short = 'p', requires = "flaky")]
    project: Option<ProjectName>,

    #[command(flatten)]
    output: OutputArgs,

    #[command(subcommand)]
    command: Option<TestsCommand>,
}

#[derive(clap::Subcommand, Debug)]
enum TestsCommand {
    Split(SplitArgs),
    Failed(FailedArgs),
}

pub async fn tests(args: TestsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    match (args.command, args.run) {
        (Some(TestsCommand::Split(args)), _) => in_job::split(args, context).await,
        (Some(TestsCommand::Failed(args)), _) => in_job::failed(&args),
        (None, Some(run)) => {
            let shown = if args.all { of_run::Shown::All } else { of_run::Shown::Bad };
            of_run::show(&run, args.job.as_deref(), shown, args.output.output, context).await
        }
        (None, None) if args.flaky => flaky::show(args.project, args.output.output, context).await,
        (None, None) => bail!("name a run, e.g. `landfall tests shop#3`, or ask for `--flaky`"),
    }
}
