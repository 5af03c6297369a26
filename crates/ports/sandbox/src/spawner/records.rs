//! What is kept on disk about a sandbox: `record.json`, and per process a log and a status.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use names::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Exit, ProcessName, ProcessStatus, SandboxId, Status, cgroups::Leaf};

/// Sandboxes live below this folder of the state folder.
pub const FOLDER: &str = "s";

#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    pub labels: BTreeMap<String, String>,
    pub started: Timestamp,
    pub cgroups: Leaf,
    /// The built-in first process runs; it is not told as a process.
    pub idle: bool,
}

/// One process; written at its end, and at its start if it has no log, which tells as much.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessRecord {
    pub started: Timestamp,
    pub logged: bool,
    pub exit: Option<Exit>,
}

pub fn now() -> Timestamp {
    SystemTime::now().into()
}

pub fn log_path(folder: &Path, name: &ProcessName) -> PathBuf {
    folder.join(format!("{name}.log"))
}

pub fn write_record(folder: &Path, record: &Record) -> io::Result<()> {
    write(&folder.join("record.json"), record)
}

pub fn write_process(folder: &Path, name: &ProcessName, record: &ProcessRecord) -> io::Result<()> {
    write(&folder.join(format!("{name}.status")), record)
}

pub fn remove_process(folder: &Path, name: &ProcessName) {
    let _ = fs::remove_file(folder.join(format!("{name}.status")));
    let _ = fs::remove_file(log_path(folder, name));
}

/// Not synced to the disk: with the machine everything inside is gone as well. A record that is missing or
/// broken is told as lost, which is what it is; so it is written in place, which costs one file and not two.
fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    fs::write(path, serde_json::to_vec(value)?)
}

/// The control group that lists the processes of a sandbox.
pub fn group_of(state: &Path, id: &str) -> io::Result<PathBuf> {
    let record = read::<Record>(&state.join(FOLDER).join(id).join("record.json"));
    let group = record.and_then(|record| record.cgroups.listing().map(Path::to_owned));
    group.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

/// Everything an earlier spawner left; processes without an end are lost.
pub fn read_all(state: &Path) -> Vec<(Record, Status)> {
    let Ok(entries) = fs::read_dir(state.join(FOLDER)) else { return Vec::new() };
    entries.flatten().filter_map(|entry| read_one(&entry.path())).collect()
}

fn read_one(folder: &Path) -> Option<(Record, Status)> {
    let id: SandboxId = folder.file_name()?.to_str()?.parse().ok()?;
    let Some(record) = read::<Record>(&folder.join("record.json")) else {
        // The spawner died before the first process was made: nobody was told of this sandbox.
        let _ = fs::remove_dir_all(folder);
        return None;
    };
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let file = entry.file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(".status").or_else(|| file.strip_suffix(".log")));
        names.extend(name.and_then(|name| name.parse::<ProcessName>().ok()));
    }
    let mut processes = Vec::new();
    for name in names {
        let log = log_path(folder, &name);
        let read = read(&folder.join(format!("{name}.status")));
        let known = read.is_some();
        let begun = || fs::metadata(&log).and_then(|log| log.created()).map_or(record.started, Timestamp::from);
        let mut process = read.unwrap_or_else(|| ProcessRecord { started: begun(), logged: log.exists(), exit: None });
        if process.exit.is_none() || !known {
            process.exit = Some(lost(process.started));
            let _ = write_process(folder, &name, &process);
        }
        let log = process.logged.then_some(log);
        processes.push(ProcessStatus { name, started: process.started, log, exit: process.exit });
    }
    let main = processes.iter().find(|process| process.name == ProcessName::main()).and_then(|main| main.exit.clone());
    let status = Status {
        id,
        labels: record.labels.clone(),
        started: record.started,
        exit: Some(main.unwrap_or_else(|| lost(record.started))),
        processes,
    };
    Some((record, status))
}

pub fn lost(started: Timestamp) -> Exit {
    Exit { code: 137, signal: Some(libc::SIGKILL), oom_killed: false, lost: true, started, finished: now() }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
