//! Fetches GitHub's own expression and workflow parser, the referees of ours.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;

use crate::program;

const PACKAGES: [&str; 2] = ["@actions/expressions@0.3.61", "@actions/workflow-parser@0.3.61"];

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
