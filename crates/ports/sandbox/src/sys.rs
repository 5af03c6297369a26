//! System calls that neither `rustix` nor `libc` wraps, each as a small safe function.

use std::{
    ffi::c_int,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use tokio::io::unix::AsyncFd;

/// Hands a descriptor to the async runtime; it must not block.
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned by the result and stays open as long as that.
    Ok(unsafe { AsyncFd::register(fd) }?)
}

/// Turns a C result into a Rust one.
pub fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// What the caller of [`clone3`] became.
pub enum Cloned {
    Child,
    Parent { pid: i32, pidfd: OwnedFd },
}

/// Forks into new namespaces and, with `cgroup`, into a control group of the second version.
///
/// # Safety
///
/// The process has one thread, so the child may do whatever the parent may.
pub unsafe fn clone3(flags: c_int, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    let mut pidfd: c_int = -1;
    // SAFETY: all fields are plain numbers, and zero means unset for each of them.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = u64::from((flags | libc::CLONE_PIDFD) as u32);
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        arguments.flags |= 0x2_0000_0000; // CLONE_INTO_CGROUP
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: the structure outlives the call; the caller vouches for the rest.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: the kernel just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned::Parent { pid: i32::try_from(pid).map_err(io::Error::other)?, pidfd })
}

/// Joins the namespaces `kinds` of a process (by its pidfd) or of a namespace file.
pub fn setns(fd: BorrowedFd<'_>, kinds: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::setns(fd.as_raw_fd(), kinds) }.into()).map(drop)
}

pub fn unshare(kinds: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::unshare(kinds) }.into()).map(drop)
}

pub fn prctl(option: c_int, argument: u64) -> io::Result<()> {
    // SAFETY: the options used here take numbers only.
    check(unsafe { libc::prctl(option, argument, 0_u64, 0_u64, 0_u64) }.into()).map(drop)
}

pub fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: c_int) -> io::Result<()> {
    // SAFETY: the kernel accepts a null siginfo.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<u8>(), 0) }).map(drop)
}

pub fn kill(pid: i32, signal: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// Changes attributes of a mount (`libc::MOUNT_ATTR_…`), of the ones below it as well with `AT_RECURSIVE`.
pub fn mount_setattr(mount: BorrowedFd<'_>, set: u64, flags: c_int) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = flags | libc::AT_EMPTY_PATH;
    // SAFETY: the structure and the empty path outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    check(result).map(drop)
}

/// Closes every descriptor from 3 on but `kept`; a negative one keeps none.
pub fn close_all_but(kept: RawFd) -> io::Result<()> {
    let close = |first: u32, last: u32| {
        if first > last {
            return Ok(());
        }
        // SAFETY: owners of these descriptors never run again: the caller executes a program or exits.
        check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
    };
    let Ok(kept) = u32::try_from(kept) else { return close(3, u32::MAX) };
    close(3, kept.saturating_sub(1))?;
    close(kept.max(2) + 1, u32::MAX)
}

/// Ends the process without running anything of ours again.
pub fn exit_now(code: c_int) -> ! {
    // SAFETY: never returns.
    unsafe { libc::_exit(code) }
}

/// The end of a child, once its pidfd is readable: exit code and signal.
pub fn reap(pidfd: BorrowedFd<'_>) -> io::Result<(i32, Option<i32>)> {
    // SAFETY: zero is a valid siginfo.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the structure outlives the call.
    check(unsafe { libc::waitid(libc::P_PIDFD, pidfd.as_raw_fd() as u32, &raw mut info, libc::WEXITED) }.into())?;
    // SAFETY: waitid filled in the fields of an ended child.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { (status, None) } else { (128 + status, Some(status)) })
}
