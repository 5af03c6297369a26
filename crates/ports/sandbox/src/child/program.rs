//! The last steps of a child: streams, user, rights, and the program itself.

use std::{
    ffi::{CString, OsStr},
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::Path,
};

use rustix::fs::{Mode, OFlags};

use super::{
    capabilities,
    failure::{Step, spec_error},
    filter::Filter,
    users::{self, Identity},
};
use crate::{CannotStart, Io, Process, Reason, Security, sys};

const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Neither passwd nor group files of honest images are longer.
const LONGEST_USER_FILE: u64 = 16 * 1024 * 1024;

/// Descriptors for input, output and error output.
pub struct Stdio {
    pub input: OwnedFd,
    pub output: OwnedFd,
    pub error: OwnedFd,
}

/// The identity of the process, by files inside the root.
pub fn identify(process: &Process, security: &Security) -> Result<Identity, CannotStart> {
    let mut identity = users::identity(&process.user, &user_file("/etc/passwd"), &user_file("/etc/group"))?;
    identity.groups.extend(&security.groups);
    Ok(identity)
}

/// A root may lack these files, or have something else in their place.
fn user_file(path: &str) -> String {
    let read = || -> io::Result<String> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() || metadata.size() > LONGEST_USER_FILE {
            return Ok(String::new());
        }
        Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
    };
    read().unwrap_or_default()
}

/// Opens a terminal inside the sandbox; its other end goes to the caller.
pub fn open_terminal(columns: u16, rows: u16) -> io::Result<(OwnedFd, Stdio)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let caller = rustix::fs::open("/dev/pts/ptmx", flags, Mode::empty())?;
    rustix::pty::unlockpt(&caller)?;
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&caller, size)?;
    let peer = rustix::pty::ioctl_tiocgptpeer(&caller, rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY)?;
    Ok((caller, Stdio { input: peer.try_clone()?, output: peer.try_clone()?, error: peer }))
}

/// Becomes the program; returns only to tell why not.
pub fn start(
    process: &Process,
    security: &Security,
    filter: Option<&Filter>,
    stdio: Stdio,
    report: BorrowedFd<'_>,
    hostname: &str,
) -> CannotStart {
    match prepare(process, security, filter, stdio, report, hostname) {
        Ok((candidates, arguments, environment)) => execute(process, &candidates, &arguments, &environment),
        Err(error) => error,
    }
}

type Prepared = (Vec<CString>, Vec<CString>, Vec<CString>);

fn prepare(
    process: &Process,
    security: &Security,
    filter: Option<&Filter>,
    stdio: Stdio,
    report: BorrowedFd<'_>,
    hostname: &str,
) -> Result<Prepared, CannotStart> {
    let identity = identify(process, security)?;
    let environment = environment(process, &identity, hostname);
    let set = capabilities::wanted(security)?;
    take_streams(stdio, &identity).step(|| "preparing input and output".to_owned())?;
    // No descriptor of the host may be open from here on: a working directory such as
    // /proc/self/fd/7 must lead nowhere.
    sys::close_all_but(report.as_raw_fd()).step(|| "closing descriptors".to_owned())?;
    // SAFETY: no memory is involved.
    unsafe { libc::setsid() };
    if matches!(process.io, Io::Streams { terminal: Some(_) }) {
        // SAFETY: standard input is the terminal.
        sys::check(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) }.into()).step(|| "taking the terminal".to_owned())?;
    }
    limit_resources().step(|| "setting resource limits".to_owned())?;
    let cwd = if process.cwd.is_empty() { "/" } else { &process.cwd };
    if !cwd.starts_with('/') {
        return Err(spec_error(format!("working directory `{cwd}` is not absolute")));
    }
    if !Path::new(cwd).exists() {
        fs::create_dir_all(cwd).step(|| format!("making the working directory `{cwd}`"))?;
    }
    if security.no_new_privileges {
        sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).step(|| "giving up new privileges".to_owned())?;
    }
    // The filter needs a right that goes with the capabilities.
    if let Some(filter) = filter {
        filter.install().step(|| "installing the system call filter".to_owned())?;
    }
    capabilities::bound(set).step(|| "bounding capabilities".to_owned())?;
    become_user(&identity).step(|| format!("becoming user {}", identity.uid))?;
    capabilities::apply(set).step(|| "setting capabilities".to_owned())?;
    std::env::set_current_dir(cwd).step(|| format!("entering the working directory `{cwd}`"))?;
    match std::env::current_dir() {
        Ok(found) if found.is_absolute() => {}
        _ => return Err(spec_error(format!("working directory `{cwd}` lies outside of the root"))),
    }
    // Changing the user resets it. A process without its spawner would run unobserved.
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64).step(|| "binding to the spawner".to_owned())?;
    let text = |text: &str| CString::new(text).map_err(|_| spec_error(format!("`{}` has a zero byte", text.escape_debug())));
    let arguments = process.args.iter().map(|argument| text(argument)).collect::<Result<Vec<_>, _>>()?;
    let Some(program) = process.args.first().filter(|program| !program.is_empty()) else {
        return Err(CannotStart { reason: Reason::ProgramNotFound, message: "no program is given".to_owned() });
    };
    let path = environment.iter().rev().find(|(name, _)| name == "PATH").map_or(STANDARD_PATH, |(_, value)| value);
    let candidates = match program.contains('/') {
        true => vec![text(program)?],
        false => path
            .split(':')
            .map(|folder| text(&format!("{}/{program}", if folder.is_empty() { "." } else { folder })))
            .collect::<Result<_, _>>()?,
    };
    let environment =
        environment.iter().map(|(name, value)| text(&format!("{name}={value}"))).collect::<Result<Vec<_>, _>>()?;
    Ok((candidates, arguments, environment))
}

fn environment(process: &Process, identity: &Identity, hostname: &str) -> Vec<(String, String)> {
    let mut environment = process.env.clone();
    let mut add = |name: &str, value: &str| {
        if !environment.iter().any(|(known, _)| known == name) {
            environment.push((name.to_owned(), value.to_owned()));
        }
    };
    add("PATH", STANDARD_PATH);
    add("HOME", &identity.home);
    add("HOSTNAME", hostname);
    if matches!(process.io, Io::Streams { terminal: Some(_) }) {
        add("TERM", "xterm");
    }
    environment
}

/// Puts the streams into their places, owned by the user: `/dev/stdout` can then be opened by name.
fn take_streams(stdio: Stdio, identity: &Identity) -> io::Result<()> {
    let streams = [stdio.input, stdio.output, stdio.error].map(|fd| rustix::io::fcntl_dupfd_cloexec(&fd, 3));
    for (number, stream) in (0..).zip(streams) {
        let stream = stream?;
        let found = rustix::fs::fstat(&stream)?;
        let shared = rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::CharacterDevice
            && rustix::fs::major(found.st_rdev) == 1;
        if !shared && found.st_uid != identity.uid {
            let owner = rustix::fs::Uid::from_raw(identity.uid);
            rustix::fs::fchown(&stream, Some(owner), None)?;
        }
        // SAFETY: 0, 1 and 2 belong to nobody in this process that still uses them.
        sys::check(unsafe { libc::dup2(stream.as_raw_fd(), number) }.into())?;
    }
    Ok(())
}

/// The server may have raised its own soft limit; programs that use `select` want the usual one.
fn limit_resources() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let files = getrlimit(Resource::Nofile);
    let current = Some(files.maximum.map_or(SOFT_FILES, |most| most.min(SOFT_FILES)));
    setrlimit(Resource::Nofile, Rlimit { current, maximum: files.maximum })?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum })?;
    Ok(())
}

/// Open files at first; programs may raise it to the hard limit.
const SOFT_FILES: u64 = 65_536;

fn become_user(identity: &Identity) -> io::Result<()> {
    let groups = &identity.groups;
    // SAFETY: the slice outlives the call. The calls act on this thread, the only one.
    unsafe {
        sys::check(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()))?;
        sys::check(libc::syscall(libc::SYS_setresgid, identity.gid, identity.gid, identity.gid))?;
        sys::check(libc::syscall(libc::SYS_setresuid, identity.uid, identity.uid, identity.uid))?;
    }
    Ok(())
}

fn execute(process: &Process, candidates: &[CString], arguments: &[CString], environment: &[CString]) -> CannotStart {
    let pointers = |strings: &[CString]| {
        strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    let mut found = None;
    for candidate in candidates {
        // SAFETY: both arrays end with a null pointer and outlive the call.
        unsafe { libc::execve(candidate.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        let error = io::Error::last_os_error();
        let absent = matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR));
        // A script whose interpreter is missing looks absent too, but then the file itself is there.
        if !absent || Path::new(OsStr::from_bytes(candidate.as_bytes())).exists() {
            found.get_or_insert(error);
        }
    }
    let program = process.args.first().map_or("", String::as_str);
    match found {
        None => CannotStart { reason: Reason::ProgramNotFound, message: format!("program `{program}` not found") },
        Some(error) => CannotStart { reason: Reason::ProgramNotExecutable, message: format!("executing `{program}`: {error}") },
    }
}

/// Whether standard streams are what they were meant to be; a closed descriptor would be taken by the next file opened.
pub fn null() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

/// A second descriptor for the same stream.
pub fn duplicate(stream: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(stream, 3)?)
}
