//! Reading Git: bare repositories, their commits, trees, files and diffs.
//!
//! The system's `git` does the work. It runs without the user's configuration,
//! so that nothing on the machine changes what Landfall reads.

mod change;
mod command;
mod mirror;
mod snapshot;
mod write;

use std::path::{Path, PathBuf};

use names::{CommitId, ProjectName};

pub use change::FileChange;
pub use command::{GitError, git_command};
pub use mirror::Mirrors;
pub use write::{Author, NewCommit};
use command::{run, text};

/// More changed paths than this are not listed; workflows with path filters run then.
const CHANGED_PATHS_MAX: usize = 10_000;

/// No more files of a commit are read at once: a repository with more manifests is checked in part.
const FILES_READ_MAX: usize = 200;

/// Files larger than this are not read as configuration.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A folder of bare repositories, one per project.
#[derive(Clone, Debug)]
pub struct Repositories {
    folder: PathBuf,
}

/// One bare repository.
#[derive(Clone, Debug)]
pub struct Repository {
    path: PathBuf,
}

/// What people want to know of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSummary {
    pub id: CommitId,
    /// The first line of its message.
    pub subject: String,
    pub message: String,
    pub author: String,
    pub author_email: String,
}

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// From the top of the repository.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl Repositories {
    /// Uses `folder`, making it if it is not there.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, GitError> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(GitError::Io)?;
        Ok(Self { folder })
    }

    /// The repository of `project`, if it has one.
    pub fn find(&self, project: &ProjectName) -> Option<Repository> {
        let path = self.path(project);
        path.join("HEAD").is_file().then_some(Repository { path })
    }

    /// The repository of `project`, made if it is not there.
    pub async fn create(&self, project: &ProjectName) -> Result<Repository, GitError> {
        if let Some(found) = self.find(project) {
            return Ok(found);
        }
        // Made beside and renamed, so that a crash leaves no half repository under its name.
        let path = self.path(project);
        let draft = self.folder.join(format!(".{project}.draft"));
        match std::fs::remove_dir_all(&draft) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(GitError::Io(error));
            }
            _ => {}
        }
        let draft_text = draft.to_string_lossy().into_owned();
        run(&self.folder, ["init", "--quiet", "--bare", "--initial-branch=main", &draft_text]).await?;
        for (key, value) in [
            // What a pusher was told is there must be there after a power cut.
            ("core.fsync", "all"),
            ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowReachableSHA1InWant", "true"),
            ("receive.fsckObjects", "true"),
            ("transfer.hideRefs", "refs/landfall"),
            ("gc.auto", "0"),
        ] {
            run(&draft, ["config", key, value]).await?;
        }
        match std::fs::rename(&draft, &path) {
            Ok(()) => {}
            // Two first pushes at once: the other one made it.
            Err(_) if path.join("HEAD").is_file() => {
                std::fs::remove_dir_all(&draft).map_err(GitError::Io)?;
            }
            Err(error) => return Err(GitError::Io(error)),
        }
        Ok(Repository { path })
    }

    /// The projects that have a repository, sorted.
    pub fn projects(&self) -> Result<Vec<ProjectName>, GitError> {
        let mut projects = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(GitError::Io)? {
            let name = entry.map_err(GitError::Io)?.file_name();
            let name = name.to_string_lossy();
            if let Some(project) = name.strip_suffix(".git").and_then(|name| name.parse().ok()) {
                projects.push(project);
            }
        }
        projects.sort();
        Ok(projects)
    }

    fn path(&self, project: &ProjectName) -> PathBuf {
        self.folder.join(format!("{project}.git"))
    }
}

impl Repository {
    /// The repository in a folder, bare or with a work tree.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All branches and tags with the commits they name; annotated tags are followed.
    pub async fn refs(&self) -> Result<Vec<(String, CommitId)>, GitError> {
        let format = "--format=%(refname) %(objectname) %(*objectname)";
        let listed = text(&self.path, ["for-each-ref", format, "refs/heads", "refs/tags"]).await?;
        let parsed = listed.lines().filter_map(|line| {
            let mut words = line.split(' ');
            let (name, object, peeled) = (words.next()?, words.next()?, words.next());
            let commit = peeled.filter(|it| !it.is_empty()).unwrap_or(object);
            Some((name.to_owned(), commit.parse().ok()?))
        });
        Ok(parsed.collect())
    }

    /// The object that a full ref name names, if it is there.
    pub async fn resolve(&self, git_ref: &str) -> Result<Option<CommitId>, GitError> {
        let spec = format!("{git_ref}^{{commit}}");
        match text(&self.path, ["rev-parse", "--verify", "--quiet", "--end-of-options", &spec]).await {
            Ok(found) => Ok(found.trim().parse().ok()),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a branch or a tag leads to `commit`; a commit that is not here has none.
    pub async fn leads_to(&self, commit: CommitId) -> Result<bool, GitError> {
        let contains = format!("--contains={commit}");
        match text(&self.path, ["for-each-ref", "--count=1", &contains, "refs/heads", "refs/tags"]).await {
            Ok(found) => Ok(!found.trim().is_empty()),
            Err(GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The full id of the commit that begins with `prefix`, if there is exactly one.
    pub async fn resolve_prefix(&self, prefix: &str) -> Result<Option<CommitId>, GitError> {
        if prefix.len() < 4 || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        self.resolve(prefix).await
    }

    /// Makes `git_ref` the branch that a clone checks out.
    pub async fn set_head(&self, git_ref: &str) -> Result<(), GitError> {
        run(&self.path, ["symbolic-ref", "HEAD", git_ref]).await
    }

    /// The branch that a clone checks out, e.g. `refs/heads/main`.
    pub async fn head(&self) -> Result<String, GitError> {
        Ok(text(&self.path, ["symbolic-ref", "HEAD"]).await?.trim().to_owned())
    }

    pub async fn summary(&self, commit: CommitId) -> Result<CommitSummary, GitError> {
        let id = commit.to_string();
        let told = text(&self.path, ["log", "-1", "--format=%an%n%ae%n%B", &id]).await?;
        let mut lines = told.splitn(3, '\n');
        let mut next = || lines.next().unwrap_or_default().to_owned();
        let (author, author_email, message) = (next(), next(), next());
        let subject = message.lines().next().unwrap_or_default().to_owned();
        Ok(CommitSummary { id: commit, subject, message: message.trim_end().to_owned(), author, author_email })
    }

    /// When the commit was made, in seconds since 1970.
    pub async fn time(&self, commit: CommitId) -> Result<i64, GitError> {
        let told = text(&self.path, ["log", "-1", "--format=%ct", &commit.to_string()]).await?;
        Ok(told.trim().parse().unwrap_or_default())
    }

    /// The files directly in `folder` at `commit`; none if there is no such folder.
    pub async fn files_in(&self, commit: CommitId, folder: &str) -> Result<Vec<File>, GitError> {
        let (id, folder) = (commit.to_string(), format!("{}/", folder.trim_end_matches('/')));
        let listed = text(&self.path, ["ls-tree", "-z", "-l", &id, "--", &folder]).await?;
        let mut files = Vec::new();
        for entry in listed.split('\0').filter(|entry| !entry.is_empty()) {
            let Some((facts, path)) = entry.split_once('\t') else { continue };
            let facts: Vec<_> = facts.split_whitespace().collect();
            let [_, "blob", _, size] = facts[..] else { continue };
            if size.parse().unwrap_or(u64::MAX) > FILE_BYTES_MAX {
                return Err(GitError::TooLarge { path: path.to_owned(), limit_bytes: FILE_BYTES_MAX });
            }
            if let Some(bytes) = self.file(commit, path).await? {
                files.push(File { path: path.to_owned(), bytes });
            }
        }
        Ok(files)
    }

    /// The paths of all files at `commit`, with the content of those that `wanted` names.
    ///
    /// Files beyond a number or a size that no configuration has are told by path alone.
    pub async fn tree(
        &self,
        commit: CommitId,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, GitError> {
        let id = commit.to_string();
        let listed = text(&self.path, ["ls-tree", "-r", "-z", "-l", &id]).await?;
        let mut files = Vec::new();
        let mut read = 0;
        for entry in listed.split('\0').filter(|entry| !entry.is_empty()) {
            let Some((facts, path)) = entry.split_once('\t') else { continue };
            let facts: Vec<_> = facts.split_whitespace().collect();
            let [_, "blob", _, size] = facts[..] else { continue };
            let small = size.parse().unwrap_or(u64::MAX) <= FILE_BYTES_MAX;
            let content = if small && read < FILES_READ_MAX && wanted(path) {
                read += 1;
                self.file(commit, path).await?
            } else {
                None
            };
            files.push((path.to_owned(), content));
        }
        Ok(files)
    }

    /// Every file and submodule at `commit`: its path, and its mode with the id of its content, sorted by path.
    pub async fn entries(&self, commit: CommitId) -> Result<Vec<(String, String)>, GitError> {
        let id = commit.to_string();
        let listed = text(&self.path, ["ls-tree", "-r", "-z", &id]).await?;
        let mut entries = Vec::new();
        for entry in listed.split('\0').filter(|entry| !entry.is_empty()) {
            let Some((facts, path)) = entry.split_once('\t') else { continue };
            let facts: Vec<_> = facts.split_whitespace().collect();
            if let [mode, _, content] = facts[..] {
                entries.push((path.to_owned(), format!("{mode} {content}")));
            }
        }
        entries.sort();
        Ok(entries)
    }

    /// One file at `commit`, if it is there.
    pub async fn file(&self, commit: CommitId, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        let spec = format!("{commit}:{path}");
        match command::output(&self.path, ["cat-file", "blob", &spec]).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The paths that differ between two commits; for a new ref, those of `after` and its parent.
    ///
    /// `None` when there are too many to tell, or nothing to compare with.
    pub async fn changed_paths(
        &self,
        before: CommitId,
        after: CommitId,
    ) -> Result<Option<Vec<String>>, GitError> {
        let to = after.to_string();
        let from = if before.is_zero() { format!("{to}^") } else { before.to_string() };
        let listed = text(&self.path, ["diff", "--name-only", "--no-renames", "-z", &from, &to]).await;
        let listed = match listed {
            Ok(listed) => listed,
            // A first commit has no parent: all its files are new.
            Err(GitError::Failed { .. }) if before.is_zero() => {
                text(&self.path, ["ls-tree", "-r", "-z", "--name-only", &to]).await?
            }
            // After a forced push the old commit may be gone.
            Err(GitError::Failed { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let paths: Vec<_> =
            listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        Ok((paths.len() <= CHANGED_PATHS_MAX).then_some(paths))
    }
}

#[cfg(test)]
mod tests;
