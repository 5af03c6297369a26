//! `cargo xtask dist`

use std::process::ExitCode;

use anyhow::{Context as _, ensure};

use crate::{program, workspace::Workspace};

/// Builds the binary that is shipped, and says where it lies and how large it is.
pub fn run() -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let status = program::cargo()
        .args(["build", "--locked", "--profile", "dist", "--package", "landfall"])
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the build ended with {status}");
    let file = workspace.target.join("dist/landfall");
    let size_bytes = file.metadata().with_context(|| format!("no `{}`", file.display()))?.len();
    println!("{}  {:.1} MB", file.display(), size_bytes as f64 / 1e6);
    Ok(ExitCode::SUCCESS)
}
