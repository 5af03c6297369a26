//! The project's own tasks: test, tidy, bench, conformance, dist.
//!
//! `cargo xtask test` is what continuous integration runs; its last line is the
//! totals. Everything a task makes lies below `target/`.

mod bench;
mod conformance;
mod dist;
mod program;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own tasks
#[derive(Parser, Debug)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    Test(test::TestArgs),
    Tidy(tidy::TidyArgs),
    Bench(bench::BenchArgs),
    Conformance(conformance::ConformanceArgs),
    Dist,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test(args) => test::run(&args),
        Task::Tidy(args) => tidy::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Conformance(args) => conformance::run(&args),
        Task::Dist => dist::run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
