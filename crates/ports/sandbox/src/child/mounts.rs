//! Mounting inside a root that may be hostile: targets are descriptors, resolved without leaving the root.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{self, AtFlags, Mode, OFlags, ResolveFlags},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
        fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
    },
};

use crate::sys;

/// More links in a row than any honest file system has.
const MOST_LINKS: u32 = 20;

/// What a target must be, and is made as when it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
}

/// The root of a sandbox, seen from outside.
pub struct RootFolder(OwnedFd);

impl RootFolder {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Finds `path` inside; links lead elsewhere inside, never out.
    pub fn find(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open_at(path, OFlags::PATH, ResolveFlags::NO_MAGICLINKS)
    }

    /// Finds `path`, which must not lead over a link.
    pub fn find_straight(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open_at(path, OFlags::PATH, ResolveFlags::NO_SYMLINKS)
    }

    fn open_at(&self, path: &Path, flags: OFlags, resolve: ResolveFlags) -> io::Result<OwnedFd> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        loop {
            let resolve = ResolveFlags::IN_ROOT | resolve;
            match fs::openat2(&self.0, relative, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // Something was renamed or mounted somewhere meanwhile, and the kernel cannot vouch for `..`.
                Err(Errno::AGAIN) => {}
                found => return Ok(found?),
            }
        }
    }

    /// Finds `path` or makes it, its parents included.
    pub fn find_or_make(&self, path: &Path, kind: Kind) -> io::Result<OwnedFd> {
        self.make(path, kind, MOST_LINKS)
    }

    fn make(&self, path: &Path, kind: Kind, links: u32) -> io::Result<OwnedFd> {
        match self.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let wrong = || io::Error::from(Errno::INVAL);
        let Some(Component::Normal(name)) = path.components().next_back() else { return Err(wrong()) };
        let parent_path = path.parent().unwrap_or(Path::new("/"));
        let parent = self.make(parent_path, Kind::Folder, links)?;
        let made = match kind {
            Kind::Folder => fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)),
            Kind::File => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::WRONLY;
                fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
            }
        };
        match made {
            Ok(()) => Ok(fs::openat(&parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?),
            // A link that leads nowhere yet: make what it leads to.
            Err(Errno::EXIST) if links > 0 => {
                let link = fs::readlinkat(&parent, name, Vec::new())?;
                let link = Path::new(OsStr::from_bytes(link.as_bytes()));
                let leads_to = if link.is_absolute() { link.to_owned() } else { lexical(&parent_path.join(link)) };
                self.make(&leads_to, kind, links - 1)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Takes `..` out by name, as far as the root.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::Normal(name) => plain.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// Whether what stands at `file` is a folder.
pub fn kind(file: impl AsFd) -> io::Result<Kind> {
    let mode = fs::fstat(file)?.st_mode;
    Ok(if fs::FileType::from_raw_mode(mode) == fs::FileType::Directory { Kind::Folder } else { Kind::File })
}

/// How much of a folder a bind takes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    This,
    WithMountsBelow,
}

/// A mount that is attached nowhere yet: a copy of what stands at `source` on the host.
pub fn copy(source: &Path, depth: Depth, attributes: u64) -> io::Result<OwnedFd> {
    let recursive = if depth == Depth::This { OpenTreeFlags::empty() } else { OpenTreeFlags::AT_RECURSIVE };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | recursive;
    let tree = open_tree(fs::CWD, source, flags)?;
    set_attributes(tree.as_fd(), depth, attributes)?;
    Ok(tree)
}

/// The same for a file or folder that is open already.
pub fn copy_of(source: BorrowedFd<'_>, attributes: u64) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(source, c"", flags)?;
    set_attributes(tree.as_fd(), Depth::This, attributes)?;
    Ok(tree)
}

pub fn set_attributes(mount: BorrowedFd<'_>, depth: Depth, attributes: u64) -> io::Result<()> {
    if attributes == 0 {
        return Ok(());
    }
    sys::mount_setattr(mount, attributes, if depth == Depth::This { 0 } else { libc::AT_RECURSIVE })
}

/// Attaches a mount on top of an open file or folder.
pub fn attach(mount: &OwnedFd, target: impl AsFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, c"", target, c"", flags)?)
}

/// A new file system of a kind that the kernel makes itself; an option without value is a flag.
pub fn make(kind: &str, options: &[(&str, Option<&str>)], attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        match value {
            Some(value) => fsconfig_set_string(context.as_fd(), *name, *value)?,
            None => fsconfig_set_flag(context.as_fd(), *name)?,
        }
    }
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Makes a link inside a mount of ours.
pub fn link(folder: impl AsFd, name: &str, to: &str) -> io::Result<()> {
    Ok(fs::symlinkat(to, folder, name)?)
}

/// Makes an empty file or folder inside a mount of ours, with exactly this mode.
pub fn make_in(folder: impl AsFd, name: &str, kind: Kind, mode: u32) -> io::Result<OwnedFd> {
    let folder = folder.as_fd();
    let mode = Mode::from_raw_mode(mode);
    match kind {
        Kind::Folder => fs::mkdirat(folder, name, mode)?,
        Kind::File => drop(fs::openat(folder, name, OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::WRONLY, mode)?),
    }
    fs::chmodat(folder, name, mode, AtFlags::empty())?;
    Ok(fs::openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stay_inside_the_root() {
        let outside = tempfile::tempdir().expect("a folder");
        let root = outside.path().join("root");
        std::fs::create_dir_all(root.join("etc")).expect("etc");
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, root.join(at)).expect("link");
        link("/../../escape", "up");
        link(&outside.path().display().to_string(), "abs");
        link("../run/systemd/resolv.conf", "etc/resolv.conf");
        link("loop", "loop");
        let folder = RootFolder::open(&root).expect("root");

        folder.find_or_make(Path::new("/etc/resolv.conf"), Kind::File).expect("dangling");
        assert!(root.join("run/systemd/resolv.conf").is_file());
        folder.find_or_make(Path::new("/up/file"), Kind::File).expect("up");
        assert!(root.join("escape/file").is_file() && !outside.path().join("escape").exists());
        folder.find_or_make(Path::new("/abs/x"), Kind::Folder).expect("absolute");
        assert!(!outside.path().join("x").exists());
        assert!(folder.find_or_make(Path::new("/loop/x"), Kind::File).is_err());
    }
}
