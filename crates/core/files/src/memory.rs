//! A tree of files held in memory.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::Arc,
};

use crate::{FileEntry, FileKind, Files, FilesError, path::is_clean};

/// Files in memory, by path; folders exist by what lies in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryFiles {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl MemoryFiles {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file, in place of one that was there.
    ///
    /// # Errors
    ///
    /// [`FilesError::OutsideRoot`] when the path is not clean, or is empty.
    pub fn insert(
        &mut self,
        path: impl Into<String>,
        bytes: impl Into<Arc<[u8]>>,
    ) -> Result<(), FilesError> {
        let path = path.into();
        if path.is_empty() || !is_clean(&path) {
            return Err(FilesError::OutsideRoot { path });
        }
        self.files.insert(path, bytes.into());
        Ok(())
    }

    /// Takes a file out.
    pub fn remove(&mut self, path: &str) -> Option<Arc<[u8]>> {
        self.files.remove(path)
    }

    /// All files in order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, FilesError> {
        refuse_unclean(path)?;
        Ok(self.files.get(path).cloned())
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<FileEntry>>, FilesError> {
        refuse_unclean(folder)?;
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let mut entries: BTreeMap<&str, FileKind> = BTreeMap::new();
        let below = self
            .files
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        for (path, _) in below {
            let Some(rest) = path.strip_prefix(&prefix) else {
                break;
            };
            match rest.split_once('/') {
                Some((name, _)) => entries.insert(name, FileKind::Folder),
                None => entries.insert(rest, FileKind::File),
            };
        }
        if entries.is_empty() && !folder.is_empty() {
            return Ok(None);
        }
        let entries = entries.into_iter().map(|(name, kind)| FileEntry {
            name: name.to_owned(),
            kind,
        });
        Ok(Some(entries.collect()))
    }
}

fn refuse_unclean(path: &str) -> Result<(), FilesError> {
    if is_clean(path) {
        return Ok(());
    }
    Err(FilesError::OutsideRoot {
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> MemoryFiles {
        let mut files = MemoryFiles::new();
        for path in ["Chart.yaml", "a.b", "a/x", "a/deep/y", "templates/t.yaml"] {
            files.insert(path, path.as_bytes()).expect("clean path");
        }
        files
    }

    fn check_list(folder: &str, expected: Option<&str>) {
        let listed = tree().list(folder).expect("clean path").map(|entries| {
            let show = |entry: &FileEntry| match entry.kind {
                FileKind::File => entry.name.clone(),
                FileKind::Folder => format!("{}/", entry.name),
            };
            entries.iter().map(show).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(listed.as_deref(), expected, "{folder}");
    }

    #[test]
    fn listing_shows_one_level() {
        check_list("", Some("Chart.yaml a/ a.b templates/"));
        check_list("a", Some("deep/ x"));
        check_list("a/x", None);
        check_list("missing", None);
    }

    #[test]
    fn paths_that_are_not_clean_are_refused() {
        for path in ["../x", "/x", "a//b", "a/./b", "a/"] {
            let error = tree().read(path).expect_err("not clean");
            let expected = FilesError::OutsideRoot {
                path: path.to_owned(),
            };
            assert_eq!(error, expected);
        }
    }
}
