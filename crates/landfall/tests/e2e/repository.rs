//! A working copy, and pushes as a person makes them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::program::{Ran, run};

/// A working copy on the branch `main` with one remote.
pub struct Repository {
    folder: PathBuf,
    remote: String,
}

/// A push and the commit that it pushed.
pub struct Pushed {
    pub commit: String,
    pub git: Ran,
}

impl Repository {
    pub fn new(folder: &Path, remote: &str) -> Self {
        let it = Self { folder: folder.to_owned(), remote: remote.to_owned() };
        it.git(&["init", "--quiet", "--initial-branch", "main"]).succeeded();
        it
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file; its folders are made.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
        self
    }

    /// Writes the one workflow, which runs at every push.
    pub fn workflow(&self, jobs: &str) -> &Self {
        self.write(".github/workflows/ci.yml", format!("name: ci\non: push\njobs:\n{jobs}"))
    }

    /// Commits everything, even if nothing changed; gives the commit.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]).succeeded();
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "A change"]).succeeded();
        self.git(&["rev-parse", "HEAD"]).succeeded().trim().to_owned()
    }

    /// Commits everything and pushes it, whatever comes of that.
    pub fn try_push(&self) -> Pushed {
        let commit = self.commit();
        Pushed { commit, git: self.git(&["push", &self.remote, "main"]) }
    }

    /// Commits everything and pushes it.
    #[track_caller]
    pub fn push(&self) -> Pushed {
        let pushed = self.try_push();
        assert_eq!(pushed.git.code, Some(0), "{}", pushed.git);
        pushed
    }

    /// Commits everything and begins to push; the push ends when the run does.
    pub fn begin_push(&self) -> (String, Pushing) {
        let commit = self.commit();
        let mut command = self.command(&["push", &self.remote, "main"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        (commit, Pushing(command.spawn().expect("git can be started")))
    }

    pub fn git(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// Git without the settings of whoever runs the tests.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(["-c", "http.proxy=", "-c", "credential.helper="]).args(arguments).current_dir(&self.folder);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
            command.env_remove(name);
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").env("NO_PROXY", "*");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Tester").env(format!("GIT_{who}_EMAIL"), "tester@example.org");
        }
        command
    }
}

/// A push that is going on; waited for when dropped.
pub struct Pushing(Child);

impl Drop for Pushing {
    fn drop(&mut self) {
        // The server it talks to may have been killed, and then it fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
