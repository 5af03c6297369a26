//! Work of the server inside the mounts of a running sandbox: folders laid over others, and files read as its processes see them.
//!
//! A thread of its own joins the sandbox's mounts and ends; its root is the sandbox's,
//! so whatever links the processes inside have made, none leads out.

use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{MetadataExt as _, PermissionsExt as _},
    },
    path::Path,
};

use rustix::{
    fs::{Dir, Mode, OFlags},
    mount::{MountAttrFlags, UnmountFlags},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::{Error, Local, Result, SandboxId, child::mounts, spawner, sys};

/// Finds the mounts of sandboxes that run on this machine.
pub trait Insides: Send + Sync {
    /// The mounts of a running sandbox.
    fn inside(&self, id: &SandboxId) -> Result<Inside>;
}

/// The mounts of one sandbox, as its first process sees them.
#[derive(Debug)]
pub struct Inside {
    first: OwnedFd,
}

/// Why a folder was not laid over another.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// What is there already must stay visible.
    #[error("`{0}` is not an empty folder")]
    Occupied(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Insides for Local {
    fn inside(&self, id: &SandboxId) -> Result<Inside> {
        let found = || -> io::Result<Inside> {
            let group = spawner::group_of(self.folder(), id.as_str())?;
            let listed = fs::read_to_string(group.join("cgroup.procs"))?;
            for pid in listed.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw) {
                let Ok(opened) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
                // Read behind the descriptor: a number that was given anew is none of this group's.
                let is_first = is_first_in_namespace(pid) && is_listed(&group, pid);
                if is_first {
                    return Ok(Inside { first: opened });
                }
            }
            Err(io::Error::from(io::ErrorKind::NotFound))
        };
        found().map_err(Error::machine(format!("finding the mounts of the sandbox `{id}`")))
    }
}

/// Whether a process is number 1 of a namespace of its own.
fn is_first_in_namespace(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let mut numbers = numbers.split_whitespace();
    numbers.clone().count() > 1 && numbers.next_back() == Some("1")
}

fn is_listed(group: &Path, pid: Pid) -> bool {
    let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    listed.lines().any(|line| line == pid.as_raw_nonzero().to_string())
}

impl Inside {
    /// Runs `work` where `/` is the sandbox's. It blocks, and keeps the server's rights: paths need care.
    fn run<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let joined = || {
            // Only a thread with a root and a working directory of its own may change its mounts.
            sys::unshare(libc::CLONE_FS)?;
            sys::setns(self.first.as_fd(), libc::CLONE_NEWNS)?;
            work()
        };
        let ended = std::thread::scope(|scope| scope.spawn(joined).join());
        ended.unwrap_or_else(|_| Err(io::Error::other("a thread inside a sandbox panicked")))
    }

    /// A folder as the processes inside see it; read it through `/proc/self/fd/N`.
    pub fn open_folder(&self, path: &Path) -> io::Result<OwnedFd> {
        self.run(|| {
            let root = mounts::RootFolder::open(Path::new("/"))?;
            let found = root.find(path)?;
            // What was found is a descriptor by now, so nothing can be put in its place.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok(rustix::fs::openat(found, ".", flags, Mode::empty())?)
        })
    }

    /// Lays `lower`, a folder of this machine, under what is written to `scratch` over `target` inside.
    ///
    /// `target` is made if it is missing, and must be empty. The mount goes with the sandbox.
    pub fn overlay(&self, lower: &Path, scratch: &Path, target: &Path) -> Result<(), OverlayError> {
        let mount = overlay(lower, scratch)?;
        let occupied = self.run(|| {
            let root = mounts::RootFolder::open(Path::new("/"))?;
            let place = root.find_or_make(target, mounts::Kind::Folder)?;
            if mounts::kind(&place)? != mounts::Kind::Folder || !is_empty(&place)? {
                return Ok(true);
            }
            mounts::attach(&mount, place)?;
            Ok(false)
        })?;
        if occupied { Err(OverlayError::Occupied(target.display().to_string())) } else { Ok(()) }
    }

    /// Takes away what [`Inside::overlay`] laid over `target`; processes that use it keep what they have open.
    pub fn detach(&self, target: &Path) -> io::Result<()> {
        self.run(|| {
            let root = mounts::RootFolder::open(Path::new("/"))?;
            let place = root.find(target)?;
            // Through the descriptor: a link that was put in its place leads nowhere else.
            rustix::process::fchdir(&place)?;
            Ok(rustix::mount::unmount(".", UnmountFlags::DETACH)?)
        })
    }
}

fn is_empty(folder: impl AsFd) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(folder, ".", flags, Mode::empty())?;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A mount that is attached nowhere yet.
fn overlay(lower: &Path, scratch: &Path) -> io::Result<OwnedFd> {
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    // The upper folder is what shows at the top: it takes after the one it covers.
    let covered = fs::metadata(lower)?;
    fs::set_permissions(&upper, fs::Permissions::from_mode(covered.mode() & 0o7777))?;
    std::os::unix::fs::chown(&upper, Some(covered.uid()), Some(covered.gid()))?;
    let open = |path: &Path| -> io::Result<OwnedFd> {
        Ok(rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    };
    // Through descriptors no character of a path means anything to the options.
    let (lower, upper, work) = (open(lower)?, open(&upper)?, open(&work)?);
    let through = |descriptor: &OwnedFd| format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let (lower, upper, work) = (through(&lower), through(&upper), through(&work));
    let base = [
        ("lowerdir", Some(lower.as_str())),
        ("upperdir", Some(upper.as_str())),
        ("workdir", Some(work.as_str())),
        ("index", Some("off")),
        ("metacopy", Some("off")),
    ];
    let volatile = [base.as_slice(), &[("volatile", None)]].concat();
    // Old kernels know no volatile mounts.
    mounts::make("overlay", &volatile, MountAttrFlags::MOUNT_ATTR_NODEV)
        .or_else(|_| mounts::make("overlay", &base, MountAttrFlags::MOUNT_ATTR_NODEV))
}
