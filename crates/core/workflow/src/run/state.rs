//! What a run remembers; this is what is stored.

use api::Conclusion;
use names::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JobEnd, JobKey, Place, Reason, Start, StopReason};
use crate::Workflow;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub path: String,
    /// The workflow is read again from this when the run is loaded.
    pub source: String,
    pub start: Start,
    pub now: Timestamp,
    pub cancelled: Option<String>,
    /// In the order of the file.
    pub jobs: Vec<JobState>,
    pub conclusion: Option<Conclusion>,
    #[serde(skip)]
    pub given_finish: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JobState {
    pub id: String,
    pub phase: JobPhase,
    /// As the jobs that need it see it.
    pub result: Option<Conclusion>,
    /// Never holds a secret: what a mask would change is dropped.
    pub outputs: Vec<(String, String)>,
    pub reason: Option<Reason>,
    pub fail_fast: bool,
    pub max_parallel: usize,
    pub legs: Vec<LegState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum JobPhase {
    /// For the jobs it needs.
    Waiting,
    /// Its legs are known.
    Expanded,
    Done,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LegState {
    pub name: String,
    pub matrix: Value,
    pub environment: Option<String>,
    pub environment_url: Option<String>,
    pub timeout_secs: u64,
    pub cancel_timeout_secs: u64,
    pub attempt: u32,
    pub phase: LegPhase,
    pub failed: bool,
    /// Why it is to end before its time.
    pub cancelled: Option<String>,
    pub overdue: bool,
    /// Its failure does not count.
    pub tolerated: bool,
    pub conclusion: Option<Conclusion>,
    pub reason: Option<Reason>,
    /// Restarts, dropped outputs and the like.
    pub notes: Vec<String>,
    pub place: Option<Place>,
    /// Set through `GITHUB_ENV`, sealed.
    pub env: Vec<(String, String)>,
    /// Added through `GITHUB_PATH`, sealed, the latest first.
    pub path: Vec<String>,
    pub steps: Vec<StepState>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub deadline: Option<Timestamp>,
    /// When a cancelled job is given up even if steps still run.
    pub cancel_deadline: Option<Timestamp>,
    /// The executor has cleaned up.
    pub closed: bool,
    #[serde(skip)]
    pub given: Given,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LegPhase {
    /// Until `max-parallel` lets it start.
    Queued,
    /// Asked for, not yet reported.
    Starting,
    Running,
    Done,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct StepState {
    pub name: String,
    pub phase: StepPhase,
    pub outcome: Option<Conclusion>,
    pub conclusion: Option<Conclusion>,
    /// Sealed.
    pub outputs: Vec<(String, String)>,
    pub timeout_secs: Option<u64>,
    pub deadline: Option<Timestamp>,
    pub stop: Option<StopReason>,
    pub reason: Option<String>,
    pub exit_code: Option<i32>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    #[serde(skip)]
    pub given: Given,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StepPhase {
    /// Its turn has not come.
    #[default]
    Pending,
    /// Its condition holds; the start is not yet reported.
    Ready,
    Running,
    Done,
}

/// Which effects were given in the life of this value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    pub main: bool,
    pub stop: bool,
}

impl State {
    pub fn new(workflow: &Workflow, start: Start, now: Timestamp) -> Self {
        let jobs = workflow.jobs.iter().map(|job| JobState {
            id: job.id.clone(),
            phase: JobPhase::Waiting,
            result: None,
            outputs: Vec::new(),
            reason: None,
            fail_fast: true,
            max_parallel: usize::MAX,
            legs: Vec::new(),
        });
        Self {
            path: workflow.path.clone(),
            source: workflow.source.clone(),
            start,
            now,
            cancelled: None,
            jobs: jobs.collect(),
            conclusion: None,
            given_finish: false,
        }
    }
}

impl LegState {
    /// The step that runs or whose turn it is.
    pub fn current_step(&self) -> Option<usize> {
        self.steps
            .iter()
            .position(|step| step.phase != StepPhase::Done)
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        if self.phase != LegPhase::Running {
            return None;
        }
        let step = self.current_step().and_then(|index| self.steps.get(index));
        let step = step
            .filter(|it| it.phase == StepPhase::Running && it.stop.is_none())
            .and_then(|it| it.deadline);
        let job = if self.cancelled.is_some() {
            self.cancel_deadline
        } else {
            self.deadline
        };
        [step, job].into_iter().flatten().min()
    }

    pub fn end(&self, job: JobKey) -> JobEnd {
        JobEnd {
            job,
            attempt: self.attempt,
            conclusion: self.conclusion.unwrap_or(Conclusion::Failure),
            environment_url: self.environment_url.clone(),
            started: self.attempt > 0,
        }
    }

    /// Back to the first step, for an executor that was lost.
    pub fn restart(&mut self, now: Timestamp, why: &str) {
        self.notes
            .push(format!("attempt {} was lost at {now}: {why}", self.attempt));
        self.attempt += 1;
        self.phase = LegPhase::Starting;
        self.failed = false;
        self.place = None;
        self.env.clear();
        self.path.clear();
        self.deadline = None;
        self.steps.iter_mut().for_each(|step| {
            *step = StepState {
                name: std::mem::take(&mut step.name),
                ..StepState::default()
            };
        });
        self.given = Given::default();
    }
}
