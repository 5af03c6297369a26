//! How much memory an installation needs that does nothing.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};

use super::{Ground, figure::Figure, installation::Installation};

/// What a start leaves behind is given back by then.
const REST: Duration = Duration::from_secs(5);

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let (installation, _) = Installation::start(&ground.program)?;
    std::thread::sleep(REST);
    let folder = installation.folder().to_str().context("a temporary folder with an odd name")?;
    let spawners = spawners(folder);
    ensure!(!spawners.is_empty(), "no spawner runs");
    let server = of(installation.status.pid)?;
    let spawner = spawners.iter().map(|pid| of(*pid)).sum::<anyhow::Result<f64>>()?;
    Ok(vec![
        Figure::new("memory: idle, server and spawner", server + spawner, "MB").goal(60.0),
        Figure::new("  of it: the server", server, "MB"),
        Figure::new("  of it: the spawner", spawner, "MB"),
    ])
}

/// Processes that were started as spawners below the folder.
fn spawners(folder: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_ours = |pid: &u32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments);
        arguments.starts_with("landfall-spawner") && arguments.contains(folder)
    };
    pids.filter(is_ours).collect()
}

/// The memory of a process in megabytes, shared pages counted in part.
pub fn of(pid: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).with_context(|| format!("cannot see process {pid}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("the kernel tells no Pss")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse().context("an odd Pss")?;
    Ok(kilobytes / 1000.0)
}
