//! What tests left on the machine although they are over: processes, bridges, mounts.
//!
//! A spawner outlives its server by design, so a test that crashes leaves one
//! behind. All that a test starts carries a mark in its environment, so nobody
//! else's processes are ever touched.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use crate::program;

/// The variable that marks what this run of the tests started.
pub const MARK: &str = "LANDFALL_TEST_RUN";

/// What bridges of installations are called, before their number.
const BRIDGE: &str = "landfall";

/// What was there before the tests.
pub struct Before {
    mark: String,
    bridges: BTreeSet<String>,
    mounts: BTreeSet<PathBuf>,
}

/// A process of a test that is still there.
struct Process {
    pid: rustix::process::Pid,
    arguments: String,
}

impl Before {
    /// Looks around; `run` is different for each run of the tests.
    pub fn look(run: &str) -> Self {
        Self { mark: format!("{MARK}={run}"), bridges: bridges(), mounts: mounts() }
    }

    /// Ends and names what the tests left behind.
    pub fn clean_up(&self) {
        for process in processes(&self.mark) {
            eprintln!("warning: a test left process {} behind: {}", process.pid.as_raw_nonzero(), process.arguments);
            // Gone already is what we want; what runs in its sandboxes ends with it.
            let _ = rustix::process::kill_process(process.pid, rustix::process::Signal::KILL);
        }
        // Other installations may come and go here meanwhile, but not where nobody else works.
        if std::env::var_os("CI").is_none() {
            return;
        }
        for mount in mounts().iter().rev().filter(|mount| !self.mounts.contains(*mount)) {
            eprintln!("warning: a test left a mount behind: {}", mount.display());
            report(program::output(Command::new("umount").arg("--lazy").arg(mount)));
        }
        for bridge in bridges().difference(&self.bridges) {
            eprintln!("warning: a test left a bridge behind: {bridge}");
            report(program::output(Command::new("ip").args(["link", "delete", bridge])));
        }
    }
}

fn report(done: anyhow::Result<String>) {
    if let Err(error) = done {
        eprintln!("warning: {error:#}");
    }
}

fn processes(mark: &str) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok().and_then(rustix::process::Pid::from_raw)?;
        // A process that ends while we look has no environment any more.
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).trim_end_matches('\0').replace('\0', " ");
        marked.then_some(Process { pid, arguments })
    });
    found.collect()
}

fn bridges() -> BTreeSet<String> {
    let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let bridges = links.filter(|link| link.path().join("bridge").is_dir());
    let names = bridges.filter_map(|link| link.file_name().into_string().ok());
    names.filter(|name| name.starts_with(BRIDGE)).collect()
}

/// Mounts below the folder for temporary files.
fn mounts() -> BTreeSet<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    places.filter(|place| place.starts_with(std::env::temp_dir())).collect()
}
