//! Other programs: found on the search path, run, and their output read.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// Where system programs lie that an ordinary user's search path leaves out.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The file that `name` would start, looked for in the system's folders as well.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| is_executable(file))
}

pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// What a program that succeeds writes to its standard output.
///
/// # Errors
///
/// When it does not start or fails; the error carries what it said last.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<_> = said.trim().lines().rev().take(5).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        bail!("`{shown}` ended with {}\n{}", output.status, last.join("\n"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `git` says in a folder, as an author of its own and without asking anybody for a password.
///
/// # Errors
///
/// As [`output`].
pub fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(arguments).env("GIT_TERMINAL_PROMPT", "0");
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), "Bench").env(format!("GIT_{role}_EMAIL"), "bench@localhost");
    }
    output(&mut git)
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).map(|it| it.chars().take(80).collect::<String>()).collect();
    words.join(" ")
}

/// The cargo that runs this task, so that one toolchain does everything.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether this task may install packages and make namespaces.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
