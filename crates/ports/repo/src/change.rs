//! Writes a commit that changes single files, made beside the repository and pushed.

use names::CommitId;

use crate::{
    Author, GitError, Repository,
    command::{run, text},
};

/// A commit that gives files a new content.
#[derive(Clone, Debug)]
pub struct FileChange<'a> {
    pub author: &'a Author,
    pub message: &'a str,
    /// Where it goes, e.g. `refs/heads/main`.
    pub branch: &'a str,
    /// Paths from the top of the repository.
    pub files: &'a [(String, Vec<u8>)],
}

impl Repository {
    /// Writes a commit on top of `head` in which the files have these contents, and pushes it to `remote`.
    ///
    /// # Errors
    ///
    /// Also when the branch has moved on from `head`; then nothing is written.
    pub async fn change(&self, remote: &str, head: CommitId, change: &FileChange<'_>) -> Result<CommitId, GitError> {
        let room = tempfile::tempdir().map_err(GitError::Io)?;
        let index = room.path().join("index");
        self.with_index(&index, ["read-tree", &head.to_string()]).await?;
        for (number, (path, content)) in change.files.iter().enumerate() {
            let file = room.path().join(number.to_string());
            std::fs::write(&file, content).map_err(GitError::Io)?;
            let name = file.to_string_lossy();
            let blob = text(self.path(), ["hash-object", "-w", "--", &name]).await?;
            let entry = format!("100644,{},{path}", blob.trim());
            self.with_index(&index, ["update-index", "--add", "--cacheinfo", &entry]).await?;
        }
        let tree = self.with_index(&index, ["write-tree"]).await?;
        let message = room.path().join("message");
        std::fs::write(&message, change.message).map_err(GitError::Io)?;
        let new = self.commit_tree(tree.trim(), head, &message, change.author).await?;
        // Not forced: a branch that moved on refuses a commit beside it.
        run(self.path(), ["push", "--quiet", remote, &format!("{new}:{}", change.branch)]).await?;
        Ok(new)
    }
}
