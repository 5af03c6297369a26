//! What the executor and people tell a run.

use names::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    effect::{GroupHolder, JobKey, StepKey},
    step_start::PreparedAction,
};
use crate::{ActionRef, command::Annotation};

/// Something that happened. Reports for another attempt or a step that is over are ignored.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The group is held from now on.
    GroupGranted {
        holder: GroupHolder,
    },
    /// The group is held by someone else, in words.
    GroupWaits {
        holder: GroupHolder,
        reason: String,
    },
    /// A newer one took the place in the queue: the holder is cancelled.
    GroupReplaced {
        holder: GroupHolder,
        reason: String,
    },
    /// The environment may be used, but not before its wait timer ends.
    Approved {
        job: JobKey,
        not_before: Option<Timestamp>,
    },
    /// Someone must approve first, in words.
    ApprovalWaits {
        job: JobKey,
        reason: String,
    },
    /// Someone forbade it: the job fails.
    Rejected {
        job: JobKey,
        reason: String,
    },
    /// The file that a job calls, or why it cannot be had.
    WorkflowLoaded {
        job: JobKey,
        workflow: Result<LoadedWorkflow, String>,
    },
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
    /// An earlier job did the same with the same inputs: this one succeeds with its outputs and does not run.
    JobReused {
        job: JobKey,
        attempt: u32,
        reason: String,
        outputs: Vec<(String, String)>,
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
    /// Each action that was asked for, or why it cannot be had.
    ActionsPrepared {
        job: JobKey,
        attempt: u32,
        actions: Vec<(ActionRef, Result<PreparedAction, String>)>,
    },
    /// The manifest of an action in the workspace.
    ActionLoaded {
        job: JobKey,
        attempt: u32,
        path: String,
        action: Result<PreparedAction, String>,
    },
    StepStarted {
        step: StepKey,
    },
    StepFinished {
        step: StepKey,
        report: StepReport,
    },
    /// Code from outside is in the job's workspace now: what follows gets no secrets.
    TrustLost {
        job: JobKey,
        reason: String,
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

/// Where a workflow file lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowHome {
    /// `owner/name`
    pub repository: String,
    /// As the reference has it, e.g. `refs/heads/main` or `v1`.
    pub git_ref: String,
    pub commit: String,
}

/// A workflow file that a job calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedWorkflow {
    /// `.github/workflows/build.yml`
    pub path: String,
    pub source: String,
    pub home: WorkflowHome,
}

/// Where a job runs; paths as its steps see them (in a job container: inside it).
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
    /// Whether there is a `bash`; steps on the machine without `shell` then use it.
    pub bash: bool,
    /// The environment of the sandbox itself (`PATH`, `HOME`, …), below everything the workflow sets. No secrets.
    pub env: Vec<(String, String)>,
    /// The container that steps run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerPlace>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServicePlace>,
    /// The variables of the job's environment, which hide those of the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPlace {
    pub id: String,
    pub network: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePlace {
    /// As the file names it.
    pub name: String,
    /// Of its container.
    pub id: String,
    pub network: String,
    /// Ports of the container with the ports under which steps reach them.
    pub ports: Vec<(String, String)>,
}

/// How a step ended and what it left.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    pub end: StepEnd,
    /// The text of the file behind `GITHUB_ENV`, after the step.
    pub env_file: String,
    /// The text of the file behind `GITHUB_OUTPUT`.
    pub output_file: String,
    /// The text of the file behind `GITHUB_PATH`.
    pub path_file: String,
    /// The text of the file behind `GITHUB_STATE`.
    pub state_file: String,
    /// From `::set-output::` lines, and what a built-in action gives.
    pub outputs: Vec<(String, String)>,
    /// From `::save-state::` lines, and what a built-in action saves.
    pub state: Vec<(String, String)>,
    /// From `::set-env::` lines, where they are allowed.
    pub env: Vec<(String, String)>,
    /// From `::add-path::` lines, where they are allowed.
    pub paths: Vec<String>,
    /// At most [`crate::command::ANNOTATIONS_MAX`] of each level, masked.
    pub annotations: Vec<Annotation>,
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
            state_file: String::new(),
            outputs: Vec::new(),
            state: Vec::new(),
            env: Vec::new(),
            paths: Vec::new(),
            annotations: Vec::new(),
            error: None,
        }
    }
}
