//! One process that renders a chart again and again: ours beside a Go program around Helm's own library.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};

use crate::{program, workspace::Workspace};

const TIMES: &str = "300";

/// The Go program: its source, and what it is made with.
const SOURCES: [(&str, &str); 3] = [
    ("main.go", include_str!("inprocess/main.go")),
    ("go.mod", include_str!("inprocess/go.mod")),
    ("go.sum", include_str!("inprocess/go.sum")),
];

/// What one render takes of the processor.
pub struct Took {
    /// With the chart read and parsed each time.
    pub anew: Duration,
    /// With a chart that was read once; parsed templates are kept by us, not by Go.
    pub again: Duration,
}

/// Our engine.
pub fn ours(workspace: &Workspace, chart: &Path) -> anyhow::Result<Took> {
    let status = program::cargo()
        .args(["build", "--release", "--locked", "--package", "render", "--example", "repeat"])
        .status()?;
    ensure!(status.success(), "the build ended with {status}");
    let folder = chart.parent().context("a chart lies in a folder")?;
    let name = chart.file_name().context("a chart has a name")?;
    // The folder holds the chart alone: all of it is read into memory.
    took(Command::new(workspace.target.join("release/examples/repeat")).arg(folder).arg(name).arg(TIMES))
}

/// Helm's own engine; building it takes minutes the first time.
pub fn theirs(workspace: &Workspace, chart: &Path) -> anyhow::Result<Took> {
    let program = built(workspace)?;
    took(Command::new(program).arg(chart).arg(TIMES))
}

fn built(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = workspace.target.join("bench/inprocess");
    fs::create_dir_all(&folder)?;
    for (name, text) in SOURCES {
        fs::write(folder.join(name), text)?;
    }
    let go = workspace.target.join("tools/go/bin/go");
    ensure!(go.exists(), "`{}` is missing; `cargo xtask test --only tools` fetches it", go.display());
    let mut build = Command::new(go);
    build.args(["build", "-o", "inprocess", "."]).current_dir(&folder);
    program::output(&mut build).context("Go's own library cannot be built")?;
    Ok(folder.join("inprocess"))
}

/// Both programs print two numbers of microseconds.
fn took(command: &mut Command) -> anyhow::Result<Took> {
    let text = program::output(command)?;
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let mut next = || -> anyhow::Result<Duration> {
        Ok(Duration::from_micros(numbers.next().context("a number is missing")??))
    };
    Ok(Took { anew: next()?, again: next()? })
}
