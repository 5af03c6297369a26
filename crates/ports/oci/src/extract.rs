//! Unpacks one layer into a folder in the form overlayfs mounts.
//!
//! Nothing in a layer can reach outside of the folder: every path is resolved by
//! the kernel with the folder as its root, and the last component is never followed.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read},
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
};

use image::whiteout::{self, Name};
use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Timestamps},
    io::Errno,
    process::{Gid, Uid},
};

use crate::{
    archive::{Entry, EntryKind, Limits, ReadError, Reader},
    overlay::{self, Marks},
    xattr,
};

const COPY_BYTES: usize = 256 * 1024;

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Whiteout(#[from] whiteout::WhiteoutError),
    #[error("`{path}` leads out of the root file system")]
    Outside { path: String },
    #[error("`{path}` links to `{target}`, which is not in the same layer")]
    MissingTarget { path: String, target: String },
    #[error("`{path}` is a device number 0/0, which only marks removals")]
    ForgedWhiteout { path: String },
    #[error("could not unpack `{path}`: {source}")]
    Io { path: String, source: io::Error },
}

/// Unpacks the tar stream `source` into the empty folder `root`; reads the stream to its end.
pub fn extract(source: impl Read, root: &Path, marks: Marks) -> Result<(), ExtractError> {
    let at_root = |error: Errno| ExtractError::Io { path: "/".to_owned(), source: error.into() };
    let root = fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(at_root)?;
    let mut reader = Reader::new(source, Limits::IMAGE);
    let mut tree = Tree {
        root,
        marks,
        may_chown: rustix::process::geteuid().is_root(),
        parent: None,
        folders: BTreeMap::new(),
        buffer: vec![0; COPY_BYTES],
    };
    while let Some(entry) = reader.next_entry()? {
        tree.add(&entry, &mut reader)?;
    }
    reader.drain().map_err(ReadError::Io)?;
    tree.finish()
}

struct Tree {
    root: OwnedFd,
    marks: Marks,
    may_chown: bool,
    /// The folder of the last entry: neighbours follow each other in archives.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// Attributes of folders, set last: filling a folder changes its time and may need its bits.
    folders: BTreeMap<Vec<u8>, Entry>,
    buffer: Vec<u8>,
}

impl Tree {
    fn add(&mut self, entry: &Entry, content: &mut impl Read) -> Result<(), ExtractError> {
        let path = clean(&entry.path)?;
        let Some((folder, name)) = split(&path) else {
            // The root itself.
            self.folders.insert(Vec::new(), entry.clone());
            return Ok(());
        };
        match whiteout::parse(name)? {
            Name::Meta => Ok(()),
            Name::Opaque => self.in_folder(folder, |tree, parent| tree.set_opaque(parent, c".")).map_err(|error| error.at(&path)),
            Name::Whiteout(removed) => {
                let removed = c_name(removed, &path)?;
                self.in_folder(folder, |tree, parent| tree.remove_below(parent, &removed)).map_err(|error| error.at(&path))
            }
            Name::Plain(name) => {
                let name = c_name(name, &path)?;
                self.create(entry, &path, folder, &name, content)
            }
        }
    }

    fn create(
        &mut self,
        entry: &Entry,
        path: &[u8],
        folder: &[u8],
        name: &CStr,
        content: &mut impl Read,
    ) -> Result<(), ExtractError> {
        if matches!(entry.kind, EntryKind::CharDevice { major: 0, minor: 0 }) {
            return Err(ExtractError::ForgedWhiteout { path: shown(path) });
        }
        let target = match entry.kind {
            EntryKind::Hardlink => Some(self.link_target(entry, path)?),
            EntryKind::File
            | EntryKind::Directory
            | EntryKind::Symlink
            | EntryKind::CharDevice { .. }
            | EntryKind::BlockDevice { .. }
            | EntryKind::Fifo => None,
        };
        let made = self.in_folder(folder, |tree, parent| match target {
            Some((from, from_name)) => {
                // A link to itself must not remove what it links to.
                if same_file((&from, &from_name), (parent, name)) {
                    return Ok(());
                }
                tree.make_room(parent, name, Room::Other)?;
                Ok(fs::linkat(&from, &from_name, parent, name, AtFlags::empty())?)
            }
            None => tree.make(entry, parent, name, content),
        });
        match made {
            Ok(()) if entry.kind == EntryKind::Directory => {
                self.folders.insert(path.to_vec(), entry.clone());
                Ok(())
            }
            Ok(()) => Ok(()),
            Err(Fault(source)) if entry.kind == EntryKind::Hardlink && source.kind() == io::ErrorKind::NotFound => {
                Err(ExtractError::MissingTarget { path: shown(path), target: shown(&entry.link) })
            }
            Err(fault) => Err(fault.at(path)),
        }
    }

    fn make(&mut self, entry: &Entry, parent: &OwnedFd, name: &CStr, content: &mut impl Read) -> Result<(), Fault> {
        let room = if entry.kind == EntryKind::Directory { Room::Folder } else { Room::Other };
        let before = self.make_room(parent, name, room)?;
        match entry.kind {
            EntryKind::Directory => {
                if before != Before::Folder {
                    fs::mkdirat(parent, name, Mode::RWXU)?;
                }
                if before == Before::Whiteout {
                    self.set_opaque(parent, name)?;
                }
                // The rest waits for `finish`.
                return Ok(());
            }
            EntryKind::File => return self.write_file(entry, parent, name, content),
            EntryKind::Symlink => fs::symlinkat(entry.link.as_slice(), parent, name)?,
            EntryKind::Fifo => fs::mknodat(parent, name, FileType::Fifo, Mode::RUSR, 0)?,
            EntryKind::CharDevice { major, minor } => {
                if !self.make_device(parent, name, FileType::CharacterDevice, fs::makedev(major, minor))? {
                    return Ok(());
                }
            }
            EntryKind::BlockDevice { major, minor } => {
                if !self.make_device(parent, name, FileType::BlockDevice, fs::makedev(major, minor))? {
                    return Ok(());
                }
            }
            EntryKind::Hardlink => return Ok(()),
        }
        if self.may_chown {
            let (owner, group) = owner_of(entry);
            fs::chownat(parent, name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if entry.kind != EntryKind::Symlink {
            // Made a moment ago in a folder nobody else writes to, so it is no link.
            fs::chmodat(parent, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
        }
        Ok(fs::utimensat(parent, name, &times_of(entry), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn write_file(&mut self, entry: &Entry, parent: &OwnedFd, name: &CStr, content: &mut impl Read) -> Result<(), Fault> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?);
        loop {
            match content.read(&mut self.buffer)? {
                0 => break,
                read => io::Write::write_all(&mut file, self.buffer.get(..read).unwrap_or_default())?,
            }
        }
        self.set_attributes(&file, entry)
    }

    /// The owner first: changing it clears the set-user-id bit and the capabilities.
    fn set_attributes(&self, file: impl std::os::fd::AsFd, entry: &Entry) -> Result<(), Fault> {
        if self.may_chown {
            let (owner, group) = owner_of(entry);
            fs::fchown(&file, Some(owner), Some(group))?;
        }
        fs::fchmod(&file, Mode::from_raw_mode(entry.mode))?;
        xattr::restore(&file, &entry.xattrs)?;
        Ok(fs::futimens(&file, &times_of(entry))?)
    }

    /// Whether the device could be made; without the right to, it is left out.
    fn make_device(&self, parent: &OwnedFd, name: &CStr, kind: FileType, device: u64) -> Result<bool, Fault> {
        match fs::mknodat(parent, name, kind, Mode::RUSR, device) {
            Ok(()) => Ok(true),
            Err(Errno::PERM) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn link_target(&mut self, entry: &Entry, path: &[u8]) -> Result<(OwnedFd, CString), ExtractError> {
        let missing = || ExtractError::MissingTarget { path: shown(path), target: shown(&entry.link) };
        let target = clean(&entry.link)?;
        let (folder, name) = split(&target).ok_or_else(missing)?;
        let fd = self.open(folder).map_err(|_| missing())?;
        Ok((fd, c_name(name, path)?))
    }

    /// Removes what stands where `name` shall be, except a folder that stays one.
    fn make_room(&mut self, parent: &OwnedFd, name: &CStr, room: Room) -> Result<Before, Fault> {
        let stat = match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Before::Nothing),
            Err(error) => return Err(error.into()),
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            if room == Room::Folder {
                return Ok(Before::Folder);
            }
            std::fs::remove_dir_all(inside(parent, name))?;
            self.parent = None;
            return Ok(Before::Other);
        }
        let is_whiteout = kind == FileType::CharacterDevice && stat.st_rdev == 0;
        let before = if is_whiteout { Before::Whiteout } else { Before::Other };
        fs::unlinkat(parent, name, AtFlags::empty())?;
        self.parent = None;
        Ok(before)
    }

    /// A whiteout hides only what lies below; what this layer itself has there stays.
    fn remove_below(&mut self, parent: &OwnedFd, name: &CStr) -> Result<(), Fault> {
        match overlay::make_whiteout(parent, name) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => {
                let stat = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    self.set_opaque(parent, name)?;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn set_opaque(&self, parent: &OwnedFd, name: &CStr) -> Result<(), Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = fs::openat(parent, name, flags, Mode::empty())?;
        Ok(self.marks.set_opaque(folder)?)
    }

    fn in_folder(
        &mut self,
        folder: &[u8],
        act: impl FnOnce(&mut Self, &OwnedFd) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let parent = match self.parent.take() {
            Some((path, fd)) if path == folder => fd,
            _ => self.open_or_make(folder)?,
        };
        // `act` clears `self.parent` when it replaced something that may have been a parent.
        let spare = parent.try_clone()?;
        self.parent = Some((folder.to_vec(), spare));
        act(self, &parent)
    }

    fn open(&self, folder: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if folder.is_empty() { b".".as_slice() } else { folder };
        fs::openat2(
            &self.root,
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    }

    /// Opens a folder; parents that the archive does not mention are made.
    fn open_or_make(&mut self, folder: &[u8]) -> Result<OwnedFd, Fault> {
        match self.open(folder) {
            Ok(fd) => return Ok(fd),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => return Err(error.into()),
        }
        let (above, name) = split(folder).ok_or(Errno::NOENT)?;
        let parent = self.open_or_make(above)?;
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        match fs::mkdirat(&parent, &name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {}
            Err(Errno::EXIST) if overlay::is_whiteout(&parent, &name)? => {
                fs::unlinkat(&parent, &name, AtFlags::empty())?;
                fs::mkdirat(&parent, &name, Mode::from_raw_mode(0o755))?;
                self.set_opaque(&parent, &name)?;
            }
            // A file, or a link to nowhere, stands in the way.
            Err(Errno::EXIST) => return Err(Errno::NOTDIR.into()),
            Err(error) => return Err(error.into()),
        }
        Ok(self.open(folder)?)
    }

    fn finish(mut self) -> Result<(), ExtractError> {
        for (path, entry) in std::mem::take(&mut self.folders).into_iter().rev() {
            let parts = if path.is_empty() { b".".as_slice() } else { &path };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            let folder = match fs::openat2(&self.root, parts, flags, Mode::empty(), resolve) {
                Ok(folder) => folder,
                // A later entry took its place.
                Err(Errno::NOENT | Errno::NOTDIR) => continue,
                Err(error) => return Err(Fault::from(error).at(&path)),
            };
            self.set_attributes(&folder, &entry).map_err(|fault| fault.at(&path))?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Folder,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Folder,
    Whiteout,
    Other,
}

/// A failure that does not know its path yet.
struct Fault(io::Error);

impl Fault {
    fn at(self, path: &[u8]) -> ExtractError {
        ExtractError::Io { path: shown(path), source: self.0 }
    }
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        Self(error.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

/// The path relative to the root, without empty and `.` components; `..` is refused.
fn clean(path: &[u8]) -> Result<Vec<u8>, ExtractError> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    let parts: Vec<_> = parts.collect();
    if parts.contains(&b"..".as_slice()) || path.contains(&0) {
        return Err(ExtractError::Outside { path: shown(path) });
    }
    Ok(parts.join(&b'/'))
}

/// Folder and name; `None` for the root.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => Some((path.get(..at)?, path.get(at + 1..)?)),
        None => Some((b"", path)),
    }
}

fn same_file(one: (&OwnedFd, &CStr), other: (&OwnedFd, &CStr)) -> bool {
    let stat = |(folder, name): (&OwnedFd, &CStr)| fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok();
    match (stat(one), stat(other)) {
        (Some(one), Some(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

fn inside(parent: &OwnedFd, name: &CStr) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = format!("/proc/self/fd/{}", parent.as_raw_fd());
    Path::new(&folder).join(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

fn c_name(name: &[u8], path: &[u8]) -> Result<CString, ExtractError> {
    CString::new(name).map_err(|_| ExtractError::Outside { path: shown(path) })
}

fn owner_of(entry: &Entry) -> (Uid, Gid) {
    // The largest number means "leave it" to the kernel.
    let known = |id: u32| if id == u32::MAX { 65534 } else { id };
    (Uid::from_raw(known(entry.uid)), Gid::from_raw(known(entry.gid)))
}

fn times_of(entry: &Entry) -> Timestamps {
    let time = fs::Timespec { tv_sec: entry.mtime_seconds, tv_nsec: entry.mtime_nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests;
