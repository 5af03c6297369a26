//! Files on disk as rendering reads them.

mod reach;

use std::{
    fs::File,
    io::Read as _,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use files::{FileEntry, FileKind, Files, FilesError};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// A manifest larger than this is none.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Not to wait for a writer, where somebody made a pipe.
const AS_FILE: OFlags = OFlags::NONBLOCK;
const AS_FOLDER: OFlags = OFlags::DIRECTORY;

/// Files on disk beneath a root; links that lead out of it are refused.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
    /// The root, opened when it is needed first; `None` when it cannot be.
    opened: Arc<OnceLock<Option<OwnedFd>>>,
}

impl Disk {
    /// Everything beneath a folder, whose path is canonical.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), opened: Arc::default() }
    }

    /// The repository around a canonical path, else the folder itself and what it builds on; and the path in it.
    pub fn around(path: &Path) -> (Self, String) {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let repository = folder.ancestors().find(|it| it.join(".git").exists());
        let root = repository.map_or_else(|| reach::root_of(folder), Path::to_owned);
        let inside = path.strip_prefix(&root).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        (Self::at(root), inside)
    }

    /// The folder at the top.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Opens what lies at a path, if there is something of that sort.
    ///
    /// The kernel itself keeps the way beneath the root. Where it cannot say (links with absolute
    /// targets, files that may not be read), the long way decides.
    fn open(&self, path: &str, sort: OFlags) -> Result<Option<OwnedFd>, FilesError> {
        let flags = sort | OFlags::RDONLY | OFlags::CLOEXEC;
        let root = self.opened.get_or_init(|| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(&self.root, flags, Mode::empty()).ok()
        });
        if let Some(root) = root {
            let below = if path.is_empty() { "." } else { path };
            let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(root, below, flags, Mode::empty(), beneath) {
                Ok(opened) => return Ok(Some(opened)),
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                Err(_) => {}
            }
        }
        let Some(place) = self.place(path)? else { return Ok(None) };
        match rustix::fs::open(place, flags, Mode::empty()) {
            Ok(opened) => Ok(Some(opened)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(unreadable(path, &error.into())),
        }
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
        let Some(opened) = self.open(path, AS_FILE)? else { return Ok(None) };
        let failed = |error: std::io::Error| unreadable(path, &error);
        let status = rustix::fs::fstat(&opened).map_err(|error| failed(error.into()))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let too_large = || FilesError::TooLarge { path: path.to_owned(), limit_bytes: FILE_BYTES_MAX };
        let size = u64::try_from(status.st_size).unwrap_or(0);
        if size > FILE_BYTES_MAX {
            return Err(too_large());
        }
        // One byte more than it should hold: then the end is seen without asking again.
        let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(|_| too_large())? + 1);
        File::from(opened).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(too_large());
        }
        Ok(Some(bytes.into()))
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<FileEntry>>, FilesError> {
        let Some(opened) = self.open(folder, AS_FOLDER)? else { return Ok(None) };
        let failed = |error: Errno| unreadable(folder, &error.into());
        let mut entries = Vec::new();
        for entry in Dir::read_from(&opened).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if matches!(name, "." | ".." | ".git") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Directory => FileKind::Folder,
                FileType::RegularFile => FileKind::File,
                // Links count as what they lead to; one that leads nowhere is no entry.
                _ => match rustix::fs::statat(&opened, entry.file_name(), AtFlags::empty()) {
                    Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => FileKind::Folder,
                    Ok(_) => FileKind::File,
                    Err(_) => continue,
                },
            };
            entries.push(FileEntry { name: name.to_owned(), kind });
        }
        entries.sort_unstable();
        Ok(Some(entries))
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> FilesError {
    FilesError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Two folders next to each other: a root with links, and what lies outside.
    fn tree() -> (tempfile::TempDir, Disk) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there").join("root");
        std::fs::create_dir_all(root.join("a/b")).expect("folders");
        std::fs::write(root.join("a/b/file"), "text").expect("a file");
        std::fs::write(root.join("../secret"), "secret").expect("a file");
        symlink("b/file", root.join("a/near")).expect("a link");
        symlink(root.join("a/b"), root.join("absolute")).expect("a link");
        symlink("../secret", root.join("outside")).expect("a link");
        symlink("..", root.join("above")).expect("a link");
        symlink("nowhere", root.join("broken")).expect("a link");
        (folder, Disk::at(root))
    }

    #[test]
    fn what_lies_beneath_the_root_is_read() {
        let (_folder, disk) = tree();
        let check = |path: &str, expected: Option<&str>| {
            let found = disk.read(path).expect("it lies inside");
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{path}");
        };
        check("a/b/file", Some("text"));
        check("a/near", Some("text"));
        check("absolute/file", Some("text"));
        check("a/b", None);
        check("a/b/file/x", None);
        check("none", None);
        check("broken", None);
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        let (_folder, disk) = tree();
        for path in ["outside", "above/secret"] {
            assert_eq!(disk.read(path), Err(FilesError::LinkOutside { path: path.to_owned() }));
        }
        assert_eq!(disk.list("above"), Err(FilesError::LinkOutside { path: "above".to_owned() }));
    }

    #[test]
    fn a_folder_lists_its_entries_by_name() {
        let (_folder, disk) = tree();
        let check = |folder: &str, expected: Option<&[(&str, FileKind)]>| {
            let found = disk.list(folder).expect("it lies inside");
            let entry = |(name, kind): &(&str, FileKind)| FileEntry { name: (*name).to_owned(), kind: *kind };
            assert_eq!(found, expected.map(|it| it.iter().map(entry).collect()), "{folder}");
        };
        let (file, folder) = (FileKind::File, FileKind::Folder);
        check("", Some(&[("a", folder), ("above", folder), ("absolute", folder), ("outside", file)]));
        check("a", Some(&[("b", folder), ("near", file)]));
        check("absolute", Some(&[("file", file)]));
        check("a/b/file", None);
        check("none", None);
    }
}
