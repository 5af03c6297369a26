//! Finds a `subPath` inside a volume without ever leaving it.
//!
//! A container that can write to the volume may put symbolic links there, so the
//! path is resolved by the kernel beneath the volume and then held by a mount of
//! its own: what is mounted is what was checked.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

/// Holds the `inner` path of `volume` at `pin`; a missing path becomes a folder.
pub fn pin(volume: &Path, inner: &str, pin: &Path) -> io::Result<()> {
    let found = open_or_make(volume, inner)?;
    let is_dir = fs::metadata(format!("/proc/self/fd/{}", found.as_raw_fd()))?.is_dir();
    unpin(pin)?;
    match is_dir {
        true => fs::create_dir_all(pin)?,
        false => {
            pin.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(pin, b"")?;
        }
    }
    let source = format!("/proc/self/fd/{}", found.as_raw_fd());
    Ok(rustix::mount::mount_bind_recursive(source, pin)?)
}

/// Lets go of what [`pin`] holds; nothing held is success.
pub fn unpin(pin: &Path) -> io::Result<()> {
    use rustix::mount::{UnmountFlags, unmount};
    while unmount(pin, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {}
    Ok(())
}

fn open_or_make(volume: &Path, inner: &str) -> io::Result<OwnedFd> {
    let root = rustix::fs::open(
        volume,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    match beneath(&root, inner) {
        Err(rustix::io::Errno::NOENT) => {}
        other => return Ok(other?),
    }
    let mut folder = rustix::fs::openat2(
        CWD,
        volume,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::empty(),
    )?;
    let mut done = String::new();
    for part in inner.split('/').filter(|part| !part.is_empty()) {
        done = if done.is_empty() {
            part.to_owned()
        } else {
            format!("{done}/{part}")
        };
        folder = match beneath(&root, &done) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => {
                rustix::fs::mkdirat(&folder, part, Mode::from_raw_mode(0o777))?;
                beneath(&root, &done)?
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(folder)
}

fn beneath(root: impl AsFd, inner: &str) -> rustix::io::Result<OwnedFd> {
    let flags = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(
        root,
        inner,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        flags,
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_cannot_leave_the_volume() {
        let dir = tempfile::tempdir().expect("a folder");
        let volume = dir.path().join("v");
        fs::create_dir_all(volume.join("real")).expect("a folder");
        symlink("/etc", volume.join("out")).expect("a link");
        symlink("real", volume.join("in")).expect("a link");
        let open = |inner: &str| {
            open_or_make(&volume, inner)
                .map(drop)
                .map_err(|error| error.raw_os_error())
        };
        assert_eq!(open("in"), Ok(()));
        assert_eq!(open("new/deep"), Ok(()));
        assert!(volume.join("new/deep").is_dir());
        let escapes = Err(Some(rustix::io::Errno::XDEV.raw_os_error()));
        assert_eq!(open("out/passwd"), escapes);
        assert_eq!(open("../x"), escapes);
    }
}
