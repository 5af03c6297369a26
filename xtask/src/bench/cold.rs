//! How long a newcomer's first build takes.

use std::time::Instant;

use anyhow::ensure;

use super::figure::Figure;
use crate::{program, workspace::Workspace};

/// Builds the program from nothing in a folder of its own, which is deleted again.
pub fn measure(workspace: &Workspace) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir_in(&workspace.target)?;
    let began = Instant::now();
    let mut cargo = program::cargo();
    cargo.args(["build", "--release", "--locked", "--package", "landfall", "--target-dir"]).arg(folder.path());
    let status = cargo.status()?;
    ensure!(status.success(), "the build ended with {status}");
    Ok(Figure::new("build: from nothing", began.elapsed().as_secs_f64(), "s"))
}
