//! The life of one workflow run, as a state machine without I/O.
//!
//! Tell it what happened with [`Run::handle`], do what [`Run::next_effect`] asks
//! until it asks nothing more, and call [`Run::handle_timeout`] at
//! [`Run::deadline`]. Store it (serde) after each round and before carrying out
//! the effects: a run that is loaded again gives anew what was not reported done.
//!
//! A called workflow is a frame: its jobs lie beside those of the run, and the job
//! that calls waits for them. The steps of a composite action lie beside those of
//! the job, and the step that uses it waits for them.
//!
//! Invariant: no secret stands in what is stored. Text that may hold one is kept
//! as the expression it came from, or sealed by [`Secrets`].

mod advance;
mod background;
mod begin_job;
mod call;
mod cancel;
mod conditions;
mod effect;
mod event;
mod expand;
mod gates;
mod inputs;
mod job_start;
mod leg_state;
mod open_effects;
mod outside;
mod permissions;
mod prepare;
mod process_env;
mod reason;
mod reports;
mod rerun;
mod reuse;
mod scope;
mod selection;
mod sequence;
mod sight;
mod start_step;
mod state;
mod step_start;
mod step_state;
mod steps;
mod stored;
mod view;
mod work;

use std::{sync::Arc, time::Duration};

use api::Conclusion;
use names::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use effect::{Effect, GroupHolder, GroupRequest, InProgress, JobKey, StepKey, StopReason};
pub use event::{
    ContainerPlace, Event, LoadedWorkflow, Place, ServicePlace, StepEnd, StepReport, WorkflowHome,
};
pub use job_start::{CalledFile, ContainerSpec, Credentials, JobEnd, JobStart, ServiceSpec, Trust};
pub use outside::{Outside, Secrets};
pub use reason::Reason;
pub use rerun::{Rerun, RerunError};
pub use reuse::{ReuseAsk, ReuseFacts};
pub use selection::Selection;
pub use step_start::{
    BuiltinStep, CommandStep, ContainerStep, Env, File, ImageSource, NodeStep, Phase,
    PreparedAction, StepFiles, StepStart, StepWork,
};
pub use stored::StoredGround;
pub use view::{JobView, StepView};

use crate::{Concurrency, Manifest, Workflow};
use leg_state::{Given, LegPhase};
use state::State;
use work::Work;

/// What a run is started with; holds no secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Start {
    /// The `github` context without paths and token: `event`, `event_name`, `ref`, `sha`, `repository`, `run_id`, ….
    pub github: Value,
    pub vars: Value,
    /// The inputs of a `workflow_dispatch`, typed.
    pub inputs: Value,
    #[serde(default)]
    pub trust: Trust,
    #[serde(default, skip_serializing_if = "state::is_default")]
    pub selection: Selection,
}

/// One run of a workflow.
#[derive(Clone, Debug)]
pub struct Run {
    /// The run's own and those that its jobs call.
    files: Vec<Arc<Workflow>>,
    manifests: Vec<Arc<Manifest>>,
    state: State,
    work: Work,
}

impl Run {
    /// A cancelled or overdue process gets an interrupt, this long later a
    /// termination, and after the second span it is killed, as GitHub's runner does.
    pub const STOP_LADDER: [Duration; 2] =
        [Duration::from_millis(7500), Duration::from_millis(2500)];
    /// A job whose executor dies is started at most this often.
    pub const MAX_ATTEMPTS: u32 = 3;

    pub fn new(workflow: Workflow, start: Start, now: Timestamp) -> Self {
        let state = State::new(&workflow, start, now);
        let mut run = Self {
            files: vec![Arc::new(workflow)],
            manifests: Vec::new(),
            state,
            work: Work::default(),
        };
        run.begin();
        run
    }

    fn begin(&mut self) {
        self.work = Work::of(&self.files, &self.state);
        if let Err(problem) = self.open_gate(0) {
            return self.refuse(&problem);
        }
        self.leave_out();
    }

    /// Ends every job of a run that cannot begin.
    fn refuse(&mut self, problem: &str) {
        for job in self.jobs_of(0) {
            self.end_job(job, Conclusion::Failure, Some(Reason::new(problem)));
        }
    }

    /// Records what happened. Reports of an older attempt and second reports are ignored.
    pub fn handle(&mut self, event: Event, outside: &dyn Outside, now: Timestamp) {
        self.state.now = now;
        match event {
            Event::GroupGranted { holder } => self.group_granted(&holder),
            Event::GroupWaits { holder, reason } => self.group_waits(&holder, &reason),
            Event::GroupReplaced { holder, reason } => {
                self.group_replaced(&holder, &reason, outside);
            }
            Event::Approved { job, not_before } => {
                if let Some((job, leg)) = self.find(&job) {
                    self.approved(job, leg, not_before);
                }
            }
            Event::ApprovalWaits { job, reason } => {
                if let Some((job, leg)) = self.find(&job)
                    && self.leg(job, leg).phase == LegPhase::Approval
                {
                    self.leg_mut(job, leg).waits = Some(reason);
                }
            }
            Event::Rejected { job, reason } => {
                if let Some((job, leg)) = self.find(&job)
                    && matches!(
                        self.leg(job, leg).phase,
                        LegPhase::Approval | LegPhase::Timer
                    )
                {
                    self.fail_leg(job, leg, &reason);
                }
            }
            Event::WorkflowLoaded { job, workflow } => {
                if let Some((job, leg)) = self.find(&job) {
                    self.workflow_loaded(job, leg, workflow, outside);
                }
            }
            Event::JobStarted {
                job,
                attempt,
                place,
            } => self.job_started(&job, attempt, place),
            Event::JobRefused {
                job,
                attempt,
                reason,
            } => self.job_refused(&job, attempt, &reason),
            Event::JobReused {
                job,
                attempt,
                reason,
                outputs,
            } => self.job_reused(&job, attempt, &reason, outputs),
            Event::JobLost {
                job,
                attempt,
                reason,
            } => self.job_lost(&job, attempt, &reason),
            Event::JobClosed { job, attempt } => self.job_closed(&job, attempt),
            Event::ActionsPrepared {
                job,
                attempt,
                actions,
            } => {
                if let Some((job, leg)) = self.find_leg(&job, attempt) {
                    self.actions_prepared(job, leg, actions, outside);
                }
            }
            Event::ActionLoaded {
                job,
                attempt,
                path,
                action,
            } => {
                if let Some((job, leg)) = self.find_leg(&job, attempt) {
                    self.action_loaded(job, leg, &path, action, outside);
                }
            }
            Event::StepStarted { step } => self.step_started(&step),
            Event::StepFinished { step, report } => self.step_finished(&step, report, outside),
            Event::TrustLost { job, reason } => self.trust_lost(&job, &reason),
            Event::CancelRun { reason } => self.cancel_run(&reason, outside),
            Event::CancelJob { job, reason } => {
                if let Some((job, leg)) = self.find(&job) {
                    self.cancel_leg(job, leg, &reason, StopReason::Cancelled, outside);
                }
            }
        }
        self.advance(outside);
    }

    /// Stops every job and step that is over its time, and lets go on what waited for it.
    pub fn handle_timeout(&mut self, outside: &dyn Outside, now: Timestamp) {
        self.state.now = now;
        self.stop_overdue(outside);
        self.advance(outside);
    }

    /// When to call [`Run::handle_timeout`]; `None` while nothing has a deadline.
    pub fn deadline(&self) -> Option<Timestamp> {
        let jobs = self.state.jobs.iter();
        jobs.flat_map(|job| &job.legs)
            .filter_map(leg_state::LegState::deadline)
            .min()
    }

    /// Forgets what was given, as a reload does: every open effect is given again.
    pub fn resume(&mut self) {
        self.state.given_finish = false;
        self.state.given_group = false;
        for leg in self.state.jobs.iter_mut().flat_map(|job| &mut job.legs) {
            leg.given = Given::default();
            for step in &mut leg.steps {
                step.given = Given::default();
            }
        }
        self.work.look_at_all(&self.state);
    }

    /// The run's own workflow.
    pub fn workflow(&self) -> &Workflow {
        self.files.first().expect("a run has its file")
    }

    /// How the run ended; `None` while it goes on.
    pub fn conclusion(&self) -> Option<Conclusion> {
        self.state.conclusion
    }

    /// Counts from 1; each re-run has the next number.
    pub fn attempt(&self) -> u32 {
        self.state.run_attempt()
    }

    /// The evaluated group of the workflow's `concurrency`, and whether a newer run cancels the older.
    ///
    /// # Errors
    ///
    /// The message of an expression that has no value.
    pub fn concurrency(&self) -> Result<Option<(String, bool)>, String> {
        let concurrency: Option<&Concurrency> = self.workflow().concurrency.as_ref();
        let group = concurrency.map(|it| it.evaluate(&self.base_scope(0)));
        let group = group.transpose()?.flatten();
        Ok(group.map(|it| (it.name, it.running == InProgress::IsCancelled)))
    }

    /// What the run calls itself: `run-name`, else nothing.
    pub fn run_name(&self) -> Option<String> {
        let name = self.workflow().run_name.as_ref()?;
        let name = name.evaluate_text(&self.base_scope(0)).ok()?;
        (!name.trim().is_empty()).then_some(name)
    }
}

/// An effect whose expressions have no value; the state already says what failed.
struct Unbuildable;

/// A boolean key takes a boolean, or the text of one.
fn is_true(value: &crate::expr::Value) -> bool {
    value.to_text().eq_ignore_ascii_case("true")
}
