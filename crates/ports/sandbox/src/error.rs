//! What can go wrong with a sandbox.

use std::io;

use serde::{Deserialize, Serialize};

use crate::{NetworkName, ProcessName, SandboxId};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no sandbox `{0}`")]
    NoSandbox(SandboxId),
    #[error("sandbox `{0}` exists already")]
    Exists(SandboxId),
    #[error("sandbox `{0}` runs no more")]
    NotRunning(SandboxId),
    #[error("no process `{1}` in sandbox `{0}`")]
    NoProcess(SandboxId, ProcessName),
    #[error("process `{1}` of sandbox `{0}` exists already")]
    ProcessExists(SandboxId, ProcessName),
    #[error("no network `{0}`")]
    NoNetwork(NetworkName),
    /// The root, a mount, the user or the program is not as the spec says.
    #[error(transparent)]
    CannotStart(#[from] CannotStart),
    /// The spawner went away; what ran is lost and will be told as such.
    #[error("the spawner went away")]
    SpawnerGone(#[source] io::Error),
    #[error("{what}")]
    Machine { what: String, source: io::Error },
}

impl Error {
    pub(crate) fn machine(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Machine { what, source }
    }
}

/// Why a process could not be started; the message names the culprit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct CannotStart {
    pub reason: Reason,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The program is not there; shells tell this as exit code 127.
    ProgramNotFound,
    /// The program cannot be executed; shells tell this as exit code 126.
    ProgramNotExecutable,
    NoSuchUser,
    /// A mount, a limit, a capability name or something else in the spec.
    Spec,
}

impl CannotStart {
    /// The exit code that a container engine tells for this failure.
    pub fn exit_code(&self) -> i32 {
        match self.reason {
            Reason::ProgramNotFound => 127,
            Reason::ProgramNotExecutable => 126,
            Reason::NoSuchUser | Reason::Spec => 125,
        }
    }
}
