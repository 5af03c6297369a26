//! Files on disk as rendering reads them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use files::{FileEntry, FileKind, Files, FilesError};

/// A manifest larger than this is none.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Files on disk beneath a root; links that lead out of it are refused.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Everything beneath a folder, whose path is canonical.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The repository around a canonical path, else the folder itself; and the path in it.
    pub fn around(path: &Path) -> (Self, String) {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let repository = folder.ancestors().find(|it| it.join(".git").exists());
        let root = repository.unwrap_or(folder).to_owned();
        let inside = path.strip_prefix(&root).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        (Self { root }, inside)
    }

    /// The folder at the top.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The real place of a path, if there is something.
    fn place(&self, path: &str) -> Result<Option<PathBuf>, FilesError> {
        let place = self.root.join(path);
        match place.canonicalize() {
            Ok(real) if real.starts_with(&self.root) => Ok(Some(real)),
            Ok(_) => Err(FilesError::LinkOutside { path: path.to_owned() }),
            Err(_) => Ok(None),
        }
    }
}

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, FilesError> {
        let unreadable = |error: std::io::Error| FilesError::Unreadable { path: path.to_owned(), reason: error.to_string() };
        let Some(place) = self.place(path)?.filter(|it| it.is_file()) else { return Ok(None) };
        let size = place.metadata().map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(FilesError::TooLarge { path: path.to_owned(), limit_bytes: FILE_BYTES_MAX });
        }
        std::fs::read(place).map(|bytes| Some(bytes.into())).map_err(unreadable)
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<FileEntry>>, FilesError> {
        let unreadable = |error: std::io::Error| FilesError::Unreadable { path: folder.to_owned(), reason: error.to_string() };
        let Some(place) = self.place(folder)?.filter(|it| it.is_dir()) else { return Ok(None) };
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(place).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name == ".git" {
                continue;
            }
            // Links count as what they lead to; one that leads nowhere is no entry.
            let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
            let kind = if metadata.is_dir() { FileKind::Folder } else { FileKind::File };
            entries.push(FileEntry { name, kind });
        }
        entries.sort();
        Ok(Some(entries))
    }
}
