//! Reads a folder that a job may be changing: by descriptors, never through links.

use std::{
    ffi::{CStr, OsStr},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};

use super::{DEPTH_MAX, ENTRIES_MAX, TreeError};

/// One entry below the folder, in the order of a walk: a folder stands before what is in it.
#[derive(Debug)]
pub struct Entry {
    /// From the top of the tree.
    pub path: PathBuf,
    pub attributes: Attributes,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Folder,
    Link(PathBuf),
    File { size_bytes: u64, opener: Opener },
}

/// What is kept of an entry besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified_seconds: i64,
    pub modified_nanos: u32,
}

/// Opens a file that was seen, in the folder in which it was seen.
#[derive(Debug)]
pub struct Opener {
    folder: Arc<OwnedFd>,
    name: std::ffi::CString,
}

impl Opener {
    /// `None` if it is no plain file any more.
    pub fn open(&self) -> io::Result<Option<File>> {
        // Without waiting: a pipe could have taken the file's place.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&*self.folder, self.name.as_c_str(), flags, Mode::empty())?);
        Ok(file.metadata()?.is_file().then_some(file))
    }
}

/// Tells `each` of every entry below `folder`; sockets, pipes and devices are left out.
pub fn walk(folder: &Path, each: &mut dyn FnMut(Entry) -> Result<(), TreeError>) -> Result<Attributes, TreeError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let failed = |source: rustix::io::Errno| TreeError::Io { path: folder.display().to_string(), source: source.into() };
    let root = openat(CWD, folder, flags, Mode::empty()).map_err(failed)?;
    let attributes = attributes(&rustix::fs::fstat(&root).map_err(failed)?);
    let mut walk = Walk { each, seen: 0 };
    walk.folder(Arc::new(root), Path::new(""), 0)?;
    Ok(attributes)
}

struct Walk<'a> {
    each: &'a mut dyn FnMut(Entry) -> Result<(), TreeError>,
    seen: usize,
}

impl Walk<'_> {
    fn folder(&mut self, folder: Arc<OwnedFd>, path: &Path, depth: usize) -> Result<(), TreeError> {
        if depth > DEPTH_MAX {
            return Err(TreeError::TooDeep(path.display().to_string()));
        }
        let failed = |path: &Path, source: rustix::io::Errno| TreeError::Io { path: path.display().to_string(), source: source.into() };
        let mut names = Vec::new();
        for entry in Dir::read_from(&*folder).map_err(|error| failed(path, error))? {
            let entry = entry.map_err(|error| failed(path, error))?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                names.push(name.to_owned());
            }
            if names.len() > ENTRIES_MAX {
                return Err(TreeError::TooMany);
            }
        }
        // Equal folders shall give equal trees, whatever the order on the disk.
        names.sort();
        for name in names {
            let path = path.join(OsStr::from_bytes(name.as_bytes()));
            self.seen += 1;
            if self.seen > ENTRIES_MAX {
                return Err(TreeError::TooMany);
            }
            match self.entry(&folder, &name, &path, depth) {
                // Gone since it was listed: jobs may leave processes behind.
                Err(TreeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Arc<OwnedFd>, name: &CStr, path: &Path, depth: usize) -> Result<(), TreeError> {
        let failed = |source: rustix::io::Errno| TreeError::Io { path: path.display().to_string(), source: source.into() };
        let stat = statat(&**folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let entry = |kind| Entry { path: path.to_owned(), attributes: attributes(&stat), kind };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::RegularFile {
            let opener = Opener { folder: folder.clone(), name: name.to_owned() };
            let size_bytes = u64::try_from(stat.st_size).unwrap_or_default();
            return (self.each)(entry(Kind::File { size_bytes, opener }));
        }
        if kind == FileType::Symlink {
            let target = readlinkat(&**folder, name, Vec::new()).map_err(failed)?;
            return (self.each)(entry(Kind::Link(OsStr::from_bytes(target.as_bytes()).into())));
        }
        if kind == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let below = openat(&**folder, name, flags, Mode::empty()).map_err(failed)?;
            (self.each)(entry(Kind::Folder))?;
            return self.folder(Arc::new(below), path, depth + 1);
        }
        tracing::debug!(path = %path.display(), "neither file, folder nor link: not saved");
        Ok(())
    }
}

fn attributes(stat: &Stat) -> Attributes {
    Attributes {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified_seconds: stat.st_mtime,
        modified_nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
    }
}
