//! What a run remembers of one leg of a job.

use api::Conclusion;
use names::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    JobEnd, JobKey, Place, Reason,
    state::{Gate, is_default},
    step_state::{Stage, StepPhase, StepState},
};
use crate::action::ActionHome;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct LegState {
    pub name: String,
    pub matrix: Value,
    #[serde(default, skip_serializing_if = "is_default")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub environment_url: Option<String>,
    pub timeout_secs: u64,
    pub cancel_timeout_secs: u64,
    /// 0 until it starts.
    pub attempt: u32,
    /// How often its executor was lost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub losses: u32,
    /// The attempt at the whole run in which it starts.
    pub run_attempt: u32,
    pub phase: LegPhase,
    #[serde(default, skip_serializing_if = "is_default")]
    pub group: Gate,
    /// For whom or what it waits, in words of the executor.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waits: Option<String>,
    /// Until a wait timer ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub not_before: Option<Timestamp>,
    /// The workflow it calls.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frame: Option<usize>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed: bool,
    /// Why it is to end before its time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cancelled: Option<String>,
    /// Why what it runs is not trusted any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub distrusted: Option<String>,
    /// Its failure does not count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tolerated: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub conclusion: Option<Conclusion>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: Option<Reason>,
    /// Restarts, dropped outputs and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub place: Option<Place>,
    /// Set through `GITHUB_ENV`, sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// Added through `GITHUB_PATH`, sealed, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// What `uses` of its steps mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<LegAction>,
    /// All steps; those of the file come first, an index never changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepState>,
    /// The steps of the job itself in the order in which they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<usize>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub stage: Stage,
    /// Steps whose actions have something to do afterwards, in the order in which they started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub posts: Vec<usize>,
    /// Steps in the background that no `wait` has covered yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<usize>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub finished: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub deadline: Option<Timestamp>,
    /// When a cancelled job is given up even if steps still run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cancel_deadline: Option<Timestamp>,
    /// The executor has cleaned up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub closed: bool,
    #[serde(skip)]
    pub given: Given,
}

/// An action that steps of a job use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LegAction {
    /// As `uses` has it.
    pub reference: String,
    pub manifest: usize,
    pub home: ActionHome,
    #[serde(default, skip_serializing_if = "is_default")]
    pub commit: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LegPhase {
    /// Until `max-parallel` lets it start.
    #[default]
    Queued,
    /// For its concurrency group.
    Group,
    /// For leave to use its environment.
    Approval,
    /// For the wait timer of its environment.
    Timer,
    /// For the file of the workflow that it calls.
    Loading,
    /// For the jobs of the workflow that it calls.
    Calling,
    /// Asked for, not yet reported.
    Starting,
    /// For the actions that its steps use.
    Preparing,
    Running,
    Done,
}

/// Which effects were given in the life of this value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    pub main: bool,
    /// What is asked in the present phase.
    pub ask: bool,
    pub stop: bool,
}

impl LegState {
    /// Whether it uses a slot of `max-parallel`.
    pub fn is_active(&self) -> bool {
        !matches!(self.phase, LegPhase::Queued | LegPhase::Done)
    }

    pub fn enter(&mut self, phase: LegPhase) {
        self.phase = phase;
        self.waits = None;
        self.given.ask = false;
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        match self.phase {
            LegPhase::Timer => self.not_before,
            LegPhase::Preparing | LegPhase::Running => {
                let job = if self.cancelled.is_some() {
                    self.cancel_deadline
                } else {
                    self.deadline
                };
                let steps = self.steps.iter().filter(|it| it.is_timed());
                steps.filter_map(|it| it.deadline).chain(job).min()
            }
            LegPhase::Queued
            | LegPhase::Group
            | LegPhase::Approval
            | LegPhase::Loading
            | LegPhase::Calling
            | LegPhase::Starting
            | LegPhase::Done => None,
        }
    }

    pub fn end(&self, job: JobKey) -> JobEnd {
        JobEnd {
            job,
            attempt: self.attempt,
            conclusion: self.conclusion.unwrap_or(Conclusion::Failure),
            environment_url: self.environment_url.clone(),
            started: self.attempt > 0 && self.frame.is_none(),
        }
    }

    /// Back to the first step, for an executor that was lost or a run that runs again.
    pub fn restart(&mut self, steps: Vec<StepState>) {
        self.failed = false;
        self.cancelled = None;
        self.distrusted = None;
        self.tolerated = false;
        self.conclusion = None;
        self.reason = None;
        self.place = None;
        self.env.clear();
        self.path.clear();
        self.actions.clear();
        self.posts.clear();
        self.background.clear();
        self.stage = Stage::default();
        self.deadline = None;
        self.cancel_deadline = None;
        self.finished = None;
        self.environment_url = None;
        self.closed = false;
        self.order = (0..steps.len()).collect();
        self.steps = steps;
        self.given = Given::default();
    }

    /// Whether a step is at work, so that the job cannot end.
    pub fn has_running_steps(&self) -> bool {
        let busy = |it: &StepState| !matches!(it.phase, StepPhase::Pending | StepPhase::Done);
        self.steps.iter().any(busy)
    }
}
