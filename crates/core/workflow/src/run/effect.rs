//! What a run asks of the executor.

use std::{fmt, time::Duration};

use api::Conclusion;
use serde::{Deserialize, Serialize};

use crate::{ActionRef, Permissions};

/// One leg of one job; jobs without a matrix have the one leg 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    pub id: String,
    pub leg: usize,
}

impl fmt::Display for JobKey {
    /// `build`, and `build-2` for the third leg of a matrix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leg {
            0 => f.write_str(&self.id),
            leg => write!(f, "{}-{leg}", self.id),
        }
    }
}

/// One step of one attempt at a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    pub job: JobKey,
    /// Counts from 1; a job whose executor was lost starts again with the next number.
    pub attempt: u32,
    /// Position in the job, from 0.
    pub index: usize,
}

/// What the executor must do next. Each is safe to do twice: after a crash the
/// effects whose completion was not reported are given again.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make a sandbox for the job, then report `JobStarted`, `JobRefused` or `JobLost`.
    StartJob(JobStart),
    /// After a reload: this job has a sandbox; find it, or report `JobLost`.
    AdoptJob { job: JobKey, attempt: u32 },
    /// Report `StepStarted` when it runs and `StepFinished` when it is over.
    StartStep(Box<StepStart>),
    /// After a reload: this step runs; watch it again, or report `JobLost`.
    AdoptStep { step: StepKey },
    /// Interrupt, wait, terminate, wait, kill ([`crate::Run::STOP_LADDER`]); its end is still reported.
    StopStep { step: StepKey, why: StopReason },
    /// The job is over: remove its sandbox and keep its log.
    FinishJob(JobEnd),
    /// Every job is over; no further effect follows.
    FinishRun { conclusion: Conclusion },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    Cancelled,
    /// The step is over its own time.
    StepTimeout,
    /// The job is over its time.
    JobTimeout,
}

#[derive(Clone, Debug, PartialEq)]
pub struct JobStart {
    pub job: JobKey,
    pub attempt: u32,
    /// What people see, e.g. `test (node 20, linux)`.
    pub name: String,
    /// The labels of `runs-on`.
    pub labels: Vec<String>,
    pub environment: Option<String>,
    pub permissions: Permissions,
    /// The run stops the job itself when this is over.
    pub timeout: Duration,
}

/// What a step is to do, with every expression evaluated. Never store it: it holds secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct StepStart {
    pub step: StepKey,
    /// What people see.
    pub name: String,
    pub work: StepWork,
    /// The whole environment; names come once.
    pub env: Env,
    /// Written before the step starts, folders made as needed; the script, the event, the empty command files.
    pub files: Vec<File>,
    /// Which of the files are read after the step.
    pub outputs: StepFiles,
    /// The run stops the step itself when this is over.
    pub timeout: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepWork {
    Command(CommandStep),
    Action(ActionStep),
}

#[derive(Clone, Debug, PartialEq)]
pub struct CommandStep {
    /// The program, found through `PATH` of the environment, and its arguments.
    pub argv: Vec<String>,
    /// Absolute.
    pub cwd: String,
    /// The script as the log shows it.
    pub script: String,
    /// The shell as the log shows it, e.g. `/bin/bash -e {0}`.
    pub shell: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ActionStep {
    pub action: ActionRef,
    /// Inputs by the name in the file, evaluated.
    pub inputs: Vec<(String, String)>,
}

/// Paths of the command files of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFiles {
    pub env: String,
    pub output: String,
    pub path: String,
    pub state: String,
    pub summary: String,
}

#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute.
    pub path: String,
    pub text: String,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({}, {} bytes)", self.path, self.text.len())
    }
}

/// Environment variables; printing shows their names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(pub Vec<(String, String)>);

impl Env {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(it, _)| it == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEnd {
    pub job: JobKey,
    pub attempt: u32,
    pub conclusion: Conclusion,
    /// The address of the environment, when the job names one.
    pub environment_url: Option<String>,
    /// Whether a sandbox may exist that must be removed.
    pub started: bool,
}
