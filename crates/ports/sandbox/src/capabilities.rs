//! What this machine can do for sandboxes, for people who ask why something does not work.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{Nat, cgroups::{Cgroups, Layout}, spawner};

/// The machine, as far as sandboxes care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    pub kernel: String,
    pub root: bool,
    pub overlay: bool,
    pub cgroups: Layout,
    /// Controllers that can limit: `cpu`, `memory`, `pids`.
    pub limits: Vec<String>,
    /// A whole control group can be killed at once.
    pub cgroup_kill: bool,
    pub seccomp: bool,
    /// How pods reach what lies outside.
    pub nat: Option<Nat>,
}

impl Capabilities {
    pub(crate) fn detect() -> Self {
        let cgroups = Cgroups::detect("landfall");
        let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        Self {
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            root: rustix::process::geteuid().is_root(),
            // A module that is not loaded yet is loaded by the first mount.
            overlay: filesystems.lines().any(|line| line.ends_with("\toverlay")) || Path::new("/sys/module/overlay").exists(),
            cgroups: cgroups.layout,
            limits: cgroups.available().into_iter().map(str::to_owned).collect(),
            cgroup_kill: cgroups.can_kill(),
            seccomp: Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
            nat: spawner::nat(),
        }
    }

    /// What is missing, one sentence each, the worst first.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.root {
            missing.push("sandboxes need root".to_owned());
        }
        if !at_least(&self.kernel, (5, 12)) {
            missing.push(format!("sandboxes need Linux 5.12, found {}", self.kernel));
        }
        if !self.overlay {
            missing.push("the kernel knows no overlay file system (yet)".to_owned());
        }
        if !self.seccomp {
            missing.push("the kernel filters no system calls".to_owned());
        }
        for limit in ["cpu", "memory", "pids"] {
            if !self.limits.iter().any(|it| it == limit) {
                missing.push(format!("`{limit}` cannot be limited"));
            }
        }
        if self.nat.is_none() {
            missing.push("pods reach nothing outside: neither nft nor iptables is installed".to_owned());
        }
        missing
    }
}

fn at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|it: char| !it.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_compared_by_number() {
        for (release, expected) in [("6.18.44-x", true), ("5.12.0", true), ("5.4.0-190-generic", false), ("odd", false)] {
            assert_eq!(at_least(release, (5, 12)), expected, "{release}");
        }
    }
}
