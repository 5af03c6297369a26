//! Fetches GitHub's own packages: the parsers that are the referees of ours, and the
//! libraries that actions use, with which jobs call our services.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;

use crate::program;

const PACKAGES: [&str; 8] = [
    "@actions/artifact@6.2.1",
    "@actions/cache@6.3.0",
    "@actions/core@3.0.1",
    "@actions/expressions@0.3.61",
    "@actions/github@9.1.1",
    "@actions/glob@0.7.0",
    "@actions/workflow-parser@0.3.61",
    // Checks identity tokens as their receivers do.
    "jose@6.2.17",
];

/// Installs the packages below `folder`, unless they are there.
pub fn provide(folder: &Path) -> anyhow::Result<()> {
    let installed = |package: &str| {
        let name = package.rsplit_once('@').map_or(package, |(name, _)| name);
        folder.join("node_modules").join(name).join("package.json").is_file()
    };
    if PACKAGES.iter().all(|package| installed(package)) {
        return Ok(());
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"]).arg(folder).args(PACKAGES);
    program::output(&mut npm).map(drop)
}
