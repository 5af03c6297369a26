//! What a cloned child does until it is the program: it makes or joins a sandbox, and reports what went wrong.

mod capabilities;
mod failure;
mod filter;
mod host_view;
mod idle;
pub mod mounts;
mod program;
mod root;
mod standard;
mod users;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use failure::Step;
pub use filter::{Administrative, Filter};
pub use program::null;
use program::Stdio;

use crate::{CannotStart, Io, Main, Network, Privilege, Process, Seccomp, SandboxId, Security, Spec, cgroups, netlink::Netlink, sys, wire};

/// Everything a child needs; descriptors were opened before, outside.
pub struct Child<'a> {
    pub id: &'a SandboxId,
    pub spec: &'a Spec,
    /// `None` for the built-in first process.
    pub process: Option<&'a Process>,
    pub cgroups: &'a cgroups::Leaf,
    pub entrance: &'a cgroups::Entrance,
    pub place: Place<'a>,
    /// Input, output and error output, unless there is a terminal.
    pub stdio: Option<[BorrowedFd<'a>; 3]>,
    /// Where failures and the terminal go; closed by success.
    pub report: BorrowedFd<'a>,
    pub filter: Option<&'a Filter>,
}

/// How the child comes to its namespaces.
pub enum Place<'a> {
    /// It is the first process in new ones; `root` is where the root is built.
    New { root: &'a Path, state: &'a Path, network: Option<BorrowedFd<'a>> },
    /// It joins those of this process.
    Join { first: BorrowedFd<'a> },
}

/// The filter that `security` asks for.
pub fn filter(security: &Security) -> io::Result<Option<Filter>> {
    if security.privilege == Privilege::Privileged || security.seccomp == Seccomp::Unconfined {
        return Ok(None);
    }
    let set = capabilities::wanted(security).map_err(io::Error::other)?;
    let administrative = if set.may_administrate() { Administrative::Allowed } else { Administrative::Forbidden };
    Filter::standard(administrative).map(Some)
}

/// Checks what can be known before a child is made.
pub fn check(spec: &Spec) -> Result<(), CannotStart> {
    capabilities::wanted(&spec.security)?;
    match &spec.main {
        Main::Process(process) if process.args.is_empty() => Err(failure::spec_error("no program is given".to_owned())),
        Main::Process(_) | Main::Idle => Ok(()),
    }
}

/// The whole life of a child; ends in the program or in a report.
pub fn live(child: &Child<'_>) -> ! {
    let Err(why) = become_program(child);
    if let Ok(message) = wire::frame(&why) {
        let _ = wire::send(child.report, &message, &[]);
    }
    sys::exit_now(125)
}

fn become_program(child: &Child<'_>) -> Result<std::convert::Infallible, CannotStart> {
    // Until the program runs, nothing inside may look into this process or at its executable.
    sys::prctl(libc::PR_SET_DUMPABLE, 0).step(|| "hiding from others".to_owned())?;
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64).step(|| "binding to the spawner".to_owned())?;
    forget_signals().step(|| "setting signals".to_owned())?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    child.entrance.enter().step(|| "entering control groups".to_owned())?;
    if let Some(score) = child.spec.security.oom_score {
        // Lowering it takes a right that we may not have; the limit still holds.
        let _ = std::fs::write("/proc/self/oom_score_adj", score.clamp(-1000, 1000).to_string());
    }
    match child.place {
        Place::New { root, state, network } => make(child, root, state, network)?,
        Place::Join { first } => join(first)?,
    }
    let Some(process) = child.process else {
        return idle::idle().step(|| "waiting".to_owned());
    };
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let stdio = streams(child, process).step(|| "preparing input and output".to_owned())?;
    Err(program::start(process, &child.spec.security, child.filter, stdio, child.report, &hostname))
}

/// What is ignored or blocked here stays so in the program. The runtime ignores broken pipes, and
/// whoever started the server may ignore more: a shell does so to what it puts into the background.
fn forget_signals() -> std::io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: no memory is involved. Some cannot be set: those are never ignored either.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is a local; an empty one is valid.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        sys::check(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()).into())?;
    }
    Ok(())
}

fn make(child: &Child<'_>, root: &Path, state: &Path, network: Option<BorrowedFd<'_>>) -> Result<(), CannotStart> {
    if let Some(network) = network {
        sys::setns(network, libc::CLONE_NEWNET).step(|| "joining the network".to_owned())?;
    }
    if child.spec.network == Network::None {
        Netlink::open().and_then(|netlink| netlink.set_up("lo")).step(|| "starting `lo`".to_owned())?;
    }
    // Only now, in its groups: they become the root of what is seen inside.
    sys::unshare(libc::CLONE_NEWCGROUP).step(|| "making a control group namespace".to_owned())?;
    let hostname = child.spec.hostname.clone().unwrap_or_else(|| child.id.as_str().chars().take(63).collect());
    rustix::system::sethostname(hostname.as_bytes()).step(|| format!("setting hostname `{hostname}`"))?;
    root::enter(child.spec, root, state, &child.cgroups.view())
}

fn join(first: BorrowedFd<'_>) -> Result<(), CannotStart> {
    let kinds =
        libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;
    sys::setns(first, kinds).step(|| "joining the sandbox".to_owned())
}

fn streams(child: &Child<'_>, process: &Process) -> io::Result<Stdio> {
    match (process.io, child.stdio) {
        (Io::Streams { terminal: Some((columns, rows)) }, _) => {
            let (caller, stdio) = program::open_terminal(columns, rows)?;
            wire::send(child.report, &TERMINAL, &[caller.as_fd()])?;
            Ok(stdio)
        }
        (_, Some(streams)) => {
            let [input, output, error] = streams.map(program::duplicate);
            Ok(Stdio { input: input?, output: output?, error: error? })
        }
        (_, None) => Err(io::Error::other("no streams were given")),
    }
}

/// An empty message: the terminal is beside it. [`wire::Inbox`] takes it for `null`.
const TERMINAL: [u8; 8] = [4, 0, 0, 0, b'n', b'u', b'l', b'l'];

/// What a child reported, from all the bytes it sent.
pub struct Report {
    pub failure: Option<CannotStart>,
    pub terminal: Option<OwnedFd>,
}

/// Reads what a child sent before it closed its end.
pub fn read_report(inbox: &mut wire::Inbox) -> io::Result<Report> {
    let mut failure = None;
    while let Some(message) = inbox.take::<Option<CannotStart>>()? {
        failure = failure.or(message);
    }
    Ok(Report { failure, terminal: inbox.take_descriptors().pop() })
}
