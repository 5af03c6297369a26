//! Makes actions ready: finds them, fetches them, notes their commits, and puts them where the job sees them.

mod fetch;
mod lock;
mod sources;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use repo::Repositories;
use workflow::{ActionHome, ActionRef, PreparedAction};

use crate::{beneath, native, place::JobPlace};
use fetch::{FetchError, Store};
use lock::{Finding, LockFile};
pub use sources::ActionSources;
use sources::Source;

/// No `action.yml` of a person is as large as this.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

/// An action with more files than this is no action.
const FILES_MAX: usize = 200_000;

/// What an action without `action.yml` is.
const DOCKERFILE_ONLY: &str = "runs: {using: docker, image: Dockerfile}\n";

/// The actions that were fetched, and the rules by which others are.
#[derive(Clone)]
pub struct Actions {
    sources: Arc<ActionSources>,
    store: Arc<Store>,
    lock: Arc<LockFile>,
    repositories: Repositories,
}

/// An action that is ready, and what the log of the job says about it.
pub struct Ready {
    pub action: PreparedAction,
    pub told: String,
    /// A version that moved, an answer from the store because the source is away.
    pub warning: Option<String>,
}

/// Files of one commit of one repository.
struct Fetched {
    folder: PathBuf,
    commit: Option<String>,
    warning: Option<String>,
}

impl Actions {
    pub fn new(folder: &Path, sources: ActionSources, repositories: Repositories) -> Self {
        Self {
            sources: Arc::new(sources),
            store: Arc::new(Store::new(folder)),
            lock: Arc::new(LockFile::open(&folder.join("lock.json"))),
            repositories,
        }
    }

    /// Where other repositories lie, e.g. `https://github.com`.
    pub fn forge(&self) -> &str {
        &self.sources.server
    }

    /// Whether Landfall answers `action` itself.
    pub fn native(&self, action: &ActionRef) -> Option<String> {
        native::manifest(&action.name()).filter(|_| !self.sources.names(&action.repository))
    }

    /// Makes one action ready for a job; the error names the ways out.
    pub async fn prepare(&self, place: &JobPlace, action: &ActionRef) -> Result<Ready, String> {
        if let Some(manifest) = self.native(action) {
            let told = format!("Action '{action}' is answered by Landfall");
            let action = PreparedAction { manifest, home: ActionHome::Native, commit: None };
            return Ok(Ready { action, told, warning: None });
        }
        let fetched = self.fetch(action).await?;
        let sub = action.path.clone().unwrap_or_default();
        let manifest = manifest_in(&fetched.folder, &sub).map_err(|why| format!("`{action}`: {why}"))?;
        let below = format!("{}/{}", action.repository.to_lowercase(), plain(&action.version));
        let (from, to) = (fetched.folder.clone(), place.folder.join("actions").join(&below));
        let copied = tokio::task::spawn_blocking(move || copy_whole(&from, &to)).await;
        copied.map_err(io::Error::other).and_then(|it| it).map_err(|error| format!("`{action}` cannot be copied: {error}"))?;
        let folder = [place.actions.as_str(), &below, &sub].into_iter().filter(|it| !it.is_empty());
        let home = ActionHome::Folder(folder.collect::<Vec<_>>().join("/"));
        let commit = fetched.commit.as_deref().unwrap_or("a local folder");
        let told = format!("Download action repository '{action}' (SHA:{commit})");
        let action = PreparedAction { manifest, home, commit: fetched.commit };
        Ok(Ready { action, told, warning: fetched.warning })
    }

    /// The text of a file of another repository at a version, and the commit that the version means.
    pub async fn file(&self, reference: &ActionRef) -> Result<(String, String), String> {
        let fetched = self.fetch(reference).await?;
        let path = reference.path.clone().unwrap_or_default();
        let text = beneath::read(&fetched.folder, Path::new(&path), MANIFEST_BYTES_MAX);
        let text = text.map_err(|error| format!("`{reference}`: {error}"))?;
        if text.is_empty() {
            return Err(format!("`{reference}`: there is no file `{path}` at this version"));
        }
        Ok((text, fetched.commit.unwrap_or_default()))
    }

    async fn fetch(&self, action: &ActionRef) -> Result<Fetched, String> {
        let source = match self.sources.find(&action.repository) {
            Source::Folder(folder) if folder.is_dir() => return Ok(Fetched { folder, commit: None, warning: None }),
            Source::Folder(folder) => {
                return Err(format!("`{action}`: the folder `{}` of the `actions` map is not there", folder.display()));
            }
            Source::Git(url) => url,
            Source::Own(project) => match self.repositories.find(&project) {
                Some(repository) => repository.path().display().to_string(),
                None => return Err(format!("`{action}`: this server has no project `{project}`")),
            },
        };
        let name = format!("{}@{}", action.repository.to_lowercase(), action.version);
        match self.fetch_from(&source, &action.version, &name).await {
            Ok(fetched) => Ok(fetched),
            Err(error) => self.kept(&source, &name, &error).ok_or_else(|| refusal(action, &error)),
        }
    }

    async fn fetch_from(&self, source: &str, version: &str, name: &str) -> Result<Fetched, FetchError> {
        let commit = self.store.resolve(source, version).await?;
        let folder = self.store.tree(source, version, &commit).await?;
        let warning = match self.lock.note(name, source, &commit, store::now()) {
            Ok(Finding::Moved { before, since }) if !fetch::is_commit(version) => Some(format!(
                "`{name}` means another commit than before: {} since now, {} since {since}; pin a commit if that must not happen",
                brief(&commit),
                brief(&before),
            )),
            Ok(_) => None,
            Err(error) => Some(format!("the lock file of actions cannot be written: {error}")),
        };
        Ok(Fetched { folder, commit: Some(commit), warning })
    }

    /// What was fetched before, when the source is away.
    fn kept(&self, source: &str, name: &str, error: &FetchError) -> Option<Fetched> {
        if !matches!(error, FetchError::Unreachable { .. }) {
            return None;
        }
        let locked = self.lock.get(name).filter(|it| it.source == source)?;
        let folder = self.store.known(source, &locked.commit)?;
        let warning = format!("`{name}` is taken as it was on {}, commit {}: {error}", locked.since, brief(&locked.commit));
        Some(Fetched { folder, commit: Some(locked.commit), warning: Some(warning) })
    }
}

fn brief(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// Why an action cannot be had, with the ways out.
fn refusal(action: &ActionRef, error: &FetchError) -> String {
    match error {
        FetchError::Unreachable { .. } => format!(
            "`{action}` cannot be fetched: {error}. Name a folder or a mirror for `{}` (or for `*`) in the `actions` map of the configuration, or push it here as a project and use `landfall/NAME@VERSION`",
            action.repository
        ),
        FetchError::NoVersion { .. } | FetchError::Store(_) => format!("`{action}` cannot be fetched: {error}"),
    }
}

/// Reads the action in a folder of the workspace, `./build` or `./`.
pub fn load_local(place: &JobPlace, path: &str) -> Result<PreparedAction, String> {
    let relative = path.trim_start_matches("./").trim_end_matches('/');
    let relative = relative.strip_prefix('.').filter(|it| it.is_empty()).unwrap_or(relative);
    let workspace = place.workspace();
    let manifest = manifest_in(&workspace, relative).map_err(|why| {
        let folder = format!("{}/{relative}", place.place.workspace);
        format!("`{path}`: {why} in `{}`; was the repository checked out before?", folder.trim_end_matches('/'))
    })?;
    let seen = &place.place.workspace;
    let folder = if relative.is_empty() { seen.clone() } else { format!("{seen}/{relative}") };
    Ok(PreparedAction { manifest, home: ActionHome::Folder(folder), commit: None })
}

fn manifest_in(root: &Path, sub: &str) -> Result<String, String> {
    for name in ["action.yml", "action.yaml"] {
        let path = Path::new(sub).join(name);
        match beneath::read(root, &path, MANIFEST_BYTES_MAX) {
            Ok(text) if text.is_empty() => {}
            Ok(text) => return Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("`{}` cannot be read: {error}", path.display())),
        }
    }
    let dockerfile = beneath::read(root, &Path::new(sub).join("Dockerfile"), MANIFEST_BYTES_MAX);
    if dockerfile.is_ok_and(|text| !text.is_empty()) {
        return Ok(DOCKERFILE_ONLY.to_owned());
    }
    Err("there is no `action.yml`, `action.yaml` or `Dockerfile`".to_owned())
}

/// A version as a folder name.
fn plain(version: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let text: String = version.chars().map(plain).collect();
    if text.chars().all(|c| c == '.') { format!("v{text}") } else { text }
}

/// Copies a folder unless it is there; a copy that a crash cut off is made anew.
fn copy_whole(from: &Path, to: &Path) -> io::Result<()> {
    if to.is_dir() {
        return Ok(());
    }
    let draft = PathBuf::from(format!("{}.draft", to.display()));
    match std::fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut left = FILES_MAX;
    copy_folder(from, &draft, &mut left)?;
    std::fs::rename(&draft, to)
}

fn copy_folder(from: &Path, to: &Path, left: &mut usize) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other(format!("more than {FILES_MAX} files")))?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        } else if kind.is_dir() {
            if entry.file_name() != ".git" {
                copy_folder(&entry.path(), &target, left)?;
            }
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_what_it_is() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("write");
        };
        write("a/action.yaml", "name: a");
        write("b/Dockerfile", "FROM scratch");
        write("c/README.md", "nothing");
        assert_eq!(manifest_in(root.path(), "a").as_deref(), Ok("name: a"));
        assert_eq!(manifest_in(root.path(), "b").as_deref(), Ok(DOCKERFILE_ONLY));
        assert!(manifest_in(root.path(), "c").is_err());
        assert!(manifest_in(root.path(), "../x").is_err());
    }

    #[test]
    fn versions_are_safe_as_folders() {
        assert_eq!(plain("feature/x"), "feature-x");
        assert_eq!(plain(".."), "v..");
        assert_eq!(plain("v4.1"), "v4.1");
    }
}
