//! Writes commits without a work tree of its own: made beside the repository and pushed.

use std::{io, path::Path};

use names::CommitId;

use crate::{GitError, Repository, command::{run, text}};

/// Who writes a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub email: String,
}

/// A commit that makes a folder what it was.
#[derive(Clone, Debug)]
pub struct NewCommit<'a> {
    pub author: &'a Author,
    pub message: &'a str,
    /// Where it goes, e.g. `refs/heads/main`.
    pub branch: &'a str,
    /// The folder that is restored; empty for the whole tree.
    pub folder: &'a str,
    /// As it was here.
    pub from: CommitId,
}

impl Repository {
    /// Writes a commit on top of the branch in which a folder is as it was at an earlier commit, and
    /// pushes it to `remote`, so that whoever watches the remote sees it as any other push.
    ///
    /// `None` when the branch has that content already.
    ///
    /// # Errors
    ///
    /// Also when somebody else pushed meanwhile; trying again starts from their commit.
    pub async fn restore(&self, remote: &str, commit: &NewCommit<'_>) -> Result<Option<CommitId>, GitError> {
        let Some(head) = self.resolve(commit.branch).await? else {
            let message = format!("there is no branch `{}`", commit.branch);
            return Err(GitError::Failed { command: "rev-parse".to_owned(), message });
        };
        let room = tempfile::tempdir().map_err(GitError::Io)?;
        let index = room.path().join("index");
        self.with_index(&index, ["read-tree", &head.to_string()]).await?;
        if commit.folder.is_empty() {
            self.with_index(&index, ["read-tree", &commit.from.to_string()]).await?;
        } else {
            let spec = commit.folder.trim_end_matches('/');
            self.with_index(&index, ["rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", spec]).await?;
            let tree = format!("{}:{spec}", commit.from);
            let is_there = self.resolve_tree(&tree).await?;
            if is_there {
                let prefix = format!("--prefix={spec}/");
                self.with_index(&index, ["read-tree", &prefix, &tree]).await?;
            }
        }
        let tree = self.with_index(&index, ["write-tree"]).await?;
        let before = text(self.path(), ["rev-parse", &format!("{head}^{{tree}}")]).await?;
        if tree.trim() == before.trim() {
            return Ok(None);
        }
        let message = room.path().join("message");
        std::fs::write(&message, commit.message).map_err(GitError::Io)?;
        let new = self.commit_tree(tree.trim(), head, &message, commit.author).await?;
        let target = format!("{new}:{}", commit.branch);
        run(self.path(), ["push", "--quiet", remote, &target]).await?;
        Ok(Some(new))
    }

    async fn resolve_tree(&self, spec: &str) -> Result<bool, GitError> {
        match text(self.path(), ["rev-parse", "--verify", "--quiet", "--end-of-options", spec]).await {
            Ok(_) => Ok(true),
            Err(GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn with_index<'a>(&self, index: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, GitError> {
        let mut command = crate::git_command(self.path());
        command.env("GIT_INDEX_FILE", index).env("GIT_WORK_TREE", index.parent().unwrap_or(index)).args(arguments);
        finish(command).await
    }

    pub(crate) async fn commit_tree(&self, tree: &str, parent: CommitId, message: &Path, author: &Author) -> Result<CommitId, GitError> {
        let mut command = crate::git_command(self.path());
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), &author.name).env(format!("GIT_{role}_EMAIL"), &author.email);
        }
        command.args(["commit-tree", tree, "-p", &parent.to_string(), "-F"]).arg(message);
        let told = finish(command).await?;
        told.trim().parse().map_err(|_| GitError::Io(io::Error::other("git named no commit")))
    }
}

async fn finish(mut command: tokio::process::Command) -> Result<String, GitError> {
    let output = command.output().await.map_err(GitError::Io)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(GitError::Failed { command: "commit".to_owned(), message })
}
