//! Remembers what a render read, so that it need not run again while that stays the same.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{FileEntry, Files, FilesError};

/// What was asked of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Files that were read, with what was in them.
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// Folders that were listed, with what they showed.
    pub folders: BTreeMap<String, Vec<FileEntry>>,
    /// Files asked for that were not there.
    pub absent_files: BTreeSet<String>,
    /// Folders asked for that were not there.
    pub absent_folders: BTreeSet<String>,
}

impl Reads {
    /// Whether `files` would answer everything that was asked as it was answered then.
    pub fn still_hold(&self, files: &dyn Files) -> bool {
        let same_file =
            |path: &str, bytes: &[u8]| matches!(files.read(path), Ok(Some(it)) if *it == *bytes);
        self.files.iter().all(|(path, bytes)| same_file(path, bytes))
            && self
                .folders
                .iter()
                .all(|(path, seen)| matches!(files.list(path), Ok(Some(it)) if it == *seen))
            && self
                .absent_files
                .iter()
                .all(|path| matches!(files.read(path), Ok(None)))
            && self
                .absent_folders
                .iter()
                .all(|path| matches!(files.list(path), Ok(None)))
    }
}

/// A tree that remembers what is asked of it.
pub struct Recorded<'a> {
    inner: &'a dyn Files,
    reads: RefCell<Reads>,
}

impl<'a> Recorded<'a> {
    /// Watches over `inner`.
    pub fn new(inner: &'a dyn Files) -> Self {
        Self {
            inner,
            reads: RefCell::default(),
        }
    }

    /// What was asked so far.
    pub fn reads(&self) -> Reads {
        self.reads.borrow().clone()
    }

    /// What was asked, when nothing more will be.
    pub fn into_reads(self) -> Reads {
        self.reads.into_inner()
    }
}

impl Files for Recorded<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, FilesError> {
        let found = self.inner.read(path)?;
        let mut reads = self.reads.borrow_mut();
        match &found {
            Some(bytes) => {
                reads.files.insert(path.to_owned(), Arc::clone(bytes));
            }
            None => {
                reads.absent_files.insert(path.to_owned());
            }
        }
        Ok(found)
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<FileEntry>>, FilesError> {
        let found = self.inner.list(folder)?;
        let mut reads = self.reads.borrow_mut();
        match &found {
            Some(entries) => {
                reads.folders.insert(folder.to_owned(), entries.clone());
            }
            None => {
                reads.absent_folders.insert(folder.to_owned());
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    fn tree(files: &[(&str, &str)]) -> MemoryFiles {
        let mut tree = MemoryFiles::new();
        for (path, text) in files {
            tree.insert(*path, text.as_bytes()).expect("clean path");
        }
        tree
    }

    #[test]
    fn a_change_elsewhere_keeps_what_was_read() {
        let before = tree(&[("a/x", "1"), ("b/y", "1")]);
        let recorded = Recorded::new(&before);
        recorded.read("a/x").expect("read");
        recorded.read("a/none").expect("read");
        recorded.list("a").expect("list");
        recorded.list("c").expect("list");
        let reads = recorded.into_reads();

        let check = |files: &[(&str, &str)], expected: bool| {
            assert_eq!(reads.still_hold(&tree(files)), expected, "{files:?}");
        };
        check(&[("a/x", "1"), ("b/y", "2")], true);
        check(&[("a/x", "2"), ("b/y", "1")], false);
        check(&[("a/x", "1"), ("a/none", "")], false);
        check(&[("a/x", "1"), ("a/z", "")], false);
        check(&[("a/x", "1"), ("c/z", "")], false);
    }
}
