//! Runs the system's `git`.

use std::{io, path::Path, process::Stdio};

use tokio::process::Command;

/// Why Git did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("there is no `git` on this machine; install it, e.g. `apt-get install git`")]
    Missing,
    #[error("git could not be run")]
    Io(#[source] io::Error),
    #[error("`git {command}` failed: {message}")]
    Failed { command: String, message: String },
    #[error("expected at most {limit_bytes} bytes in `{path}`")]
    TooLarge { path: String, limit_bytes: u64 },
}

/// A `git` that works in `folder` and reads neither the user's nor the machine's configuration.
pub fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    // The repositories belong to whoever runs the server, which Git checks by uid and `HOME`.
    command.arg("-c").arg("safe.directory=*");
    command
}

pub(crate) async fn output<'a>(
    folder: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<u8>, GitError> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let mut command = git_command(folder);
    let output = command.args(&arguments).output().await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => GitError::Missing,
        _ => GitError::Io(error),
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(GitError::Failed { command: arguments.first().unwrap_or(&"").to_string(), message })
}

pub(crate) async fn text<'a>(
    folder: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<String, GitError> {
    Ok(String::from_utf8_lossy(&output(folder, arguments).await?).into_owned())
}

pub(crate) async fn run<'a>(
    folder: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<(), GitError> {
    output(folder, arguments).await.map(drop)
}
