//! The command line: one file per command.

mod down;
mod exit;
mod output;
mod status;
mod up;

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
    Up(up::UpArgs),
    Down(down::DownArgs),
    Status(status::StatusArgs),
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
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for and are no errors.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
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
        Command::Up(args) => up::up(args, context).await,
        Command::Down(args) => down::down(args, context).await,
        Command::Status(args) => status::status(args, context),
    }
}
