//! Builds the root of a sandbox and moves into it.

use std::{
    ffi::CString,
    fs, io,
    os::fd::{AsRawFd, OwnedFd},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags},
    mount::{MountFlags, MountPropagationFlags, UnmountFlags},
};

use super::{
    failure::{Step, spec_error},
    host_view,
    mounts::{self, Depth, Kind, RootFolder},
    standard,
};
use crate::{Access, CannotStart, Mount, Privilege, Root, Spec, cgroups::View};

/// File systems that the kernel makes up: nothing of the caller's belongs into them.
const KERNEL_FOLDERS: [&str; 2] = ["proc", "sys"];

/// Builds everything at `place`, a folder of the host, and makes it the root.
pub fn enter(spec: &Spec, place: &Path, state: &Path, cgroups: &View) -> Result<(), CannotStart> {
    rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .step(|| "leaving the host's mounts".to_owned())?;
    let blank = standard::make_blank(state).step(|| "making blanks".to_owned())?;
    mount_root(spec, place, state).step(|| "mounting the root".to_owned())?;
    let root = RootFolder::open(place).step(|| "opening the root".to_owned())?;
    if let Root::Host(view) = &spec.root {
        host_view::fill(&root, view, state, &blank)?;
    }
    standard::mount_all(&root, spec, &blank, cgroups)?;
    for mount in &spec.mounts {
        mount_one(&root, mount)?;
    }
    if spec.security.read_only_root {
        mounts::set_attributes(root.as_fd(), Depth::This, libc::MOUNT_ATTR_RDONLY).step(|| "protecting the root".to_owned())?;
    }
    drop(root);
    pivot(place).step(|| "moving into the root".to_owned())
}

fn mount_root(spec: &Spec, place: &Path, state: &Path) -> Result<(), CannotStart> {
    // Device files must not work outside /dev, see `standard`.
    let nodev = if spec.security.privilege == Privilege::Privileged { 0 } else { libc::MOUNT_ATTR_NODEV };
    match &spec.root {
        Root::Layers { lower, scratch } => {
            let empty = state.join("blank/folder");
            let lower = if lower.is_empty() { std::slice::from_ref(&empty) } else { lower };
            overlay(lower, scratch, place, nodev)
        }
        Root::Host(view) => overlay(&[PathBuf::from("/")], &view.scratch, place, nodev),
        Root::Dir(folder) => {
            let copy = mounts::copy(folder, Depth::This, nodev).step(|| format!("`{}`", folder.display()))?;
            mounts::attach(&copy, open_path(place).step(|| format!("`{}`", place.display()))?)
                .step(|| format!("`{}`", folder.display()))
        }
    }
}

/// Mounts `lower` (the topmost first) under what is written to `scratch/upper`.
pub fn overlay(lower: &[PathBuf], scratch: &Path, place: &Path, attributes: u64) -> Result<(), CannotStart> {
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    let prepare = || -> io::Result<()> {
        // An earlier volatile mount leaves a mark that forbids the next one.
        match fs::remove_dir_all(&work) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&work)?;
        if upper.exists() {
            return Ok(());
        }
        fs::create_dir(&upper)?;
        // The upper folder is what shows as `/`: it takes after the one it covers.
        let Some(top) = lower.first() else { return Ok(()) };
        let covered = fs::metadata(top)?;
        fs::set_permissions(&upper, covered.permissions())?;
        std::os::unix::fs::chown(&upper, Some(covered.uid()), Some(covered.gid()))
    };
    prepare().step(|| format!("`{}`", scratch.display()))?;
    // Through descriptors the options stay short, whatever the names; a page is the limit.
    let open = |path: &Path| open_path(path).step(|| format!("layer `{}`", path.display()));
    let lower = lower.iter().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
    let (upper, work) = (open(&upper)?, open(&work)?);
    let layers: Vec<_> = lower.iter().map(through).collect();
    let base = format!(
        "lowerdir={},upperdir={},workdir={},index=off,redirect_dir=off,metacopy=off",
        layers.join(":"),
        through(&upper),
        through(&work)
    );
    let flags = if attributes & libc::MOUNT_ATTR_NODEV != 0 { MountFlags::NODEV } else { MountFlags::empty() };
    let mount = |options: String| {
        let options = CString::new(options).map_err(|_| rustix::io::Errno::INVAL)?;
        rustix::mount::mount("overlay", place, "overlay", flags, options.as_c_str())
    };
    // Old kernels know no volatile mounts.
    mount(format!("{base},volatile")).or_else(|_| mount(base)).step(|| format!("overlay of {} layers", layers.len()))
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

fn through(descriptor: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}

fn mount_one(root: &RootFolder, mount: &Mount) -> Result<(), CannotStart> {
    match mount {
        Mount::Bind { source, target, access } => {
            let what = || format!("mounting `{}` at `{}`", source.display(), target.display());
            let mut attributes = libc::MOUNT_ATTR_NODEV;
            if *access == Access::ReadOnly {
                attributes |= libc::MOUNT_ATTR_RDONLY;
            }
            let copy = mounts::copy(source, Depth::WithMountsBelow, attributes).step(what)?;
            let kind = mounts::kind(&copy).step(what)?;
            attach(root, target, kind, &copy).step(what)
        }
        Mount::Tmpfs { target, size_bytes, mode } => {
            let what = || format!("mounting tmpfs at `{}`", target.display());
            let (size, mode) = (size_bytes.map(|size| size.to_string()), format!("{mode:o}"));
            let mut options = vec![("mode", Some(mode.as_str()))];
            if let Some(size) = &size {
                options.push(("size", Some(size)));
            }
            use rustix::mount::MountAttrFlags as Flags;
            let made = mounts::make("tmpfs", &options, Flags::MOUNT_ATTR_NODEV | Flags::MOUNT_ATTR_NOSUID).step(what)?;
            attach(root, target, Kind::Folder, &made).step(what)
        }
    }
}

fn attach(root: &RootFolder, target: &Path, kind: Kind, mount: &OwnedFd) -> Result<(), CannotStart> {
    let first = target.components().find_map(|component| match component {
        Component::Normal(name) => Some(name.as_bytes()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    });
    let Some(first) = first else { return Err(spec_error("`/` cannot be a target".to_owned())) };
    if KERNEL_FOLDERS.iter().any(|folder| folder.as_bytes() == first) {
        return Err(spec_error("nothing can be mounted below /proc and /sys".to_owned()));
    }
    let place = root.find_or_make(target, kind).step(|| "finding the target".to_owned())?;
    // A link may still have led there.
    let found = rustix::fs::fstatfs(&place).step(|| "looking at the target".to_owned())?;
    if found.f_type == rustix::fs::PROC_SUPER_MAGIC || found.f_type as i64 == SYSFS_MAGIC {
        return Err(spec_error("nothing can be mounted below /proc and /sys".to_owned()));
    }
    let same = mounts::kind(&place).step(|| "looking at the target".to_owned())? == kind;
    if !same {
        return Err(spec_error("a folder goes onto a folder only, a file onto a file".to_owned()));
    }
    mounts::attach(mount, place).step(|| "attaching".to_owned())
}

const SYSFS_MAGIC: i64 = 0x6265_6572;

fn pivot(place: &Path) -> io::Result<()> {
    rustix::process::chdir(place)?;
    rustix::process::pivot_root(".", ".")?;
    // Both roots now lie on top of each other; the upper one is the old.
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}
