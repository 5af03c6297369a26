//! Writes files into the folder of a new layer, mindful of what lies below it.
//!
//! The folder is an overlay's upper: a folder that exists below is made again
//! with the same attributes before something is put into it. Nothing here ever
//! removes what is below, so no removal marks are needed.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io,
    os::{
        fd::AsFd as _,
        unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
};

use buildgraph::mode::{Mode, Target};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use crate::{
    error::Failure,
    view::{Last, Node, View},
};

/// Attributes that `--chown` and `--chmod` give, and whose owners count without them.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub owner: Option<(u32, u32)>,
    pub mode: Option<Mode>,
    pub owners: crate::select::Owners,
}

impl Attributes {
    fn owner_of(&self, meta: &Metadata) -> (u32, u32) {
        self.owner.unwrap_or(match self.owners {
            crate::select::Owners::Kept => (meta.uid(), meta.gid()),
            crate::select::Owners::Root => (0, 0),
        })
    }

    fn mode_of(&self, current: u32, target: Target) -> u32 {
        self.mode.as_ref().map_or(current & 0o7777, |it| it.apply(current, target))
    }
}

/// A new layer in the making.
pub(crate) struct Layer {
    upper: PathBuf,
    /// The new layer on top of those below.
    view: View,
    /// Times of folders, set when all is placed: filling a folder changes its time.
    times: Vec<(PathBuf, Timestamps)>,
    /// Where a file with several names went first.
    links: HashMap<(u64, u64), PathBuf>,
}

impl Layer {
    /// `below` is what the new files are put over, nothing for `--link`.
    pub fn new(upper: &Path, below: &View) -> Self {
        Self { upper: upper.to_owned(), view: below.under(upper), times: Vec::new(), links: HashMap::new() }
    }

    pub fn find(&self, path: &Path) -> Result<Option<Node>, Failure> {
        self.view.lookup(path, Last::Followed).map_err(Failure::io(path.display()))
    }

    /// Makes `path` a folder; those that are missing get `mode` and `owner`.
    ///
    /// Returns where it really is, and whether it is new.
    pub fn folder(&mut self, path: &Path, mode: u32, owner: (u32, u32)) -> Result<(PathBuf, Existing), Failure> {
        let (known, missing) = self.view.reach(path).map_err(Failure::io(path.display()))?;
        if !known.is_dir() {
            return Err(Failure::new(format!("`{}` is no folder", path.display())));
        }
        self.raise(&known.path)?;
        let mut at = known.path;
        let existing = if missing.is_empty() { Existing::Yes } else { Existing::No };
        for name in missing {
            at.push(name);
            self.new_folder(&at, mode, owner)?;
        }
        Ok((at, existing))
    }

    fn new_folder(&self, path: &Path, mode: u32, owner: (u32, u32)) -> Result<(), Failure> {
        let real = self.upper.join(path);
        DirBuilder::new().mode(0o700).create(&real).map_err(Failure::io(path.display()))?;
        give(&real, owner).map_err(Failure::io(path.display()))?;
        fs::set_permissions(&real, fs::Permissions::from_mode(mode)).map_err(Failure::io(path.display()))
    }

    /// Makes the folders of `path` in the upper as they are below.
    fn raise(&mut self, path: &Path) -> Result<(), Failure> {
        let mut at = PathBuf::new();
        for name in path.components() {
            at.push(name);
            let real = self.upper.join(&at);
            if fs::symlink_metadata(&real).is_ok() {
                continue;
            }
            let node = self.view.lookup(&at, Last::Kept).map_err(Failure::io(at.display()))?;
            let Some(node) = node else { continue };
            self.new_folder(&at, node.meta.mode() & 0o7777, (node.meta.uid(), node.meta.gid()))?;
            self.times.push((real, times(&node.meta)));
        }
        Ok(())
    }

    /// Puts a folder's own attributes on one that is new.
    pub fn dress(&mut self, path: &Path, source: &Metadata, attributes: &Attributes) -> Result<(), Failure> {
        let real = self.upper.join(path);
        give(&real, attributes.owner_of(source)).map_err(Failure::io(path.display()))?;
        let mode = attributes.mode_of(source.mode(), Target::Folder);
        fs::set_permissions(&real, fs::Permissions::from_mode(mode)).map_err(Failure::io(path.display()))?;
        self.keep_time(path, source);
        Ok(())
    }

    /// Gives a folder the source's time in the end.
    pub fn keep_time(&mut self, path: &Path, source: &Metadata) {
        self.times.push((self.upper.join(path), times(source)));
    }

    /// Puts one file, link or device at `folder/name`; `folder` must be there.
    pub fn put(&mut self, from: &View, node: &Node, folder: &Path, name: &OsStr, attributes: &Attributes) -> Result<(), Failure> {
        let path = folder.join(name);
        let real = self.clear(&path)?;
        let failed = |error: io::Error| Failure::new(format!("could not write `/{}`: {error}", path.display()));
        let meta = &node.meta;
        if node.is_link() {
            let target = from.read_link(node).map_err(failed)?;
            symlink(target, &real).map_err(failed)?;
            give(&real, attributes.owner_of(meta)).map_err(failed)?;
        } else if node.is_file() {
            let id = (meta.dev(), meta.ino());
            if let Some(first) = self.links.get(&id).filter(|_| meta.nlink() > 1) {
                return fs::hard_link(first, &real).map_err(failed);
            }
            let mut source = from.open(node).map_err(failed)?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&real).map_err(failed)?;
            io::copy(&mut source, &mut file).map_err(failed)?;
            self.finish_file(&file, attributes.owner_of(meta), attributes.mode_of(meta.mode(), Target::File)).map_err(failed)?;
            if attributes.owners == crate::select::Owners::Kept {
                copy_capabilities(&from.real(node), &file);
            }
            rustix::fs::futimens(&file, &times(meta)).map_err(|it| failed(it.into()))?;
            if meta.nlink() > 1 {
                self.links.insert(id, real);
            }
            return Ok(());
        } else {
            let kind = rustix::fs::FileType::from_raw_mode(meta.mode());
            let mode = rustix::fs::Mode::from_raw_mode(meta.mode() & 0o7777);
            rustix::fs::mknodat(CWD, &real, kind, mode, meta.rdev()).map_err(|it| failed(it.into()))?;
            give(&real, attributes.owner_of(meta)).map_err(failed)?;
        }
        rustix::fs::utimensat(CWD, &real, &times(meta), AtFlags::SYMLINK_NOFOLLOW).map_err(|it| failed(it.into()))
    }

    /// Writes the content of a here-document.
    pub fn write(&mut self, content: &[u8], folder: &Path, name: &OsStr, attributes: &Attributes) -> Result<(), Failure> {
        let path = folder.join(name);
        let real = self.clear(&path)?;
        let failed = |error: io::Error| Failure::new(format!("could not write `/{}`: {error}", path.display()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&real).map_err(failed)?;
        io::Write::write_all(&mut file, content).map_err(failed)?;
        let mode = attributes.mode_of(0o644, Target::File);
        self.finish_file(&file, attributes.owner.unwrap_or((0, 0)), mode).map_err(failed)?;
        // Cut to a fixed time: equal documents give equal layers.
        let epoch = Timespec { tv_sec: 0, tv_nsec: 0 };
        let epoch = Timestamps { last_access: epoch, last_modification: epoch };
        rustix::fs::futimens(&file, &epoch).map_err(|it| failed(it.into()))
    }

    fn finish_file(&self, file: &File, owner: (u32, u32), mode: u32) -> io::Result<()> {
        // Changing the owner clears the set-id bits, so the mode comes second.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::fchown(file, Some(owner.0), Some(owner.1))?;
        }
        file.set_permissions(fs::Permissions::from_mode(mode))
    }

    /// Makes room for a file at `path`.
    fn clear(&self, path: &Path) -> Result<PathBuf, Failure> {
        let below = self.view.lookup(path, Last::Kept).map_err(Failure::io(path.display()))?;
        if below.is_some_and(|it| it.is_dir()) {
            return Err(Failure::new(format!("`/{}` is a folder, and a file cannot replace it", path.display())));
        }
        let real = self.upper.join(path);
        match fs::remove_file(&real) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::io(path.display())(error)),
            _ => Ok(real),
        }
    }

    /// Sets the times of folders; nothing may be placed after it.
    pub fn finish(self) -> Result<(), Failure> {
        for (path, times) in self.times {
            rustix::fs::utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|it| Failure::io(path.display())(it.into()))?;
        }
        Ok(())
    }
}

/// Whether a folder was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Yes,
    No,
}

fn give(path: &Path, (uid, gid): (u32, u32)) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    }
    Ok(())
}

fn times(meta: &Metadata) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: meta.atime(), tv_nsec: meta.atime_nsec() as _ },
        last_modification: Timespec { tv_sec: meta.mtime(), tv_nsec: meta.mtime_nsec() as _ },
    }
}

/// File capabilities travel between stages; a file system without them loses them, as a tar would.
fn copy_capabilities(from: &Path, to: &File) {
    let mut value = [0u8; 64];
    if let Ok(length) = rustix::fs::lgetxattr(from, "security.capability", &mut value[..]) {
        let flags = rustix::fs::XattrFlags::empty();
        let _ = rustix::fs::fsetxattr(to.as_fd(), "security.capability", &value[..length], flags);
    }
}
