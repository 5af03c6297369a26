//! The command line: one file per command.

mod agent;
mod ago;
mod app;
mod app_rollout;
mod approve;
mod cancel;
mod chart;
mod checkout;
mod demo;
mod dispatch;
mod doctor;
mod down;
mod drill;
mod exit;
mod explain;
mod expr;
mod image;
mod lint;
mod logs;
pub(crate) mod output;
mod pipe;
mod plan;
mod progress;
mod ps;
mod render;
mod rerun;
mod rollback;
mod run;
mod run_name;
mod runs;
mod status;
mod step_cause;
mod tests;
mod thread_answer;
mod trace;
mod up;
mod values;
mod watch;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{client::Client, data::DataFolder};

/// From `git push` to a served release that heals itself
#[derive(Parser, Debug)]
#[command(name = "landfall", version, propagate_version = true, infer_subcommands = false)]
struct Cli {
    /// The data folder of the installation
    #[arg(long, global = true, env = "LANDFALL_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(demo::DemoArgs),
    Up(up::UpArgs),
    Down(down::DownArgs),
    Status(status::StatusArgs),
    Watch(watch::WatchArgs),
    Ps(ps::PsArgs),
    Run(run::RunArgs),
    Runs(runs::RunsArgs),
    Logs(logs::LogsArgs),
    Trace(trace::TraceArgs),
    Explain(explain::ExplainArgs),
    Rollback(rollback::RollbackArgs),
    Drill(drill::DrillArgs),
    Cancel(cancel::CancelArgs),
    Rerun(rerun::RerunArgs),
    Dispatch(dispatch::DispatchArgs),
    Tests(tests::TestsArgs),
    Approve(approve::ApproveArgs),
    Secret(values::SecretArgs),
    Variable(values::VariableArgs),
    Image(image::ImageArgs),
    Doctor(doctor::DoctorArgs),
    Lint(lint::LintArgs),
    Expr(expr::ExprArgs),
    Plan(plan::PlanArgs),
    App(app::AppArgs),
    Agent(agent::AgentArgs),
    Diff(app::DiffArgs),
    Render(render::RenderArgs),
    Chart(chart::ChartArgs),
}

/// What every command gets.
pub struct Context {
    pub data: DataFolder,
}

impl Context {
    /// A client of the server that runs on the data folder.
    pub fn client(&self) -> anyhow::Result<Client> {
        Client::connect(&self.data)
    }
}

/// Runs the command that the arguments name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // All commands together take longer to describe than a chart to render.
    if let Some(args) = render::alone(&arguments) {
        pipe::end_with_reader();
        return render::render(&args).unwrap_or_else(|error| exit::report(&error));
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for and are no errors.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    if !matches!(cli.command, Command::Up(_) | Command::Demo(_) | Command::Run(_)) {
        pipe::end_with_reader();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads: {error}");
            return ExitCode::from(exit::INFRASTRUCTURE);
        }
    };
    let done = runtime.block_on(async {
        let context = Context { data: DataFolder::choose(cli.data)? };
        run(cli.command, &context).await
    });
    match done {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}

async fn run(command: Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::demo(args, context).await,
        Command::Up(args) => up::up(args, context).await,
        Command::Down(args) => down::down(args, context).await,
        Command::Status(args) => status::status(args, context),
        Command::Watch(args) => watch::watch(args, context).await,
        Command::Ps(args) => ps::ps(args, context).await,
        Command::Run(args) => run::run(args, context).await,
        Command::Runs(args) => runs::runs(args, context).await,
        Command::Logs(args) => logs::logs(args, context).await,
        Command::Trace(args) => trace::trace(args, context).await,
        Command::Explain(args) => explain::explain(args, context).await,
        Command::Rollback(args) => rollback::rollback(args, context).await,
        Command::Drill(args) => drill::drill(args, context).await,
        Command::Cancel(args) => cancel::cancel(args, context).await,
        Command::Rerun(args) => rerun::rerun(args, context).await,
        Command::Dispatch(args) => dispatch::dispatch(args, context).await,
        Command::Tests(args) => tests::tests(args, context).await,
        Command::Approve(args) => approve::approve(args, context).await,
        Command::Secret(args) => values::secret(args, context).await,
        Command::Variable(args) => values::variable(args, context).await,
        Command::Image(args) => image::image(args, context).await,
        Command::Doctor(args) => doctor::doctor(args, context),
        Command::Lint(args) => lint::lint(args),
        Command::Expr(args) => expr::expr(args),
        Command::Plan(args) => plan::plan(args),
        Command::App(args) => app::app(args, context).await,
        Command::Agent(args) => agent::agent(args, context).await,
        Command::Diff(args) => app::diff(args, context).await,
        Command::Render(args) if render::compares(&args) => render::compare(args).await,
        Command::Render(args) => render::render(&args),
        Command::Chart(args) => chart::chart(args).await,
    }
}
