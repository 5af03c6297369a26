//! The life of one workflow run, as a state machine without I/O.
//!
//! Tell it what happened with [`Run::handle`], do what [`Run::next_effect`] asks
//! until it asks nothing more, and call [`Run::handle_timeout`] at
//! [`Run::deadline`]. Store it (serde) after each round and before carrying out
//! the effects: a run that is loaded again gives anew what was not reported done.
//!
//! Invariant: no secret stands in what is stored. Text that may hold one is kept
//! as the expression it came from, or sealed by [`Secrets`].

mod cancel;
mod conditions;
mod effect;
mod event;
mod expand;
mod jobs;
mod outside;
mod reason;
mod scope;
mod start_step;
mod state;
mod steps;
mod view;

use std::time::Duration;

use api::Conclusion;
use names::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use effect::{
    ActionStep, CommandStep, Effect, Env, File, JobEnd, JobKey, JobStart, StepFiles, StepKey,
    StepStart, StepWork, StopReason,
};
pub use event::{Event, Place, StepEnd, StepReport};
pub use outside::{Outside, Secrets};
pub use reason::Reason;
pub use view::{JobView, StepView};

use crate::{Concurrency, Workflow, expr::Scope};
use state::{LegPhase, State, StepPhase};

/// What a run is started with; holds no secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Start {
    /// The `github` context without paths and token: `event`, `event_name`, `ref`, `sha`, `repository`, `run_id`, ….
    pub github: Value,
    pub vars: Value,
    /// The inputs of a `workflow_dispatch`, typed.
    pub inputs: Value,
}

/// One run of a workflow.
#[derive(Clone, Debug)]
pub struct Run {
    workflow: Workflow,
    state: State,
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
        Self { workflow, state }
    }

    /// Records what happened. Reports of an older attempt and second reports are ignored.
    pub fn handle(&mut self, event: Event, outside: &dyn Outside, now: Timestamp) {
        self.state.now = now;
        match event {
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
            Event::JobLost {
                job,
                attempt,
                reason,
            } => self.job_lost(&job, attempt, &reason),
            Event::JobClosed { job, attempt } => self.job_closed(&job, attempt),
            Event::StepStarted { step } => self.step_started(&step),
            Event::StepFinished { step, report } => self.step_finished(&step, &report, outside),
            Event::CancelRun { reason } => self.cancel_run(&reason, outside),
            Event::CancelJob { job, reason } => {
                self.cancel_leg(&job, &reason, StopReason::Cancelled, outside)
            }
        }
        self.advance(outside);
    }

    /// Stops every job and step that is over its time.
    pub fn handle_timeout(&mut self, outside: &dyn Outside, now: Timestamp) {
        self.state.now = now;
        self.stop_overdue(outside);
        self.advance(outside);
    }

    /// When to call [`Run::handle_timeout`]; `None` while nothing has a deadline.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.state
            .jobs
            .iter()
            .flat_map(|job| &job.legs)
            .filter_map(state::LegState::deadline)
            .min()
    }

    /// What to do next; `None` until something else happens.
    ///
    /// An effect is given once in the life of this value, and again after a reload.
    pub fn next_effect(&mut self, outside: &dyn Outside) -> Option<Effect> {
        self.advance(outside);
        loop {
            match self.open_effect(outside) {
                Ok(effect) => return effect,
                // A step or job that could not even be described has failed; go on from there.
                Err(Unbuildable) => self.advance(outside),
            }
        }
    }

    /// Forgets what was given, as a reload does: every open effect is given again.
    pub fn resume(&mut self) {
        self.state.given_finish = false;
        for leg in self.state.jobs.iter_mut().flat_map(|job| &mut job.legs) {
            leg.given = state::Given::default();
            for step in &mut leg.steps {
                step.given = state::Given::default();
            }
        }
    }

    pub fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// How the run ended; `None` while it goes on.
    pub fn conclusion(&self) -> Option<Conclusion> {
        self.state.conclusion
    }

    /// The evaluated group of the workflow's `concurrency`, and whether a newer run cancels the older.
    ///
    /// # Errors
    ///
    /// The message of an expression that has no value.
    pub fn concurrency(&self) -> Result<Option<(String, bool)>, String> {
        let Some(Concurrency {
            group,
            cancel_in_progress,
        }) = &self.workflow.concurrency
        else {
            return Ok(None);
        };
        let scope = self.base_scope();
        let group = group
            .evaluate_text(&scope)
            .map_err(|error| error.to_string())?;
        let cancel = cancel_in_progress
            .as_ref()
            .map(|it| it.evaluate(&scope))
            .transpose();
        let cancel = cancel
            .map_err(|error| error.to_string())?
            .is_some_and(|it| is_true(&it));
        Ok(Some((group, cancel)))
    }

    /// What the run calls itself: `run-name`, else nothing.
    pub fn run_name(&self) -> Option<String> {
        let name = self
            .workflow
            .run_name
            .as_ref()?
            .evaluate_text(&self.base_scope())
            .ok()?;
        (!name.trim().is_empty()).then_some(name)
    }

    /// The contexts that are there from the start: `github`, `vars`, `inputs`.
    fn base_scope<'a>(&self) -> Scope<'a> {
        let mut scope = Scope::new();
        let Start {
            github,
            vars,
            inputs,
        } = &self.state.start;
        scope
            .set("github", github.clone())
            .set("vars", vars.clone())
            .set("inputs", inputs.clone());
        scope
    }

    fn open_effect(&mut self, outside: &dyn Outside) -> Result<Option<Effect>, Unbuildable> {
        for job in 0..self.state.jobs.len() {
            for leg in 0..self.state.jobs.get(job).map_or(0, |it| it.legs.len()) {
                if let Some(effect) = self.open_leg_effect(job, leg, outside)? {
                    return Ok(Some(effect));
                }
            }
        }
        let finish = self.state.conclusion.filter(|_| !self.state.given_finish);
        self.state.given_finish |= finish.is_some();
        Ok(finish.map(|conclusion| Effect::FinishRun { conclusion }))
    }

    fn open_leg_effect(
        &mut self,
        job: usize,
        leg: usize,
        outside: &dyn Outside,
    ) -> Result<Option<Effect>, Unbuildable> {
        let key = self.key(job, leg);
        let state = self.leg_mut(job, leg);
        let attempt = state.attempt;
        let given = std::mem::replace(&mut state.given.main, true);
        match state.phase {
            LegPhase::Queued => {
                state.given.main = given;
                return Ok(None);
            }
            LegPhase::Starting if !given => return self.start_job(job, leg).map(Some),
            LegPhase::Starting => return Ok(None),
            LegPhase::Running if !given => return Ok(Some(Effect::AdoptJob { job: key, attempt })),
            LegPhase::Running => {}
            LegPhase::Done if given || state.closed => return Ok(None),
            LegPhase::Done => return Ok(Some(Effect::FinishJob(state.end(key)))),
        }
        let Some(index) = state.current_step() else {
            return Ok(None);
        };
        let Some(step) = state.steps.get_mut(index) else {
            return Ok(None);
        };
        let key = StepKey {
            job: key,
            attempt,
            index,
        };
        let given = std::mem::replace(&mut step.given.main, true);
        match step.phase {
            StepPhase::Ready if !given && step.stop.is_none() => {
                return self.start_step(job, leg, index, outside).map(Some);
            }
            StepPhase::Running if !given => return Ok(Some(Effect::AdoptStep { step: key })),
            StepPhase::Ready | StepPhase::Running => {}
            StepPhase::Pending | StepPhase::Done => return Ok(None),
        }
        let stop = step.stop.filter(|_| !step.given.stop);
        step.given.stop |= stop.is_some();
        Ok(stop.map(|why| Effect::StopStep { step: key, why }))
    }
}

/// An effect whose expressions have no value; the state already says what failed.
struct Unbuildable;

/// A boolean key takes a boolean, or the text of one.
fn is_true(value: &crate::expr::Value) -> bool {
    value.to_text().eq_ignore_ascii_case("true")
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.state.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::deserialize(deserializer)?;
        let workflow =
            crate::parse::again(&state.source, &state.path).map_err(serde::de::Error::custom)?;
        if workflow.jobs.len() != state.jobs.len() {
            return Err(serde::de::Error::custom(
                "the workflow has other jobs than the run",
            ));
        }
        Ok(Self { workflow, state })
    }
}
