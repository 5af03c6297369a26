//! Fetches repositories of actions and keeps their trees by commit.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::{Duration, Instant},
};

use names::Digest;
use repo::git_command;
use tokio::sync::Mutex;

/// A forge that gives no answer for this long is told as out of reach.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a version means is not asked again within this time: the jobs of a run see one commit.
const FRESH: Duration = Duration::from_secs(60);

/// Why an action could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("`{source_name}` cannot be reached: {reason}")]
    Unreachable { source_name: String, reason: String },
    #[error("`{source_name}` has no branch, tag or commit `{version}`")]
    NoVersion { source_name: String, version: String },
    #[error("the store of actions cannot be written: {0}")]
    Store(String),
}

/// The trees of all actions that were ever fetched, by commit.
pub struct Store {
    folder: PathBuf,
    /// One fetch per repository at a time.
    busy: StdMutex<HashMap<String, Arc<Mutex<()>>>>,
    resolved: StdMutex<HashMap<(String, String), (String, Instant)>>,
}

impl Store {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), busy: StdMutex::default(), resolved: StdMutex::default() }
    }

    fn repository(&self, source: &str) -> PathBuf {
        self.folder.join("git").join(short(source))
    }

    fn tree_path(&self, source: &str, commit: &str) -> PathBuf {
        self.folder.join("trees").join(format!("{commit}-{}", short(source)))
    }

    /// The tree of `commit`, if it was fetched before.
    pub fn known(&self, source: &str, commit: &str) -> Option<PathBuf> {
        Some(self.tree_path(source, commit)).filter(|it| it.is_dir())
    }

    /// The commit that `version` of the repository at `source` means now.
    pub async fn resolve(&self, source: &str, version: &str) -> Result<String, FetchError> {
        if is_commit(version) {
            return Ok(version.to_ascii_lowercase());
        }
        let key = (source.to_owned(), version.to_owned());
        let known = lock(&self.resolved).get(&key).cloned();
        if let Some((commit, _)) = known.filter(|(_, at)| at.elapsed() < FRESH) {
            return Ok(commit);
        }
        std::fs::create_dir_all(&self.folder).map_err(|error| FetchError::Store(error.to_string()))?;
        let (tag, branch) = (format!("refs/tags/{version}"), format!("refs/heads/{version}"));
        let peeled = format!("{tag}^{{}}");
        let told = git(&self.folder, source, &["ls-remote", "--", source, &branch, &tag, &peeled]).await?;
        let find = |wanted: &str| {
            let lines = told.lines().filter_map(|line| line.split_once('\t'));
            lines.filter(|(_, name)| *name == wanted).map(|(commit, _)| commit.to_owned()).next()
        };
        // A tag wins over a branch of the same name, and what it points to over itself.
        let commit = find(&peeled).or_else(|| find(&tag)).or_else(|| find(&branch));
        let missing = || FetchError::NoVersion { source_name: source.to_owned(), version: version.to_owned() };
        let commit = commit.ok_or_else(missing)?;
        lock(&self.resolved).insert(key, (commit.clone(), Instant::now()));
        Ok(commit)
    }

    /// The folder with the files of `commit`, fetched unless it is here.
    pub async fn tree(&self, source: &str, version: &str, commit: &str) -> Result<PathBuf, FetchError> {
        let busy = lock(&self.busy).entry(source.to_owned()).or_default().clone();
        let _alone = busy.lock().await;
        if let Some(tree) = self.known(source, commit) {
            return Ok(tree);
        }
        let stored = |error: std::io::Error| FetchError::Store(error.to_string());
        let repository = self.repository(source);
        if !repository.join("HEAD").is_file() {
            std::fs::create_dir_all(&repository).map_err(stored)?;
            git(&repository, source, &["init", "--quiet", "--bare", "--template="]).await?;
        }
        let depth = ["fetch", "--quiet", "--no-tags", "--depth=1", "--", source, commit];
        if git(&repository, source, &depth).await.is_err() {
            // Some servers give only what a name points to.
            let by_name = ["fetch", "--quiet", "--no-tags", "--", source, version];
            let all = ["fetch", "--quiet", "--no-tags", "--", source, "+refs/*:refs/kept/*"];
            if is_commit(version) || git(&repository, source, &by_name).await.is_err() {
                git(&repository, source, &all).await?;
            }
        }
        let missing = || FetchError::NoVersion { source_name: source.to_owned(), version: version.to_owned() };
        let object = format!("{commit}^{{commit}}");
        git(&repository, source, &["cat-file", "-e", &object]).await.map_err(|_| missing())?;
        let tree = self.tree_path(source, commit);
        let draft = tree.with_extension("draft");
        let _ = std::fs::remove_dir_all(&draft);
        std::fs::create_dir_all(&draft).map_err(stored)?;
        let work = format!("--work-tree={}", draft.display());
        git(&repository, source, &[&work, "read-tree", commit]).await?;
        git(&repository, source, &[&work, "checkout-index", "--all", "--force"]).await?;
        std::fs::rename(&draft, &tree).map_err(stored)?;
        Ok(tree)
    }
}

async fn git(folder: &Path, source: &str, arguments: &[&str]) -> Result<String, FetchError> {
    let failed = |reason: String| FetchError::Unreachable { source_name: shown(source), reason };
    let mut command = git_command(folder);
    // What a fetched repository holds must run nothing here.
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never"]);
    command.args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=30", "-c", "core.symlinks=true"]);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::time::timeout(PATIENCE, command.output());
    let output = match output.await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed(format!("`git` cannot be run: {error}"))),
        Err(_) => return Err(failed(format!("no answer within {} seconds", PATIENCE.as_secs()))),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let line = told.lines().find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let line = line.or_else(|| told.lines().next()).unwrap_or("git says nothing");
    Err(failed(line.trim_start_matches("fatal: ").trim_start_matches("error: ").to_owned()))
}

/// An address without the password that may stand in it.
fn shown(source: &str) -> String {
    match source.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => source.to_owned(),
    }
}

/// Sixteen hex digits keep all sources apart.
fn short(source: &str) -> String {
    Digest::of(source.as_bytes()).hex().chars().take(16).collect()
}

/// A full commit id; nothing can move it.
pub fn is_commit(version: &str) -> bool {
    version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn lock<T>(mutex: &StdMutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
