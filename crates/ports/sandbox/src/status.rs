//! What is known about a sandbox and its processes, and how to stop them.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use names::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ProcessName, SandboxId};

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// As a shell tells it: 128 and the signal when a signal ended the process.
    pub code: i32,
    pub signal: Option<i32>,
    /// The sandbox's memory limit killed a process while this one ran, and it did not end well.
    pub oom_killed: bool,
    /// Nobody saw the end: the machine or the spawner went away. `code` is then 137.
    pub lost: bool,
    pub started: Timestamp,
    pub finished: Timestamp,
}

impl Exit {
    pub fn success(&self) -> bool {
        self.code == 0
    }
}

/// A sandbox that was not removed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub id: SandboxId,
    pub labels: BTreeMap<String, String>,
    pub started: Timestamp,
    /// The end of the main process, and with it of everything inside.
    pub exit: Option<Exit>,
    /// Every process started so far, the main one (if it is no [`crate::Main::Idle`]) included.
    pub processes: Vec<ProcessStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    pub name: ProcessName,
    pub started: Timestamp,
    /// `None` for processes with [`crate::Io::Streams`].
    pub log: Option<PathBuf>,
    pub exit: Option<Exit>,
}

/// What [`crate::Sandbox::stop`] stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Sends the signal to the main process alone, or to an executed process and its process group.
    Process(ProcessName, Signal),
    /// Sends `signal` to the main process (for [`crate::Main::Idle`] to all), kills everything after
    /// `grace`, and returns when nothing is left running.
    All { signal: Signal, grace: Duration },
    /// Kills what still runs and forgets the sandbox, its logs included. Succeeds if there is none.
    Remove,
}

/// A signal by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(pub i32);

impl Signal {
    pub const HUP: Self = Self(1);
    pub const INT: Self = Self(2);
    pub const QUIT: Self = Self(3);
    pub const KILL: Self = Self(9);
    pub const USR1: Self = Self(10);
    pub const USR2: Self = Self(12);
    pub const TERM: Self = Self(15);

    /// Reads `SIGTERM`, `TERM` or `15`, as `STOPSIGNAL` writes it.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<i32>() {
            return (1..=64).contains(&number).then_some(Self(number));
        }
        let upper = text.to_ascii_uppercase();
        let number = match upper.strip_prefix("SIG").unwrap_or(&upper) {
            "HUP" => 1,
            "INT" => 2,
            "QUIT" => 3,
            "ABRT" => 6,
            "KILL" => 9,
            "USR1" => 10,
            "USR2" => 12,
            "PIPE" => 13,
            "ALRM" => 14,
            "TERM" => 15,
            "CONT" => 18,
            "STOP" => 19,
            "WINCH" => 28,
            "PWR" => 30,
            "RTMIN+3" => 37,
            _ => return None,
        };
        Some(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_as_dockerfiles_write_them() {
        for (text, expected) in
            [("SIGTERM", Some(Signal::TERM)), ("quit", Some(Signal::QUIT)), ("9", Some(Signal::KILL)), ("0", None), ("NO", None)]
        {
            assert_eq!(Signal::parse(text), expected, "{text}");
        }
    }
}
