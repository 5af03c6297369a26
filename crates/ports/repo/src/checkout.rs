//! Puts the files of a commit into a folder, as `actions/checkout` does.

use std::path::Path;

use names::CommitId;

use crate::{GitError, Repository, command::run};

/// What to check out.
#[derive(Clone, Debug)]
pub struct Checkout<'a> {
    pub commit: CommitId,
    /// The ref that the work tree shall stand on, e.g. `refs/heads/main`.
    pub git_ref: &'a str,
    /// How many commits of history; `None` for all.
    pub depth: Option<u32>,
    /// The address that the work tree shall call `origin`.
    pub origin: &'a str,
}

impl Repository {
    /// Makes `folder` a work tree of this repository at a commit.
    ///
    /// What is in the folder and not in the commit goes, as with `clean: true`.
    pub async fn check_out(&self, folder: &Path, what: &Checkout<'_>) -> Result<(), GitError> {
        tokio::fs::create_dir_all(folder).await.map_err(GitError::Io)?;
        let commit = what.commit.to_string();
        if !folder.join(".git").exists() {
            run(folder, ["init", "--quiet", "--initial-branch=main"]).await?;
            run(folder, ["remote", "add", "origin", what.origin]).await?;
        }
        let source = format!("file://{}", self.path().display());
        let depth = what.depth.map(|depth| format!("--depth={depth}"));
        let mut fetch = vec!["-c", "protocol.version=2", "fetch", "--quiet", "--no-tags"];
        fetch.extend(depth.as_deref());
        fetch.extend(["--", &source, &commit]);
        run(folder, fetch).await?;
        let branch = what.git_ref.strip_prefix("refs/heads/");
        match branch {
            Some(branch) => {
                let remote = format!("refs/remotes/origin/{branch}");
                run(folder, ["update-ref", &remote, &commit]).await?;
                run(folder, ["checkout", "--quiet", "--force", "-B", branch, &commit]).await?;
            }
            None => run(folder, ["checkout", "--quiet", "--force", "--detach", &commit]).await?,
        }
        run(folder, ["clean", "-ffdxq"]).await
    }
}
