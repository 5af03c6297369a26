//! Makes the child of a new sandbox or of one more process in it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    pipe::{PipeFlags, pipe_with},
};

use super::output::Output;
use crate::{
    Error, Io, Network, Process, Result, SandboxId, Spec,
    cgroups::Leaf,
    child::{self, Child, Filter, Place},
    sys::{self, Cloned},
};

/// A child that is on its way to its program.
pub struct Started {
    pub pid: i32,
    pub pidfd: OwnedFd,
    /// What went wrong comes from here, or the end.
    pub report: OwnedFd,
    pub output: Option<Output>,
    /// The caller's ends of the pipes; the terminal comes over `report`.
    pub streams: Vec<OwnedFd>,
}

/// What is the same for every child of a sandbox.
pub struct Ground<'a> {
    pub id: &'a SandboxId,
    pub spec: &'a Spec,
    pub cgroups: &'a Leaf,
    pub filter: Option<&'a Filter>,
    /// Our own process id namespace, to come back to.
    pub own: BorrowedFd<'a>,
}

/// The ends of a process's streams, ours and the child's.
#[derive(Default)]
struct Pipes {
    child: Vec<OwnedFd>,
    streams: Vec<OwnedFd>,
    output: Option<Output>,
}

impl Pipes {
    fn make(process: Option<&Process>, log: &Path) -> io::Result<Self> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC);
        match process.map(|process| process.io) {
            None | Some(Io::Streams { terminal: Some(_) }) => Ok(Self::default()),
            Some(Io::Streams { terminal: None }) => {
                let ((input, to), (from, output), (from_error, error)) = (pipe()?, pipe()?, pipe()?);
                Ok(Self { child: vec![input, output, error], streams: vec![to, from, from_error], output: None })
            }
            Some(Io::Logged) => {
                let ((from, output), (from_error, error)) = (pipe()?, pipe()?);
                for end in [&from, &from_error] {
                    rustix::fs::fcntl_setfl(end, rustix::fs::OFlags::NONBLOCK)?;
                }
                let log = Output::create(log, from, from_error)?;
                Ok(Self { child: vec![child::null()?, output, error], streams: Vec::new(), output: Some(log) })
            }
        }
    }
}

/// Starts the first process of a new sandbox.
pub fn first(
    ground: &Ground<'_>,
    process: Option<&Process>,
    log: &Path,
    root: &Path,
    state: &Path,
    network: Option<BorrowedFd<'_>>,
) -> Result<Started> {
    let mut kinds = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC;
    if ground.spec.network == Network::None {
        kinds |= libc::CLONE_NEWNET;
    }
    spawn(ground, process, log, kinds, Place::New { root, state, network }).map_err(Error::machine("making a child"))
}

/// Starts one more process next to `first`.
pub fn further(ground: &Ground<'_>, process: &Process, log: &Path, first: BorrowedFd<'_>) -> Result<Started> {
    // Children are born where this says; we stay where we are.
    sys::setns(first, libc::CLONE_NEWPID).map_err(Error::machine("joining the sandbox"))?;
    let started = spawn(ground, Some(process), log, 0, Place::Join { first });
    if let Err(error) = sys::setns(ground.own, libc::CLONE_NEWPID) {
        // The next sandbox would be made inside this one.
        eprintln!("spawner: cannot leave a sandbox: {error}");
        sys::exit_now(1);
    }
    started.map_err(Error::machine("making a child"))
}

fn spawn(ground: &Ground<'_>, process: Option<&Process>, log: &Path, kinds: i32, place: Place<'_>) -> io::Result<Started> {
    let pipes = Pipes::make(process, log)?;
    let (report, childs_report) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let entrance = ground.cgroups.entrance()?;
    let stdio = match pipes.child.as_slice() {
        [input, output, error] => Some([input.as_fd(), output.as_fd(), error.as_fd()]),
        _ => None,
    };
    // SAFETY: this process has one thread.
    match unsafe { sys::clone3(kinds, entrance.unified.as_ref().map(AsFd::as_fd)) }? {
        Cloned::Child => child::live(&Child {
            id: ground.id,
            spec: ground.spec,
            process,
            cgroups: ground.cgroups,
            entrance: &entrance,
            place,
            stdio,
            report: childs_report.as_fd(),
            filter: ground.filter,
        }),
        Cloned::Parent { pid, pidfd } => {
            rustix::fs::fcntl_setfl(&report, rustix::fs::OFlags::NONBLOCK)?;
            Ok(Started { pid, pidfd, report, output: pipes.output, streams: pipes.streams })
        }
    }
}
