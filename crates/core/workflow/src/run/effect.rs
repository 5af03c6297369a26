//! What a run asks of the executor.

use std::fmt;

use api::Conclusion;
use serde::{Deserialize, Serialize};

use super::{
    event::WorkflowHome,
    job_start::{JobEnd, JobStart},
    step_start::StepStart,
};
use crate::{ActionRef, Queue, WorkflowRef};

/// One leg of one job; jobs without a matrix have the one leg 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    /// The id in the file; in a called workflow after the key of the job that calls, as in `release.build`.
    pub id: String,
    pub leg: usize,
}

impl JobKey {
    /// The key of a job of the workflow that this job calls.
    pub fn inner(&self, id: &str) -> String {
        format!("{self}.{id}")
    }
}

impl fmt::Display for JobKey {
    /// `build`, and `build.2` for the third leg of a matrix; no id begins with a digit or holds a dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leg {
            0 => f.write_str(&self.id),
            leg => write!(f, "{}.{leg}", self.id),
        }
    }
}

/// One step of one attempt at a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    pub job: JobKey,
    /// Counts from 1; a job whose executor was lost starts again with the next number.
    pub attempt: u32,
    /// Never changes and never comes twice in one attempt; the steps of the file come
    /// first, then pre steps, steps inside actions and post steps as they are found.
    pub index: usize,
}

/// What the executor must do next. Each is safe to do twice: after a crash the
/// effects whose completion was not reported are given again.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Wait for the group, then report `GroupGranted` or `GroupReplaced`; `GroupWaits` says
    /// for whom. A group is held until its holder ends: `FinishRun`, or `FinishJob` of the job.
    AcquireGroup(GroupRequest),
    /// Ask for leave to use the environment; report `Approved` (at once where no rule
    /// forbids it), `ApprovalWaits` or `Rejected`.
    RequestApproval { job: JobKey, environment: String },
    /// Read the workflow file that a job calls, then report `WorkflowLoaded`.
    LoadWorkflow {
        job: JobKey,
        reference: WorkflowRef,
        /// Where the file that calls lies; a local reference is meant there.
        from: WorkflowHome,
    },
    /// Make a sandbox for the job with its services and container, then report `JobStarted`, `JobRefused` or `JobLost`.
    StartJob(Box<JobStart>),
    /// After a reload: this job has a sandbox; find it, or report `JobLost`.
    AdoptJob { job: JobKey, attempt: u32 },
    /// Resolve these actions to commits and make their folders visible in the job, then report `ActionsPrepared`.
    PrepareActions {
        job: JobKey,
        attempt: u32,
        actions: Vec<ActionRef>,
    },
    /// Read the manifest of an action in the job's workspace (`./build`), then report `ActionLoaded`.
    LoadAction {
        job: JobKey,
        attempt: u32,
        path: String,
    },
    /// Report `StepStarted` when it runs and `StepFinished` when it is over.
    StartStep(Box<StepStart>),
    /// After a reload: this step runs; watch it again, or report `JobLost`.
    AdoptStep { step: StepKey },
    /// Interrupt, wait, terminate, wait, kill ([`crate::Run::STOP_LADDER`]); its end is still reported.
    StopStep { step: StepKey, why: StopReason },
    /// The job is over: remove its sandbox, keep its log, release its groups, then report `JobClosed`.
    FinishJob(JobEnd),
    /// Every job is over; no further effect follows.
    FinishRun { conclusion: Conclusion },
}

/// Who holds a concurrency group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GroupHolder {
    Run,
    Job(JobKey),
    /// The workflow that this job calls.
    Called(JobKey),
}

/// A concurrency group that someone must hold before going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRequest {
    pub holder: GroupHolder,
    /// As evaluated; groups are compared without regard to case.
    pub group: String,
    /// Whether what runs in the group is cancelled for this.
    pub running: InProgress,
    pub queue: Queue,
}

/// What becomes of those that hold a group when a newer one wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InProgress {
    Finishes,
    IsCancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    Cancelled,
    /// The step is over its own time.
    StepTimeout,
    /// The job is over its time.
    JobTimeout,
    /// A `cancel` step ends a background step.
    CancelStep,
}
