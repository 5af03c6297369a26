//! The process that makes sandboxes and outlives the server: one thread, one loop.
//!
//! It holds pidfds, network namespaces and the reading ends of output. When it dies, everything in its
//! sandboxes dies with it (the kernel kills the first process of each), so nothing runs unobserved; the
//! next spawner finds the records on disk and tells those ends as lost.

mod client;
mod networks;
mod output;
mod records;
mod serve;
mod start;
mod table;
mod work;

use std::{
    ffi::{CString, OsString},
    fs, io,
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, fs::DirBuilderExt},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub use networks::{Nat, nat, remove_bridge};
pub use records::group_of;
use rustix::fs::{FlockOperation, flock};

use crate::{child, sys};

/// The first argument of a spawner; the second is the state folder.
pub const ARGUMENT: &str = "landfall-spawner";

/// The name of its socket in the state folder.
pub const SOCKET: &str = "spawner.sock";

/// Marks a spawner that runs from a mount of its own.
const SEALED: &str = "sealed";

/// What a spawner that is ready says on its standard output.
pub const READY: &[u8] = b"ready\n";

/// Becomes a spawner, and never returns, if this process was started as one: the first line of `main`.
pub fn spawner_main_if_asked() {
    let mut arguments = std::env::args_os();
    if arguments.next().is_none_or(|first| first != ARGUMENT) {
        return;
    }
    let state = arguments.next().map(PathBuf::from);
    let sealed = arguments.next() == Some(OsString::from(SEALED));
    let result = match state {
        Some(state) if sealed => run(&state),
        Some(state) => {
            // Old kernels lack what sealing needs; the rest works.
            let _ = seal(&state);
            run(&state)
        }
        None => Err(io::Error::other("no state folder is given")),
    };
    match result {
        Ok(()) => sys::exit_now(0),
        Err(error) => {
            eprintln!("spawner: {error}");
            sys::exit_now(1)
        }
    }
}

/// The name of a spawner's control groups, from its state folder's.
pub fn group_name(state: &Path) -> String {
    format!("landfall-{:08x}", hash(state.as_os_str().as_bytes()) as u32)
}

/// FNV-1a: short names from long ones, the same after every start.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Executes this program again from a read-only mount that nobody else can reach, so that a process
/// inside which gets hold of its executable through `/proc` cannot overwrite it.
fn seal(state: &Path) -> io::Result<()> {
    use rustix::mount::{OpenTreeFlags, open_tree};
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(rustix::fs::CWD, "/proc/self/exe", flags)?;
    sys::mount_setattr(std::os::fd::AsFd::as_fd(&tree), libc::MOUNT_ATTR_RDONLY, 0)?;
    let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::other);
    let arguments = [text(ARGUMENT.as_bytes())?, text(state.as_os_str().as_bytes())?, text(SEALED.as_bytes())?];
    let environment: Vec<_> = std::env::vars_os()
        .map(|(name, value)| text(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<io::Result<_>>()?;
    let pointers =
        |strings: &[CString]| strings.iter().map(|it| it.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
    let (arguments, environment) = (pointers(&arguments), pointers(&environment));
    // SAFETY: the arrays end with null pointers and outlive the call, which returns only on failure.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            tree.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    Err(io::Error::last_os_error())
}

/// Waits a moment for an earlier spawner that is on its way out.
fn take(lock: &fs::File) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(3);
    loop {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(io::Error::other(format!("another spawner holds the lock: {error}"))),
            Ok(()) => return Ok(()),
        }
    }
}

fn run(state: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state)?;
    rustix::process::chdir("/")?;
    // SAFETY: one thread; the parent ends at once, so whoever started us waits for it and not for us.
    match unsafe { sys::clone3(0, None)? } {
        sys::Cloned::Parent { .. } => return Ok(()),
        sys::Cloned::Child => {}
    }
    // SAFETY: no memory is involved.
    unsafe {
        libc::setsid();
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(state.join("spawner.lock"))?;
    take(&lock)?;
    let mut spawner = serve::Spawner::new(state)?;
    rustix::io::write(rustix::stdio::stdout(), READY)?;
    let null = child::null()?;
    // SAFETY: nobody else in this process uses standard output.
    sys::check(unsafe { libc::dup2(null.as_raw_fd(), 1) }.into())?;
    spawner.serve()
}
