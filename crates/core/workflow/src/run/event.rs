//! What the executor and people tell a run.

use serde::{Deserialize, Serialize};

use super::effect::{JobKey, StepKey};

/// Something that happened. Reports for another attempt or a step that is over are ignored.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The sandbox of the job is there.
    JobStarted {
        job: JobKey,
        attempt: u32,
        place: Place,
    },
    /// The job cannot run here at all: it fails with this reason.
    JobRefused {
        job: JobKey,
        attempt: u32,
        reason: String,
    },
    /// The sandbox or its executor died: the job starts again, or fails when it died too often.
    JobLost {
        job: JobKey,
        attempt: u32,
        reason: String,
    },
    /// The sandbox is removed and the log is kept; `FinishJob` is not given again.
    JobClosed {
        job: JobKey,
        attempt: u32,
    },
    StepStarted {
        step: StepKey,
    },
    StepFinished {
        step: StepKey,
        report: StepReport,
    },
    /// Someone wants the run to end.
    CancelRun {
        reason: String,
    },
    /// Someone wants one job to end.
    CancelJob {
        job: JobKey,
        reason: String,
    },
}

/// Where a job runs; paths as the job sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where the repository is checked out.
    pub workspace: String,
    /// Emptied for each job.
    pub temp: String,
    pub tool_cache: String,
    /// The name of the runner.
    pub runner: String,
    /// `Linux`
    pub os: String,
    /// `X64`, `ARM64`
    pub arch: String,
    /// Whether there is a `bash`; steps without `shell` then use it.
    pub bash: bool,
    /// The environment of the sandbox itself (`PATH`, `HOME`, …), below everything the workflow sets.
    pub env: Vec<(String, String)>,
}

/// How a step ended and what it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReport {
    pub end: StepEnd,
    /// The text of the file behind `GITHUB_ENV`, after the step.
    pub env_file: String,
    /// The text of the file behind `GITHUB_OUTPUT`.
    pub output_file: String,
    /// The text of the file behind `GITHUB_PATH`.
    pub path_file: String,
    /// From `::set-output::` lines, and what a built-in action gives.
    pub outputs: Vec<(String, String)>,
    /// A command in the output that must fail the step, e.g. `::set-env::`.
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepEnd {
    /// 0 for a built-in action that succeeded.
    Exited(i32),
    /// Ended by a signal, e.g. 9.
    Killed(i32),
    /// It could not be started, or a built-in action failed; in words.
    Failed(String),
}

impl StepReport {
    /// A step that ended with this and left nothing.
    pub fn new(end: StepEnd) -> Self {
        Self {
            end,
            env_file: String::new(),
            output_file: String::new(),
            path_file: String::new(),
            outputs: Vec::new(),
            error: None,
        }
    }
}
