//! Processes that tests started and did not end.
//!
//! A spawner outlives its server by design, so a test that crashes leaves one
//! behind. Whatever still runs a program from our target folder is ours.

use std::path::Path;

/// A process of a test that is still there.
#[derive(Debug)]
pub struct Leftover {
    pub pid: i32,
    pub arguments: String,
}

/// The processes that run a program below `target/debug` but for this one.
pub fn find(target: &Path) -> Vec<Leftover> {
    let mut found = Vec::new();
    let own = std::process::id().to_string();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().filter(|it| *it != own).and_then(|it| it.parse().ok()) else { continue };
        // A process that ends while we look has no program any more.
        let Ok(program) = std::fs::read_link(entry.path().join("exe")) else { continue };
        let is_test = program.starts_with(target.join("debug")) && !program.ends_with("xtask");
        if !is_test {
            continue;
        }
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).trim_end_matches('\0').replace('\0', " ");
        found.push(Leftover { pid, arguments });
    }
    found
}

/// Ends them; their children in sandboxes end with them.
pub fn end(leftovers: &[Leftover]) {
    for leftover in leftovers {
        if let Some(pid) = rustix::process::Pid::from_raw(leftover.pid) {
            // Gone already is what we want.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}
