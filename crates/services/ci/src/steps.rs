//! Starts a step, follows its output, and reports how it ended and what it left.

use std::{io, path::{Path, PathBuf}};

use sandbox::{CannotStart, Io, Process, ProcessName, Signal, Target};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use workflow::{CommandStep, Event, StepEnd, StepFiles, StepKey, StepReport, StepStart, StepWork, StopReason};

use crate::{Ci, beneath, checkout, drive::Report, jobs::JobPlace, output};

/// GitHub's own limit on what a step may write to its command files.
const FILE_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// What must be known of a step to end it after a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    env: String,
    output: String,
    path: String,
    name: String,
}

/// A step always has the same process name, so a second start finds the first.
fn process_name(step: &StepKey) -> ProcessName {
    format!("step-{}", step.index).parse().expect("letters, a dash and digits name a process")
}

fn note_path(place: &JobPlace, step: &StepKey) -> PathBuf {
    place.folder.join("steps").join(format!("{}.json", step.index))
}

/// Starts a step and follows it to its end.
pub async fn start(ci: &Ci, place: &JobPlace, start: StepStart, out: &mpsc::Sender<Report>) {
    let step = start.step.clone();
    let begun = begin(ci, place, &start).await;
    match begun {
        Ok(()) => follow(ci, place, &step, out).await,
        Err(NotBegun::Lost(reason)) => lost(&step, &reason, out).await,
        Err(NotBegun::Failed(reason)) => {
            output::say(place, step.index, &format!("##[error]{reason}")).await;
            // The receiver lives as long as the driver, here and below.
            let _ = out.send(Report::Event(Event::StepStarted { step: step.clone() })).await;
            let report = StepReport::new(StepEnd::Failed(reason));
            let _ = out.send(Report::Event(Event::StepFinished { step, report })).await;
        }
    }
}

/// Follows a step that was started before the server was.
pub async fn adopt(ci: &Ci, place: &JobPlace, step: StepKey, out: &mpsc::Sender<Report>) {
    follow(ci, place, &step, out).await;
}

/// Why a step was not started.
enum NotBegun {
    Failed(String),
    /// The sandbox is gone, which is not the step's fault.
    Lost(String),
}

impl From<String> for NotBegun {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// Writes the step's files and starts its process, unless an earlier server did.
async fn begin(ci: &Ci, place: &JobPlace, start: &StepStart) -> Result<(), NotBegun> {
    let name = process_name(&start.step);
    // Writing the files again would empty those that the process has filled.
    if note_path(place, &start.step).exists() && ci.sandbox.attach(&place.sandbox, &name).await.is_ok() {
        return Ok(());
    }
    for file in &start.files {
        let (root, rest) = place
            .on_host(&file.path)
            .ok_or_else(|| format!("`{}` lies outside the job's folders", file.path))?;
        beneath::write(&root, &rest, file.text.as_bytes())
            .map_err(|error| format!("`{}` cannot be written: {error}", file.path))?;
    }
    let StepFiles { env, output, path, .. } = start.outputs.clone();
    let note = Note { env, output, path, name: start.name.clone() };
    write_note(&note_path(place, &start.step), &note)
        .map_err(|error| format!("the step cannot be noted: {error}"))?;
    let process = process(ci, place, start)?;
    output::say(place, start.step.index, &headline(start)).await;
    match ci.sandbox.exec(&place.sandbox, &name, &process).await {
        Ok(_) | Err(sandbox::Error::ProcessExists(..)) => Ok(()),
        Err(sandbox::Error::CannotStart(CannotStart { message, .. })) => Err(NotBegun::Failed(message)),
        Err(error @ (sandbox::Error::NoSandbox(_) | sandbox::Error::NotRunning(_) | sandbox::Error::SpawnerGone(_))) => {
            Err(NotBegun::Lost(error.to_string()))
        }
        Err(error) => Err(NotBegun::Failed(error.to_string())),
    }
}

fn write_note(path: &Path, note: &Note) -> io::Result<()> {
    std::fs::write(path, serde_json::to_vec(note)?)
}

/// What the log shows before the step's own output.
fn headline(start: &StepStart) -> String {
    match &start.work {
        StepWork::Command(CommandStep { script, .. }) => {
            format!("Run {}", script.lines().next().unwrap_or_default())
        }
        StepWork::Action(action) => format!("Run {}", action.action.name()),
    }
}

fn process(ci: &Ci, place: &JobPlace, start: &StepStart) -> Result<Process, String> {
    let mut env = start.env.0.clone();
    env.push(("LANDFALL_TOKEN".to_owned(), place.token.reveal().to_owned()));
    match &start.work {
        StepWork::Command(CommandStep { argv, cwd, .. }) => Ok(Process {
            args: argv.clone(),
            env,
            cwd: cwd.clone(),
            user: String::new(),
            io: Io::Logged,
        }),
        StepWork::Action(action) => match action.action.name().as_str() {
            "actions/checkout" => checkout::process(ci, place, &action.inputs, env),
            other => Err(format!("the action `{other}` is not supported yet")),
        },
    }
}

/// Reads the output of a step until it ends, then tells what it left.
async fn follow(ci: &Ci, place: &JobPlace, step: &StepKey, out: &mpsc::Sender<Report>) {
    let _ = out.send(Report::Event(Event::StepStarted { step: step.clone() })).await;
    let name = process_name(step);
    let attached = match ci.sandbox.attach(&place.sandbox, &name).await {
        Ok(attached) => attached,
        Err(error) => return lost(step, &error.to_string(), out).await,
    };
    let told = match output::read(place, step.index, attached, out).await {
        Ok(told) => told,
        Err(error) => return lost(step, &error.to_string(), out).await,
    };
    if told.exit.lost {
        return lost(step, "its sandbox died with the machine's spawner", out).await;
    }
    let end = match told.exit.signal {
        Some(signal) => StepEnd::Killed(signal),
        None => StepEnd::Exited(told.exit.code),
    };
    let mut report = StepReport::new(end);
    report.outputs = told.outputs;
    report.error = told.error;
    let note = std::fs::read(note_path(place, step)).ok();
    let note: Note = note.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    for (path, text) in [
        (&note.env, &mut report.env_file),
        (&note.output, &mut report.output_file),
        (&note.path, &mut report.path_file),
    ] {
        let Some((root, rest)) = place.on_host(path) else { continue };
        match beneath::read(&root, &rest, FILE_BYTES_MAX) {
            Ok(read) => *text = read,
            Err(error) => report.error = Some(format!("`{path}` cannot be read: {error}")),
        }
    }
    if told.exit.code != 0 {
        let why = if told.exit.oom_killed { " It ran out of memory." } else { "" };
        let text = format!("##[error]Process completed with exit code {}.{why}", told.exit.code);
        output::say(place, step.index, &text).await;
    }
    let step = step.clone();
    let _ = out.send(Report::Event(Event::StepFinished { step, report })).await;
}

async fn lost(step: &StepKey, reason: &str, out: &mpsc::Sender<Report>) {
    let (job, attempt, reason) = (step.job.clone(), step.attempt, reason.to_owned());
    let _ = out.send(Report::Event(Event::JobLost { job, attempt, reason })).await;
}

/// Interrupts the step, then terminates, then kills it, as GitHub's runner does.
pub async fn stop(ci: &Ci, place: &JobPlace, step: StepKey, why: StopReason, out: &mpsc::Sender<Report>) {
    let text = match why {
        StopReason::Cancelled => "##[error]The operation was cancelled.",
        StopReason::StepTimeout => "##[error]The step is over its time.",
        StopReason::JobTimeout => "##[error]The job is over its time.",
    };
    output::say(place, step.index, text).await;
    let name = process_name(&step);
    let [interrupt, terminate] = workflow::Run::STOP_LADDER;
    for (signal, patience) in
        [(Signal::INT, interrupt), (Signal::TERM, terminate), (Signal::KILL, terminate)]
    {
        let Ok(attached) = ci.sandbox.attach(&place.sandbox, &name).await else {
            // Nobody else can tell the end of a step that has no process.
            let report = StepReport::new(StepEnd::Killed(signal.0));
            let _ = out.send(Report::Event(Event::StepFinished { step, report })).await;
            return;
        };
        match ci.sandbox.stop(&place.sandbox, Target::Process(name.clone(), signal)).await {
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(%error, "a step that shall stop is gone");
                return;
            }
        }
        if tokio::time::timeout(patience, attached.wait()).await.is_ok() {
            return;
        }
    }
}
