//! Reads of a repository that the interface needs besides those of the port.

use std::process::Stdio;

use names::CommitId;
use repo::{GitError, Repository, git_command};

use tokio::io::AsyncReadExt as _;

use super::{Ask, answer::Problem};

/// Larger answers of Git are no answers for a client, e.g. a tree of a million files.
const OUTPUT_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The repository that is asked about.
pub fn repository(ask: &Ask<'_>) -> Result<Repository, Problem> {
    ask.toolkit.repositories.find(&ask.project).ok_or_else(Problem::not_found)
}

/// What `git` writes. A failure means that what the caller named is not there.
pub async fn output(repository: &Repository, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
    let name = || arguments.first().copied().unwrap_or_default().to_owned();
    let mut command = git_command(repository.path());
    // What Git says of a missing name helps nobody here.
    let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(GitError::Io)?;
    let mut written = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut written).await.map_err(GitError::Io)?;
    }
    if written.len() as u64 > OUTPUT_BYTES_MAX {
        // The process ends when it is dropped.
        return Err(GitError::TooLarge { path: name(), limit_bytes: OUTPUT_BYTES_MAX });
    }
    let status = child.wait().await.map_err(GitError::Io)?;
    if status.success() {
        return Ok(written);
    }
    Err(GitError::Failed { command: name(), message: status.to_string() })
}

pub async fn text(repository: &Repository, arguments: &[&str]) -> Result<String, GitError> {
    Ok(String::from_utf8_lossy(&output(repository, arguments).await?).into_owned())
}

/// The commit that a caller names: a branch, a tag, a full ref or the beginning of an id.
///
/// Nothing else of Git's language for revisions is understood, so no name leads elsewhere.
pub async fn commit(repository: &Repository, name: &str) -> Result<CommitId, Problem> {
    let candidates = match name {
        "" | "HEAD" => vec![repository.head().await?],
        full if full.starts_with("refs/") => vec![full.to_owned()],
        short => ["refs/heads/", "refs/tags/", "refs/"].map(|prefix| format!("{prefix}{short}")).into(),
    };
    let shown = |name: &String| ["refs/heads/", "refs/tags/", "refs/pull/"].iter().any(|prefix| name.starts_with(prefix));
    for candidate in candidates.iter().filter(|name| shown(name) && is_plain(name)) {
        if let Some(commit) = repository.resolve(candidate).await? {
            return Ok(commit);
        }
    }
    repository.resolve_prefix(name).await?.ok_or_else(Problem::not_found)
}

/// What Git allows in the name of a ref.
fn is_plain(name: &str) -> bool {
    !name.contains("..") && !name.contains("@{") && name.chars().all(|c| !c.is_control() && !" ~^:?*[\\".contains(c))
}

/// The id of any object, in full.
pub fn object(name: &str) -> Result<&str, Problem> {
    let is_id = name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(name).ok_or_else(Problem::not_found)
}
