//! `cargo xtask conformance`
//!
//! Compares renderings and Kubernetes' rules with recorded answers of the original
//! tools; with `--record` asks the tools again and writes their answers down.

use std::process::ExitCode;

use crate::{program, workspace::Workspace};

/// The packages whose tests keep recorded answers of other tools.
const PACKAGES: [&str; 2] = ["helm", "kustomize"];

/// Compare with recorded answers of the original tools
#[derive(clap::Args, Debug)]
pub struct ConformanceArgs {
    /// Ask the original tools again and write their answers down
    #[arg(long)]
    record: bool,
}

/// Runs the comparing tests; the exit status is theirs.
pub fn run(args: &ConformanceArgs) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut cargo = program::cargo();
    cargo.arg("test").env("LANDFALL_TOOLS", workspace.target.join("tools/bin"));
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    if args.record {
        cargo.env("LANDFALL_RECORD", "1");
    }
    let status = cargo.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
