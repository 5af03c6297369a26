//! A tree of files as rendering sees it: paths relative to a root, never outside it.
//!
//! [`Files`] is what the engines read from; [`MemoryFiles`] holds a tree in
//! memory; [`Recorded`] remembers what was read, so that a change elsewhere
//! renders nothing again.

mod memory;
mod path;
mod recorded;

use std::sync::Arc;

pub use memory::MemoryFiles;
pub use path::{OutsideRoot, file_name, join, parent};
pub use recorded::{Reads, Recorded};

/// One tree of files.
///
/// # Contract
///
/// - Paths are clean and relative to the root (`a/b.yaml`); the root folder is the empty text.
/// - A path that is not clean is refused, never tidied.
/// - Listings are sorted by the bytes of the names and hold no duplicates.
/// - Links are resolved inside the root by whoever makes the tree, or refused.
pub trait Files {
    /// The bytes of a file, `None` when there is no file of that path.
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, FilesError>;

    /// What lies directly in a folder, `None` when there is no folder of that path.
    fn list(&self, folder: &str) -> Result<Option<Vec<FileEntry>>, FilesError>;
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileEntry {
    /// The last part of the path.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
}

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

/// Why a tree could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// The path leads out of the tree or is not clean.
    #[error("`{path}` is no path inside the source")]
    OutsideRoot {
        /// As it was asked for.
        path: String,
    },
    /// A link leads out of the tree.
    #[error("`{path}` is a link that leads out of the source")]
    LinkOutside {
        /// The link.
        path: String,
    },
    /// What holds the tree failed.
    #[error("`{path}` cannot be read: {reason}")]
    Unreadable {
        /// What was asked for.
        path: String,
        /// What the holder said.
        reason: String,
    },
    /// A file is over the size limit of the holder.
    #[error("`{path}` is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// The most that is read.
        limit_bytes: u64,
    },
}

impl<F: Files + ?Sized> Files for &F {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, FilesError> {
        (**self).read(path)
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<FileEntry>>, FilesError> {
        (**self).list(folder)
    }
}
