//! Packages of the system: installed when we are root, else unpacked below `target/tools`.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::program;

/// Makes the packages' programs available, as far as that can be done.
pub fn provide(packages: &[&str], tools: &Path) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if program::find("apt-get").is_none() {
        bail!("no `apt-get` here; missing packages: {}", packages.join(" "));
    }
    if program::is_root() { install(packages) } else { packages.iter().try_for_each(|package| unpack(package, tools)) }
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    println!("installing {}", packages.join(" "));
    let install = || {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
        program::output(&mut apt)
    };
    // The package lists of a fresh machine are empty or old.
    program::output(Command::new("apt-get").args(["update", "-qq"])).and_then(|_| install()).or_else(|_| install()).map(drop)
}

/// Unpacks a package and the libraries it needs, and puts a starter for each of its programs into `bin`.
fn unpack(package: &str, tools: &Path) -> anyhow::Result<()> {
    let root = tools.join("debian");
    let downloads = tools.join("debian-packages");
    fs::create_dir_all(&downloads).with_context(|| format!("cannot make `{}`", downloads.display()))?;
    for name in closure(package)? {
        let mut apt = Command::new("apt-get");
        program::output(apt.args(["download", "-qq", &name]).current_dir(&downloads))?;
    }
    for file in fs::read_dir(&downloads)?.flatten().map(|it| it.path()) {
        program::output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&root))?;
        fs::remove_file(&file)?;
    }
    for folder in ["bin", "usr/bin", "usr/sbin", "sbin"] {
        for file in fs::read_dir(root.join(folder)).into_iter().flatten().flatten().map(|it| it.path()) {
            start_with_libraries(&file, &root, tools)?;
        }
    }
    Ok(())
}

/// The package and those of its dependencies that the machine does not have.
fn closure(package: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut apt = Command::new("apt-cache");
    apt.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts"]);
    apt.args(["--no-breaks", "--no-replaces", "--no-enhances", package]);
    let text = program::output(&mut apt)?;
    let names = text.lines().filter(|line| !line.starts_with([' ', '<', '|'])).map(|it| it.trim().to_owned());
    Ok(names.filter(|name| !is_installed(name)).collect())
}

fn is_installed(package: &str) -> bool {
    let mut dpkg = Command::new("dpkg-query");
    program::output(dpkg.args(["-W", "-f=${Status}", package])).is_ok_and(|status| status.contains("ok installed"))
}

/// An unpacked program does not find its libraries by itself.
fn start_with_libraries(file: &Path, root: &Path, tools: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(name) = file.file_name() else { return Ok(()) };
    let starter = tools.join("bin").join(name);
    if !program::is_executable(file) || starter.exists() {
        return Ok(());
    }
    let libraries = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu"];
    let libraries: Vec<_> = libraries.iter().map(|it| root.join(it).display().to_string()).collect();
    let script = format!("#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n", libraries.join(":"), file.display());
    fs::write(&starter, script).with_context(|| format!("cannot write `{}`", starter.display()))?;
    Ok(fs::set_permissions(&starter, fs::Permissions::from_mode(0o755))?)
}
