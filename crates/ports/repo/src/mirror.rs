//! Copies of repositories that lie elsewhere.

use std::path::PathBuf;

use names::Digest;

use crate::{GitError, Repository, command::run};

/// A folder of mirrors, one per address.
#[derive(Clone, Debug)]
pub struct Mirrors {
    folder: PathBuf,
}

impl Mirrors {
    /// Uses `folder`, making it if it is not there.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, GitError> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(GitError::Io)?;
        Ok(Self { folder })
    }

    /// The mirror of `address` as it was fetched last, if it was.
    pub fn find(&self, address: &str) -> Option<Repository> {
        let path = self.path(address);
        path.join("HEAD").is_file().then_some(Repository { path })
    }

    /// Brings the mirror of `address` up to date.
    ///
    /// # Errors
    ///
    /// Git's own words when the address cannot be reached; credentials in it are not repeated.
    pub async fn fetch(&self, address: &str) -> Result<Repository, GitError> {
        let path = self.path(address);
        if !path.join("HEAD").is_file() {
            let draft = path.with_extension("draft");
            if draft.exists() {
                std::fs::remove_dir_all(&draft).map_err(GitError::Io)?;
            }
            let text = draft.to_string_lossy().into_owned();
            run(&self.folder, ["init", "--quiet", "--bare", &text]).await?;
            run(&draft, ["config", "gc.auto", "0"]).await?;
            std::fs::rename(&draft, &path).map_err(GitError::Io)?;
        }
        let repository = Repository { path };
        repository.become_copy_of(address).await?;
        Ok(repository)
    }

    fn path(&self, address: &str) -> PathBuf {
        self.folder.join(format!("{}.git", Digest::of(address.as_bytes()).hex()))
    }
}

impl Repository {
    /// Brings all refs, and the branch that `HEAD` means, to what they are at `address`.
    ///
    /// # Errors
    ///
    /// Git's own words when the address cannot be reached; credentials in it are not repeated.
    pub async fn become_copy_of(&self, address: &str) -> Result<(), GitError> {
        let fetched = run(&self.path, ["fetch", "--quiet", "--prune", "--no-write-fetch-head", "--", address, "+refs/*:refs/*"]).await;
        fetched.map_err(|error| hide(error, address))?;
        // The branch that `HEAD` means is told by the remote alone.
        let told = crate::command::text(&self.path, ["ls-remote", "--symref", "--", address, "HEAD"]).await.map_err(|error| hide(error, address))?;
        let head = told.lines().find_map(|line| line.strip_prefix("ref: ")?.split_whitespace().next());
        if let Some(head) = head.filter(|head| head.starts_with("refs/heads/")) {
            run(&self.path, ["symbolic-ref", "HEAD", head]).await?;
        }
        Ok(())
    }
}

/// Takes a password out of what Git says about an address.
fn hide(error: GitError, address: &str) -> GitError {
    let Some((user, _)) = address.split_once("://").and_then(|(_, rest)| rest.split_once('@')) else { return error };
    match error {
        GitError::Failed { command, message } => GitError::Failed { command, message: message.replace(&format!("{user}@"), "") },
        other => other,
    }
}
