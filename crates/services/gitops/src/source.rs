//! Finds the commit that a source means, and reads its files.

use std::{collections::HashMap, sync::{Arc, Mutex, PoisonError}};

use api::AppSource;
use files::MemoryFiles;
use names::{CommitId, ProjectName};
use repo::{GitError, Repository};
use sprig::{Constraint, Version};
use tokio::sync::OnceCell;

use crate::GitOps;

/// Trees that are kept in memory between looks.
const TREES_MAX: usize = 16;

/// Why a source gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("there is no repository `{0}` here")]
    NoRepository(String),
    #[error("`{revision}` is no branch, tag or commit of `{repository}`")]
    NoRevision { repository: String, revision: String },
    #[error("no tag of `{repository}` is a version in `{range}`")]
    NoTag { repository: String, range: String },
    #[error("`{repository}` cannot be read: {source}")]
    Git { repository: String, source: GitError },
    #[error(transparent)]
    Chart(#[from] charts::ChartError),
    #[error("the archive of the chart `{name}` cannot be used: {reason}")]
    Archive { name: String, reason: String },
}

/// A source at a commit.
#[derive(Clone)]
pub struct Found {
    /// `None` for a chart that comes by itself.
    pub repository: Option<Repository>,
    /// The files of such a chart.
    pub files: Option<Arc<MemoryFiles>>,
    pub commit: CommitId,
    pub subject: String,
    /// Seconds since 1970.
    pub time: i64,
    /// Its branch, if the source follows one.
    pub branch: Option<String>,
    /// `Some` for a repository of this installation.
    pub project: Option<ProjectName>,
    /// Why the foreign repository could not be asked, if what was fetched before is used.
    pub stale: Option<String>,
}

/// Whether a foreign repository is asked, or its copy is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    Ask,
    Known,
}

/// Trees by repository and commit.
type Known = HashMap<(String, CommitId), Arc<OnceCell<Arc<MemoryFiles>>>>;

/// Trees of commits, the latest used ones; many apps of one repository share one, and read it once.
#[derive(Clone, Default)]
pub struct Trees(Arc<Mutex<Known>>);

impl Trees {
    /// All files of a commit.
    pub async fn of(&self, source: &AppSource, found: &Found) -> Result<Arc<MemoryFiles>, SourceError> {
        if let Some(files) = &found.files {
            return Ok(files.clone());
        }
        let Some(repository) = &found.repository else { return Ok(Arc::default()) };
        let key = (source.repository.clone(), found.commit);
        let tree = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= TREES_MAX && !known.contains_key(&key) {
                known.clear();
            }
            known.entry(key).or_default().clone()
        };
        let read = || async { repository.snapshot(found.commit, "").await.map(Arc::new).map_err(|error| git(source, error)) };
        tree.get_or_try_init(read).await.cloned()
    }
}

fn git(source: &AppSource, error: GitError) -> SourceError {
    SourceError::Git { repository: shown(&source.repository), source: error }
}

/// An address without what stands before an `@`.
fn shown(address: &str) -> String {
    match address.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => address.to_owned(),
    }
}

/// Whether a source lies elsewhere, so that nobody tells when it changes.
pub fn is_foreign(source: &AppSource) -> bool {
    source.chart.is_some() || own_project(&source.repository).is_none()
}

/// The project that an address means: its name, or an address of this installation's Git host.
fn own_project(repository: &str) -> Option<ProjectName> {
    if let Ok(name) = repository.parse() {
        return Some(name);
    }
    let rest = repository.split_once("://").map(|(_, rest)| rest)?;
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let is_here = host.starts_with("127.0.0.1:") || host.starts_with("localhost:");
    let name = path.strip_prefix("git/")?.strip_suffix(".git")?;
    if is_here { name.parse().ok() } else { None }
}

impl GitOps {
    /// What a source means now; foreign ones are fetched.
    pub async fn find_source(&self, source: &AppSource, fresh: Fresh) -> Result<Found, SourceError> {
        if let Some(chart) = &source.chart {
            return self.find_chart(source, chart, fresh).await;
        }
        if let Some(project) = own_project(&source.repository) {
            let repository = self.repositories.find(&project).ok_or_else(|| SourceError::NoRepository(shown(&source.repository)))?;
            return self.at_revision(source, repository, Some(project)).await;
        }
        let known = self.mirrors.find(&source.repository);
        let (repository, stale) = match (fresh, known) {
            (Fresh::Known, Some(repository)) => (repository, None),
            (_, known) => match (self.mirrors.fetch(&source.repository).await, known) {
                (Ok(repository), _) => (repository, None),
                // What was fetched last is better than nothing, and the app says so.
                (Err(error), Some(repository)) => (repository, Some(git(source, error))),
                (Err(error), None) => return Err(git(source, error)),
            },
        };
        match (self.at_revision(source, repository, None).await, stale) {
            (Ok(found), stale) => Ok(Found { stale: stale.map(|error| error.to_string()), ..found }),
            // Nothing was ever fetched, so the first reason is the one that helps.
            (Err(_), Some(error)) | (Err(error), None) => Err(error),
        }
    }

    async fn at_revision(&self, source: &AppSource, repository: Repository, project: Option<ProjectName>) -> Result<Found, SourceError> {
        let wanted = source.revision.as_str();
        let mut branch = None;
        let names = match wanted {
            "HEAD" => vec![repository.head().await.map_err(|error| git(source, error))?],
            name if name.starts_with("refs/") => vec![name.to_owned()],
            name => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        };
        let mut commit = None;
        for name in names {
            commit = repository.resolve(&name).await.map_err(|error| git(source, error))?;
            if commit.is_some() {
                branch = name.starts_with("refs/heads/").then_some(name);
                break;
            }
        }
        if commit.is_none() {
            commit = repository.resolve_prefix(wanted).await.map_err(|error| git(source, error))?;
        }
        if commit.is_none() && let Some(range) = range_of(wanted) {
            let refs = repository.refs().await.map_err(|error| git(source, error))?;
            commit = newest_in(&range, refs.iter().filter_map(|(name, id)| Some((name.strip_prefix("refs/tags/")?, *id))));
            if commit.is_none() {
                return Err(SourceError::NoTag { repository: shown(&source.repository), range: wanted.to_owned() });
            }
        }
        let Some(commit) = commit else {
            return Err(SourceError::NoRevision { repository: shown(&source.repository), revision: wanted.to_owned() });
        };
        let subject = repository.summary(commit).await.map_err(|error| git(source, error))?.subject;
        let time = repository.time(commit).await.map_err(|error| git(source, error))?;
        Ok(Found { repository: Some(repository), files: None, commit, subject, time, branch, project, stale: None })
    }
}

/// A range of versions; a plain version or name is none.
pub fn range_of(text: &str) -> Option<Constraint> {
    let is_range = text.contains(['*', '^', '~', '<', '>', '=', '!', '|', ','])
        || text.contains(" - ")
        || text.split('.').any(|part| part.eq_ignore_ascii_case("x"));
    if is_range { text.parse().ok() } else { None }
}

/// What belongs to the highest version in a range.
pub fn newest_in<'a, T>(range: &Constraint, all: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    let versions = all.filter_map(|(name, found)| Some((name.parse::<Version>().ok()?, found)));
    versions.filter(|(version, _)| range.allows(version)).max_by(|left, right| left.0.cmp(&right.0)).map(|(_, found)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_repositories_are_known_by_name_and_by_address() {
        for (address, expected) in [
            ("shop", Some("shop")),
            ("http://landfall:secret@127.0.0.1:5000/git/shop.git", Some("shop")),
            ("https://git.example/shop.git", None),
        ] {
            assert_eq!(own_project(address).map(|it| it.to_string()).as_deref(), expected, "{address}");
        }
        let tags = ["v1.0.0", "v1.2.0", "1.10.1", "v2.0.0-rc.1", "latest"];
        for (range, expected) in [("^1.0.0", Some("1.10.1")), ("1.x", Some("1.10.1")), ("~1.2", Some("v1.2.0")), (">=2.0.0", None), (">=2.0.0-0", Some("v2.0.0-rc.1")), ("1.0 - 1.5", Some("v1.2.0"))] {
            let range = range_of(range).unwrap_or_else(|| panic!("`{range}` is a range"));
            assert_eq!(newest_in(&range, tags.into_iter().map(|it| (it, it))), expected);
        }
        for plain in ["main", "v1.2.0", "release/1.2", "0ab43f1"] {
            assert!(range_of(plain).is_none(), "{plain}");
        }
        assert_eq!(shown("https://user:secret@git.example/a.git"), "https://git.example/a.git");
    }
}
