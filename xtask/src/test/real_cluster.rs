//! The control plane of a real Kubernetes, built from Go modules for the tests that need one.
//!
//! The program is kept with the sources it was built from, below `target/real-cluster` and in
//! the cache of the person, so that a clean checkout need not build it again. What the Go
//! toolchain compiled and fetched lies where it always does.

use std::{
    fs,
    io::ErrorKind,
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

/// The program, and the note beside it, in each folder that has them.
const PROGRAM: &str = "real-cluster";
const NOTE: &str = "sources";

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
    let program = folder.join(PROGRAM);
    let read = |name: &str| fs::read_to_string(sources.join(name)).with_context(|| format!("cannot read `tests/real-cluster/{name}`"));
    let mut wanted = SOURCES.map(read).into_iter().collect::<anyhow::Result<String>>()?;
    let version = kubernetes_version(&wanted).context("`tests/real-cluster/go.mod` names no version of Kubernetes")?.to_owned();
    wanted += &toolchain(go)?;
    let cache = cache();
    if is_of(&folder, &wanted) {
        return Ok(program);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    if let Some(cache) = cache.as_ref().filter(|it| is_of(it, &wanted)) {
        put(&cache.join(PROGRAM), &folder, &wanted)?;
        return Ok(program);
    }
    println!("building the control plane of Kubernetes {version} (minutes, when nothing of it is there)");
    let built = folder.join("new");
    build(&sources, go, &version, &built)?;
    put(&built, &folder, &wanted)?;
    fs::remove_file(&built).with_context(|| format!("cannot remove `{}`", built.display()))?;
    if let Some(cache) = cache
        && let Err(error) = put(&program, &cache, &wanted)
    {
        eprintln!("warning: the program is not kept for other checkouts: {error:#}");
    }
    Ok(program)
}

/// Whether a folder holds the program of these sources.
fn is_of(folder: &Path, sources: &str) -> bool {
    folder.join(PROGRAM).is_file() && fs::read_to_string(folder.join(NOTE)).is_ok_and(|built| built == sources)
}

/// Puts a program into a folder, with a note of its sources that is there only once the program is whole.
fn put(program: &Path, folder: &Path, sources: &str) -> anyhow::Result<()> {
    let to = folder.join(PROGRAM);
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for old in [folder.join(NOTE), to.clone()] {
        match fs::remove_file(&old) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(|| format!("cannot remove `{}`", old.display())),
            Ok(()) | Err(_) => {}
        }
    }
    fs::copy(program, &to).with_context(|| format!("cannot write `{}`", to.display()))?;
    let note = folder.join(NOTE);
    fs::write(&note, sources).with_context(|| format!("cannot write `{}`", note.display()))
}

/// Where a person's programs keep what they can make again.
fn cache() -> Option<PathBuf> {
    let own = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    let folder = own.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(folder.join("landfall/real-cluster"))
}

fn build(sources: &Path, go: &Path, version: &str, program: &Path) -> anyhow::Result<()> {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let package = "k8s.io/component-base/version";
    // Clients ask for the version and behave by it.
    let linked = format!("-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}");
    let mut command = command(go);
    command.args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-gcflags=all=-dwarf=false -l", "-ldflags", &linked, "-o"]);
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
    fn a_program_is_known_by_its_sources() {
        let folder = tempfile::tempdir().expect("a folder");
        let (built, cache) = (folder.path().join("new"), folder.path().join("cache"));
        assert!(!is_of(&cache, "one"));
        for (program, sources) in [("first", "one"), ("second", "two")] {
            fs::write(&built, program).expect("written");
            put(&built, &cache, sources).expect("put");
            assert_eq!((is_of(&cache, "one"), is_of(&cache, "two")), (sources == "one", sources == "two"));
            assert_eq!(fs::read_to_string(cache.join(PROGRAM)).expect("read"), program);
        }
    }

    #[test]
    fn version_is_found_alone_and_in_a_block() {
        for text in ["require k8s.io/kubernetes v1.34.4\n", "require (\n\tk8s.io/api v0.1.0\n\tk8s.io/kubernetes v1.34.4 // why\n)\n"] {
            assert_eq!(kubernetes_version(text), Some("v1.34.4"));
        }
        assert_eq!(kubernetes_version("module k8s.io/kubernetes-like\n"), None);
    }
}
