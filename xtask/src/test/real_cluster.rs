//! The control plane of a real Kubernetes, built from Go modules for the tests that need one.
//!
//! The program is kept below `target/real-cluster` with the sources it was built from; what
//! the Go toolchain compiled and fetched lies where it always does, for whoever keeps that.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;

/// The test target that needs the program.
pub const TARGET: &str = "tests/real";

/// By this variable its tests find the program.
pub const VARIABLE: &str = "LANDFALL_REAL_CLUSTER";

/// What goes into the program, below `tests/real-cluster`.
const SOURCES: [&str; 3] = ["go.mod", "go.sum", "main.go"];

/// A build from nothing takes a quarter of it on two cores.
const PATIENCE: Duration = Duration::from_secs(40 * 60);

const GLANCE: Duration = Duration::from_millis(100);

/// Builds the program, unless the one that is there is of the same sources.
///
/// # Errors
///
/// When modules cannot be fetched or compiled.
pub fn provide(workspace: &Workspace, go: &Path) -> anyhow::Result<PathBuf> {
    let (sources, folder) = (workspace.root.join("tests/real-cluster"), workspace.target.join("real-cluster"));
    let (program, noted) = (folder.join("real-cluster"), folder.join("sources"));
    let read = |name: &str| fs::read_to_string(sources.join(name)).with_context(|| format!("cannot read `tests/real-cluster/{name}`"));
    let mut wanted = SOURCES.map(read).into_iter().collect::<anyhow::Result<String>>()?;
    let version = kubernetes_version(&wanted).context("`tests/real-cluster/go.mod` names no version of Kubernetes")?.to_owned();
    wanted += &toolchain(go)?;
    if program.is_file() && fs::read_to_string(&noted).is_ok_and(|built| built == wanted) {
        return Ok(program);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    println!("building the control plane of Kubernetes {version} (minutes, when nothing of it is there)");
    // Without the note, what is cut off now is built again.
    let _ = fs::remove_file(&noted);
    build(&sources, go, &version, &program)?;
    fs::write(&noted, wanted).with_context(|| format!("cannot write `{}`", noted.display()))?;
    Ok(program)
}

fn build(sources: &Path, go: &Path, version: &str, program: &Path) -> anyhow::Result<()> {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let package = "k8s.io/component-base/version";
    // Clients ask for the version and behave by it.
    let linked = format!("-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}");
    let mut command = command(go);
    command.args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-gcflags=all=-dwarf=false", "-ldflags", &linked, "-o"]);
    command.arg(program).arg(".").current_dir(sources).stdin(Stdio::null());
    let mut child = command.spawn().context("cannot start `go build`")?;
    let started = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("`go build` ended with {status}; what it said stands above"),
            None if started.elapsed() > PATIENCE => {
                child.kill()?;
                child.wait()?;
                bail!("`go build` did not end within {} minutes", PATIENCE.as_secs() / 60);
            }
            None => thread::sleep(GLANCE),
        }
    }
}

/// Other compilers make other programs.
fn toolchain(go: &Path) -> anyhow::Result<String> {
    crate::program::output(command(go).arg("version"))
}

fn command(go: &Path) -> Command {
    let mut command = Command::new(go);
    command.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0").env_remove("GOROOT").env_remove("GOFLAGS");
    command
}

/// Such as `v1.34.4`.
fn kubernetes_version(go_mod: &str) -> Option<&str> {
    let words = go_mod.lines().find_map(|line| line.trim().trim_start_matches("require ").strip_prefix("k8s.io/kubernetes "))?;
    words.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_found_alone_and_in_a_block() {
        for text in ["require k8s.io/kubernetes v1.34.4\n", "require (\n\tk8s.io/api v0.1.0\n\tk8s.io/kubernetes v1.34.4 // why\n)\n"] {
            assert_eq!(kubernetes_version(text), Some("v1.34.4"));
        }
        assert_eq!(kubernetes_version("module k8s.io/kubernetes-like\n"), None);
    }
}
