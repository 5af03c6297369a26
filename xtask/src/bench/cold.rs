//! How long a newcomer's first build takes.

use std::{fs, time::Instant};

use anyhow::{Context as _, ensure};

use super::figure::Figure;
use crate::{program, workspace::Workspace};

/// On two processors with nothing else to do.
const SECONDS_MAX: f64 = 480.0;
/// What the processors do for it, whatever else the machine is busy with.
const PROCESSOR_SECONDS_MAX: f64 = 800.0;

/// Builds the program from nothing in a folder of its own, which is deleted again.
pub fn measure(workspace: &Workspace) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir_in(&workspace.target)?;
    let (began, before) = (Instant::now(), children()?);
    let mut cargo = program::cargo();
    cargo.args(["build", "--release", "--locked", "--package", "landfall", "--target-dir"]).arg(folder.path());
    let status = cargo.status()?;
    ensure!(status.success(), "the build ended with {status}");
    Ok(vec![
        Figure::new("build: from nothing", began.elapsed().as_secs_f64(), "s").goal(SECONDS_MAX),
        Figure::new("  of it: processor time", children()? - before, "s").goal(PROCESSOR_SECONDS_MAX),
    ])
}

/// Processor seconds of all children that ended, and of theirs.
fn children() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = text.rsplit_once(')').context("`/proc/self/stat` has another form")?;
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    // Linux tells these times in hundredths of a second.
    Ok(ticks as f64 / 100.0)
}
