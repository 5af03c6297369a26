//! Starts a step, follows its output, and reports how it ended and what it left.

use std::{io, path::{Path, PathBuf}, time::Duration};

use bytes::Bytes;
use sandbox::{Attached, CannotStart, ProcessName, SandboxId, Signal, Target};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use workflow::{Event, StepEnd, StepFiles, StepKey, StepReport, StepStart, StopReason, command::Unsecure};

use crate::{
    Ci, beneath,
    docker_step,
    drive::Report,
    output,
    place::JobPlace,
    process::{self, Where},
    tests,
    trust,
};

/// The number of the signal that nothing survives.
const KILL: i32 = 9;

/// GitHub's own limit on what a step may write to its command files.
const FILE_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// GitHub's own limit on the summary of a step.
const SUMMARY_BYTES_MAX: u64 = 1024 * 1024;

/// What must be known of a step to end it after a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    env: String,
    output: String,
    path: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    summary: String,
    name: String,
    /// The sandbox it runs in, if it is not the job's.
    #[serde(default)]
    sandbox: Option<SandboxId>,
    #[serde(default)]
    process: Option<ProcessName>,
    /// Whether it may change the environment by printing.
    #[serde(default)]
    unsecure: bool,
    /// Where its test reports lie.
    #[serde(default)]
    tests: String,
}

fn process_name(step: &StepKey) -> ProcessName {
    format!("step-{}", step.index).parse().expect("letters, a dash and digits name a process")
}

/// The number of a step in the job's log.
pub fn section(step: &StepKey) -> u32 {
    u32::try_from(step.index).unwrap_or(u32::MAX >> 1)
}

fn note_path(place: &JobPlace, step: &StepKey) -> PathBuf {
    place.folder.join("steps").join(format!("{}.json", step.index))
}

fn read_note(place: &JobPlace, step: &StepKey) -> Option<Note> {
    let bytes = std::fs::read(note_path(place, step)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Where the process of a step is, once it was noted.
fn found(place: &JobPlace, step: &StepKey, note: &Note) -> (SandboxId, ProcessName) {
    let sandbox = note.sandbox.clone().unwrap_or_else(|| place.sandbox.clone());
    (sandbox, note.process.clone().unwrap_or_else(|| process_name(step)))
}

/// Starts a step and follows it to its end.
pub async fn start(ci: &Ci, place: &JobPlace, start: StepStart, out: &mpsc::Sender<Report>) {
    let step = start.step.clone();
    match begin(ci, place, &start).await {
        Ok(begun) => follow(ci, place, &step, begun, out).await,
        Err(NotBegun::Lost(reason)) => lost(&step, &reason, out).await,
        Err(NotBegun::Failed(reason)) => {
            output::say(place, section(&step), [format!("##[error]{reason}")]).await;
            // The receiver lives as long as the driver, here and below.
            let _ = out.send(Report::Event(Event::StepStarted { step: step.clone() })).await;
            let report = StepReport::new(StepEnd::Failed(reason));
            let _ = out.send(Report::Event(Event::StepFinished { step, report })).await;
        }
    }
}

/// Follows a step that was started before the server was.
pub async fn adopt(ci: &Ci, place: &JobPlace, step: StepKey, out: &mpsc::Sender<Report>) {
    let note = read_note(place, &step).unwrap_or_default();
    follow(ci, place, &step, Begun { by: Starter::Former, note, attached: None }, out).await;
}

/// A step whose process was started.
struct Begun {
    by: Starter,
    note: Note,
    /// Its process, if it was found already.
    attached: Option<Attached>,
}

/// Who started the process of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Starter {
    /// This server.
    Own,
    /// One that is gone.
    Former,
}

/// Why a step was not started.
pub enum NotBegun {
    Failed(String),
    /// The sandbox is gone, which is not the step's fault.
    Lost(String),
}

impl From<String> for NotBegun {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

impl From<sandbox::Error> for NotBegun {
    fn from(error: sandbox::Error) -> Self {
        match error {
            sandbox::Error::CannotStart(CannotStart { message, .. }) => Self::Failed(message),
            error @ (sandbox::Error::NoSandbox(_) | sandbox::Error::NotRunning(_) | sandbox::Error::SpawnerGone(_)) => {
                Self::Lost(error.to_string())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

/// Writes the step's files and starts its process, unless an earlier server did.
async fn begin(ci: &Ci, place: &JobPlace, start: &StepStart) -> Result<Begun, NotBegun> {
    let path = note_path(place, &start.step);
    // Writing the files again would empty those that the process has filled.
    if let Some(note) = read_note(place, &start.step) {
        let (sandbox, process) = found(place, &start.step, &note);
        if let Ok(attached) = ci.sandbox.attach(&sandbox, &process).await {
            return Ok(Begun { by: Starter::Former, note, attached: Some(attached) });
        }
    }
    let mut writer = beneath::Writer::default();
    for file in &start.files {
        let (root, rest) = place
            .on_host(&file.path)
            .ok_or_else(|| format!("`{}` lies outside the job's folders", file.path))?;
        writer
            .write(&root, &rest, file.text.as_bytes())
            .map_err(|error| format!("`{}` cannot be written: {error}", file.path))?;
    }
    output::say(place, section(&start.step), process::headline(start)).await;
    let what = process::of(ci, place, start)?;
    let (sandbox, process) = match &what {
        Where::Job(_) => (None, None),
        Where::Own(_) => (Some(place.own_sandbox().clone()), None),
        Where::Image(_) => (Some(docker_step::sandbox_id(place, &start.step)), Some(docker_step::process())),
    };
    let StepFiles { env, output, path: path_file, state, summary } = start.outputs.clone();
    let name = start.name.clone();
    let pairs = start.env.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let unsecure = Unsecure::of(pairs) == Unsecure::Allowed;
    let note = Note { env, output, path: path_file, state, summary, name, sandbox, process, unsecure, tests: tests::wanted(start) };
    write_note(&path, &note).map_err(|error| format!("the step cannot be noted: {error}"))?;
    let name = process_name(&start.step);
    let started = match what {
        Where::Job(process) => ci.sandbox.exec_attached(&place.sandbox, &name, &process).await,
        Where::Own(process) => ci.sandbox.exec_attached(place.own_sandbox(), &name, &process).await,
        Where::Image(container) => {
            docker_step::start(ci, place, start, &container).await?;
            return Ok(Begun { by: Starter::Own, note, attached: None });
        }
    };
    match started {
        Ok(attached) => Ok(Begun { by: Starter::Own, note, attached: Some(attached) }),
        Err(sandbox::Error::ProcessExists(..)) => Ok(Begun { by: Starter::Former, note, attached: None }),
        Err(error) => Err(error.into()),
    }
}

fn write_note(path: &Path, note: &Note) -> io::Result<()> {
    std::fs::write(path, serde_json::to_vec(note)?)
}

/// Reads the output of a step until it ends, then tells what it left.
async fn follow(ci: &Ci, place: &JobPlace, step: &StepKey, begun: Begun, out: &mpsc::Sender<Report>) {
    let Begun { by, note, attached } = begun;
    let _ = out.send(Report::Event(Event::StepStarted { step: step.clone() })).await;
    let (sandbox, process) = found(place, step, &note);
    let attached = match attached {
        Some(attached) => Ok(attached),
        None => ci.sandbox.attach(&sandbox, &process).await,
    };
    let attached = match attached {
        Ok(attached) => attached,
        Err(error) => return lost(step, &error.to_string(), out).await,
    };
    let unsecure = if note.unsecure { Unsecure::Allowed } else { Unsecure::Refused };
    let told = match output::read(place, section(step), unsecure, attached, out).await {
        Ok(told) => told,
        Err(error) => return lost(step, &error.to_string(), out).await,
    };
    if told.exit.lost {
        return lost(step, "its sandbox died with the machine's spawner", out).await;
    }
    // Whoever killed the server may have killed its processes with it, so nobody can say why this one went.
    let killed = told.exit.signal == Some(KILL) && !told.exit.oom_killed;
    if by == Starter::Former && killed {
        return lost(step, "its process was killed while no server looked after it", out).await;
    }
    let end = match told.exit.signal {
        Some(signal) => StepEnd::Killed(signal),
        None => StepEnd::Exited(told.exit.code),
    };
    let mut report = StepReport::new(end);
    report.outputs = told.outputs;
    report.state = told.state;
    report.annotations = told.annotations;
    report.error = told.error;
    report.env = told.env;
    report.paths = told.paths;
    for (path, text) in [
        (&note.env, &mut report.env_file),
        (&note.output, &mut report.output_file),
        (&note.path, &mut report.path_file),
        (&note.state, &mut report.state_file),
    ] {
        let Some((root, rest)) = place.on_host(path).filter(|_| !path.is_empty()) else { continue };
        match beneath::read(&root, &rest, FILE_BYTES_MAX) {
            Ok(read) => *text = read,
            Err(error) => report.error = Some(format!("`{path}` cannot be read: {error}")),
        }
    }
    if told.exit.code != 0 {
        let why = if told.exit.oom_killed { " It ran out of memory." } else { "" };
        let text = format!("##[error]Process completed with exit code {}.{why}", told.exit.code);
        output::say(place, section(step), [text]).await;
    }
    summarise(ci, place, step, &note.summary, out).await;
    tests::after_step(ci, place, step, &note.tests, &mut report).await;
    if note.sandbox.as_ref().is_some_and(|it| it != place.own_sandbox()) {
        docker_step::remove(ci, &sandbox).await;
    }
    // Before the next step is thought of, which must not get what this one lost.
    trust::look(ci, place, step, out).await;
    let step = step.clone();
    let _ = out.send(Report::Event(Event::StepFinished { step, report })).await;
}

/// Keeps what the step wrote for people, masked line by line.
async fn summarise(ci: &Ci, place: &JobPlace, step: &StepKey, path: &str, out: &mpsc::Sender<Report>) {
    let Some((root, rest)) = place.on_host(path).filter(|_| !path.is_empty()) else { return };
    let text = match beneath::read(&root, &rest, SUMMARY_BYTES_MAX) {
        Ok(text) if text.trim().is_empty() => return,
        Ok(text) => text,
        Err(error) => {
            let told = format!("##[error]$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k: {error}");
            return output::say(place, section(step), [told]).await;
        }
    };
    let masked: String = text.split_inclusive('\n').map(|line| place.mask(line)).collect();
    match store::put_bytes(&*ci.blobs, Bytes::from(masked)).await {
        Ok(summary) => drop(out.send(Report::Summary { step: step.clone(), summary }).await),
        Err(error) => tracing::error!(%error, "the summary of a step could not be kept"),
    }
}

async fn lost(step: &StepKey, reason: &str, out: &mpsc::Sender<Report>) {
    let (job, attempt, reason) = (step.job.clone(), step.attempt, reason.to_owned());
    let _ = out.send(Report::Event(Event::JobLost { job, attempt, reason })).await;
}

/// Interrupts the step, then terminates, then kills it, as GitHub's runner does.
pub async fn stop(ci: &Ci, place: &JobPlace, step: StepKey, why: StopReason, out: &mpsc::Sender<Report>) {
    let text = match why {
        StopReason::Cancelled | StopReason::CancelStep => "##[error]The operation was canceled.",
        StopReason::StepTimeout => "##[error]The action has timed out.",
        StopReason::JobTimeout => "##[error]The job has exceeded its maximum execution time.",
    };
    output::say(place, section(&step), [text.to_owned()]).await;
    let note = read_note(place, &step).unwrap_or_default();
    let (sandbox, process) = found(place, &step, &note);
    let [interrupt, terminate] = workflow::Run::STOP_LADDER;
    // Nothing outlives the last signal.
    let ladder = [(Signal::INT, interrupt), (Signal::TERM, terminate), (Signal::KILL, Duration::from_secs(1))];
    for (signal, patience) in ladder {
        let Ok(attached) = ci.sandbox.attach(&sandbox, &process).await else {
            // Nobody else can tell the end of a step that has no process.
            let report = StepReport::new(StepEnd::Killed(signal.0));
            let _ = out.send(Report::Event(Event::StepFinished { step, report })).await;
            return;
        };
        if let Err(error) = ci.sandbox.stop(&sandbox, Target::Process(process.clone(), signal)).await {
            tracing::debug!(%error, "a step that shall stop is gone");
            return;
        }
        if tokio::time::timeout(patience, attached.wait()).await.is_ok() {
            return;
        }
    }
}
