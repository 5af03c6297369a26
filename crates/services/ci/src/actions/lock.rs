//! The lock file of actions: which commit each version meant when it was last fetched.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use names::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of one `owner/name@version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    pub commit: String,
    /// Where it was fetched from.
    pub source: String,
    /// When the version was first seen to mean this commit.
    pub since: Timestamp,
    /// What it meant before, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
}

/// What a new finding means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    New,
    Same,
    /// The version meant another commit before.
    Moved { before: String, since: Timestamp },
}

/// The file with all entries, sorted by name, so that it reads well in a diff.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    entries: Mutex<BTreeMap<String, Locked>>,
}

impl LockFile {
    /// Reads the file; a file that is not there or not readable holds nothing.
    pub fn open(path: &Path) -> Self {
        let entries = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { path: path.to_owned(), entries: Mutex::new(entries.unwrap_or_default()) }
    }

    pub fn get(&self, name: &str) -> Option<Locked> {
        self.lock().get(name).cloned()
    }

    /// Notes that `name` means `commit`, and tells what it meant before.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; the finding is known in memory all the same.
    pub fn note(&self, name: &str, source: &str, commit: &str, now: Timestamp) -> io::Result<Finding> {
        let mut entries = self.lock();
        let mut before = Vec::new();
        let mut finding = Finding::New;
        if let Some(known) = entries.get(name).filter(|known| known.source == source) {
            if known.commit == commit {
                return Ok(Finding::Same);
            }
            before.clone_from(&known.before);
            before.push(known.commit.clone());
            finding = Finding::Moved { before: known.commit.clone(), since: known.since };
        }
        let locked = Locked { commit: commit.to_owned(), source: source.to_owned(), since: now, before };
        entries.insert(name.to_owned(), locked);
        let text = serde_json::to_vec_pretty(&*entries)?;
        let draft = self.path.with_extension("draft");
        std::fs::write(&draft, text)?;
        std::fs::rename(&draft, &self.path)?;
        Ok(finding)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Locked>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_moves_is_told_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock.json");
        let (first, later) = (Timestamp::from_micros(1), Timestamp::from_micros(2));
        let lock = LockFile::open(&path);
        let note = |lock: &LockFile, commit: &str, now| lock.note("a/b@v1", "https://x", commit, now).expect("note");
        assert_eq!(note(&lock, "aaa", first), Finding::New);
        assert_eq!(note(&lock, "aaa", later), Finding::Same);
        let lock = LockFile::open(&path);
        assert_eq!(note(&lock, "bbb", later), Finding::Moved { before: "aaa".to_owned(), since: first });
        assert_eq!(note(&lock, "bbb", later), Finding::Same);
        let locked = lock.get("a/b@v1").expect("an entry");
        assert_eq!((locked.commit.as_str(), locked.before), ("bbb", vec!["aaa".to_owned()]));
    }
}
