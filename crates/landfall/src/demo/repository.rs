//! The app's repository, and pushes as a person makes them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::app::{App, Version};

/// The branch that the workflow listens to.
const BRANCH: &str = "main";

/// The name of the remote, as `landfall up` suggests it.
const REMOTE: &str = "landfall";

/// A working copy with one remote.
pub struct Repository {
    folder: PathBuf,
}

impl Repository {
    pub async fn create(folder: &Path, remote: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        let repository = Self { folder: folder.to_owned() };
        repository.git(&["init", "--quiet", "--initial-branch", BRANCH]).await?;
        repository.git(&["remote", "add", REMOTE, remote]).await?;
        Ok(repository)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the app's files at a version and commits them; gives the commit.
    pub async fn commit(&self, app: &App, version: &Version) -> anyhow::Result<String> {
        for (path, text) in app.files(version) {
            let path = self.folder.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, text).with_context(|| format!("`{}` cannot be written", path.display()))?;
        }
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--message", version.subject]).await?;
        Ok(self.git(&["rev-parse", "HEAD"]).await?.trim().to_owned())
    }

    /// Pushes, and tells every line that comes back while it does.
    pub async fn push(&self, tell: impl Fn(&str)) -> anyhow::Result<()> {
        let mut command = self.command(&["push", REMOTE, BRANCH]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("git cannot be started")?;
        let stderr = child.stderr.take().context("git has no standard error")?;
        let mut lines = BufReader::new(stderr).split(b'\n');
        let mut last = String::new();
        while let Some(line) = lines.next_segment().await? {
            let line = String::from_utf8_lossy(&line);
            // Git pads remote lines with blanks, to cover its own progress on a terminal.
            let line = line.trim_end();
            if let Some(told) = line.strip_prefix("remote:") {
                tell(told.strip_prefix(' ').unwrap_or(told));
            } else if !line.is_empty() {
                line.clone_into(&mut last);
            }
        }
        let status = child.wait().await?;
        if !status.success() {
            bail!("`git push {REMOTE} {BRANCH}` fails ({status}): {last}");
        }
        Ok(())
    }

    async fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output().await.context("git cannot be started")?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            bail!("`git {}` fails: {}", arguments.join(" "), told.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Git without the user's own settings, which may sign, rewrite addresses or ask for names.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        // The server is on this machine, whatever proxy the user has.
        command.args(["-c", "http.proxy=", "-c", "credential.helper="]).args(arguments).current_dir(&self.folder);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
            command.env_remove(name);
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Demo").env(format!("GIT_{who}_EMAIL"), "demo@example.org");
        }
        // Ctrl-C is for the demo, which then ends everything in order.
        command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        command
    }
}
