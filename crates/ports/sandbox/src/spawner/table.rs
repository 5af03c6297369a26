//! The sandboxes a spawner knows, and what they wait for.

use std::{collections::BTreeMap, os::fd::OwnedFd, path::PathBuf, rc::Rc, time::Instant};

use names::Timestamp;

use super::{output::Output, records};
use crate::{
    CannotStart, Exit, Process, ProcessName, ProcessStatus, SandboxId, Spec, Status, cgroups::Leaf, child::Filter, wire::Inbox,
};

/// Tells one file descriptor of the loop from another; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// One sandbox, running or ended.
pub struct Entry {
    pub folder: PathBuf,
    pub labels: BTreeMap<String, String>,
    pub started: Timestamp,
    pub idle: bool,
    pub cgroups: Leaf,
    /// `None` for those of an earlier spawner: they run no more.
    pub live: Option<Live>,
    pub exit: Option<Exit>,
    pub processes: BTreeMap<ProcessName, ProcessEntry>,
    /// Clients that wait for the end of everything.
    pub stoppers: Vec<Token>,
    /// When everything is killed.
    pub deadline: Option<Instant>,
    /// Clients that wait until it is gone; it is to go if there are any, or if `forget`.
    pub removers: Vec<Token>,
    pub forget: bool,
    /// Who asked for a sandbox that could not be made, and why it could not.
    pub failure: Option<(Token, CannotStart)>,
}

/// What only a running sandbox needs.
pub struct Live {
    pub spec: Box<Spec>,
    pub filter: Option<Rc<Filter>>,
}

/// One process, running or ended.
pub struct ProcessEntry {
    pub started: Timestamp,
    pub process: Option<Process>,
    pub logged: bool,
    pub running: Option<RunningProcess>,
    pub output: Option<Output>,
    pub exit: Option<Exit>,
    pub waiters: Vec<Token>,
    pub memory_kills: u64,
}

pub struct RunningProcess {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub starting: Option<Starting>,
    /// Why it could not be started; told once it is reaped.
    pub failed: Option<CannotStart>,
    pub asker: Token,
}

/// Until the child's end of the report is closed.
pub struct Starting {
    pub report: OwnedFd,
    pub inbox: Inbox,
    pub streams: Vec<OwnedFd>,
}

impl Entry {
    pub fn of_earlier(state: &std::path::Path, record: records::Record, status: Status) -> Self {
        let processes = status.processes.into_iter().map(|process| {
            let entry = ProcessEntry {
                started: process.started,
                process: None,
                logged: process.log.is_some(),
                running: None,
                output: None,
                exit: process.exit,
                waiters: Vec::new(),
                memory_kills: 0,
            };
            (process.name, entry)
        });
        Self {
            folder: state.join(records::FOLDER).join(status.id.as_str()),
            labels: record.labels,
            started: record.started,
            idle: record.idle,
            cgroups: record.cgroups,
            live: None,
            exit: status.exit,
            processes: processes.collect(),
            stoppers: Vec::new(),
            deadline: None,
            removers: Vec::new(),
            forget: false,
            failure: None,
        }
    }

    pub fn status(&self, id: &SandboxId) -> Status {
        let shown = self.processes.iter().filter(|(name, _)| !self.idle || **name != ProcessName::main());
        let processes = shown.map(|(name, process)| ProcessStatus {
            name: name.clone(),
            started: process.started,
            log: process.logged.then(|| records::log_path(&self.folder, name)),
            exit: process.exit.clone(),
        });
        Status {
            id: id.clone(),
            labels: self.labels.clone(),
            started: self.started,
            exit: self.exit.clone(),
            processes: processes.collect(),
        }
    }

    pub fn main(&self) -> Option<&RunningProcess> {
        self.processes.get(&ProcessName::main())?.running.as_ref()
    }

    pub fn is_running(&self) -> bool {
        self.processes.values().any(|process| process.running.is_some())
    }
}
