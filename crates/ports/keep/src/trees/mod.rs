//! Folders stored by content, ready to be mounted.
//!
//! Each file lies once under a name made of its bytes and its attributes; a
//! tree is a folder of hard links to such files. So a tree can be the lower
//! folder of an overlay: restoring it costs one mount, however many files it
//! has, and a tree that differs from an older one in ten files costs ten.
//!
//! A job never gets at the stored files themselves: the overlay copies what it
//! changes. Files of one tree never share an inode, or archivers would take
//! equal files for one.

mod archive;
mod save;
mod source;
mod sweep;

use std::{
    fs,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use names::Digest;

/// No tree has more entries; a folder without end stops here.
const ENTRIES_MAX: usize = 2_000_000;
/// Deeper folders cannot be reached by a path on Linux.
const DEPTH_MAX: usize = 128;
/// A job that mounted a tree is over after this long: the longest job and some grace.
const IN_USE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a folder could not be saved as a tree.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("`{path}` cannot be saved")]
    Io { path: String, source: io::Error },
    #[error("a tree has at most {ENTRIES_MAX} entries")]
    TooMany,
    #[error("a tree has at most {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    #[error("`{0}` is nested too deeply")]
    TooDeep(String),
}

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedTree {
    pub digest: Digest,
    pub files: u64,
    pub size_bytes: u64,
    /// How many files had to be copied; all others were there.
    pub new_files: u64,
}

/// All trees of an installation, in one folder of one file system.
#[derive(Clone, Debug)]
pub struct Trees {
    folder: Arc<Path>,
}

impl Trees {
    /// Uses `folder`, making it if it is not there.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder: PathBuf = folder.into();
        for part in ["files", "trees", "drafts"] {
            fs::create_dir_all(folder.join(part))?;
        }
        // Stored files keep their modes, set-user-id bits among them, so nobody else may reach them.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        for draft in fs::read_dir(folder.join("drafts"))? {
            remove(&draft?.path())?;
        }
        Ok(Self { folder: folder.into() })
    }

    /// The folder of a tree, to be used as a lower folder only: who writes to it harms other trees.
    ///
    /// The tree stays for as long as a job may last.
    pub fn lower_dir(&self, tree: Digest) -> Option<PathBuf> {
        let folder = self.tree(tree);
        let marked = fs::File::options().write(true).open(folder.join("used"));
        marked.and_then(|file| file.set_modified(std::time::SystemTime::now())).ok()?;
        Some(folder.join("root"))
    }

    /// A file beside the trees that goes when it is closed.
    pub(crate) fn unnamed_file(&self) -> io::Result<fs::File> {
        let draft = self.draft()?;
        let file = fs::File::options().create_new(true).read(true).write(true).open(&draft)?;
        fs::remove_file(&draft)?;
        Ok(file)
    }

    fn tree(&self, tree: Digest) -> PathBuf {
        self.folder.join("trees").join(tree.hex())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join("files").join(&name[..2]).join(&name[2..])
    }

    fn draft(&self) -> io::Result<PathBuf> {
        Ok(self.folder.join("drafts").join(crate::upload_name()?))
    }
}

/// Removes a file or a folder with all that is in it; none there is fine.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => make_writable(path).and_then(|()| fs::remove_dir_all(path)),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Saved folders keep their modes; one without the right to write could not be emptied by its owner.
fn make_writable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
