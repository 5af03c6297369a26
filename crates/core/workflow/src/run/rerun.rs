//! Starts jobs of a run again, all or some, while others may still run.

use std::collections::BTreeSet;

use api::Conclusion;
use names::Timestamp;
use serde_json::Value;

use super::{
    JobKey, Run, Start,
    leg_state::LegPhase,
    state::{Gate, JobPhase, JobState, State},
    step_state::StepState,
};

/// Which jobs of a run run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rerun {
    All,
    /// Those that failed or were cancelled, and all that need them.
    Failed,
    /// One job, and all that need it.
    Job(JobKey),
}

/// GitHub starts a run again this often.
const ATTEMPTS_MAX: u32 = 50;

/// Why jobs cannot run again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RerunError {
    #[error("the run has no job `{0}`")]
    NoJob(String),
    #[error("`{0}` is not over yet")]
    NotOver(String),
    #[error("nothing failed")]
    NothingFailed,
    #[error("a run starts at most {ATTEMPTS_MAX} times")]
    TooOften,
}

impl Run {
    /// A run with the same start whose given jobs run again; the others keep results and outputs.
    ///
    /// # Errors
    ///
    /// When such a job is not there, or it or one that needs it still runs.
    pub fn rerun(previous: &Self, what: &Rerun, now: Timestamp) -> Result<Self, RerunError> {
        let mut run = previous.clone();
        run.run_again(what, now)?;
        Ok(run)
    }

    /// The same in place; other jobs may go on meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Run::rerun`]; nothing has changed then.
    pub fn run_again(&mut self, what: &Rerun, now: Timestamp) -> Result<(), RerunError> {
        if self.state.run_attempt() >= ATTEMPTS_MAX {
            return Err(RerunError::TooOften);
        }
        let legs = self.legs_again(what)?;
        let mut whole = BTreeSet::new();
        for (job, _) in &legs {
            whole.extend(self.needing_deep(*job));
        }
        let busy = |job: &usize| {
            self.job_state(*job)
                .legs
                .iter()
                .any(|it| !matches!(it.phase, LegPhase::Queued | LegPhase::Done))
        };
        if let Some(job) = whole.iter().copied().find(busy) {
            return Err(RerunError::NotOver(self.job_state(job).id.clone()));
        }
        let attempts = self.state.jobs.iter().flat_map(|it| &it.legs);
        let last = attempts.map(|it| it.attempt).max().unwrap_or_default();
        self.state.now = now;
        self.state.first_attempt = last + 1;
        let was_over = self.state.conclusion.take().is_some();
        self.state.cancelled = None;
        self.state.given_finish = false;
        self.state.given_group = false;
        let attempt = self.state.run_attempt() + 1;
        set_attempt(&mut self.state.ground.start, attempt);
        if *what == Rerun::All {
            let start = self.state.ground.start.clone();
            let first_attempt = self.state.first_attempt;
            let Some(file) = self.files.first().cloned() else {
                return Ok(());
            };
            self.state = State::new(&file, start, now);
            self.state.first_attempt = first_attempt;
            self.files.truncate(1);
            self.manifests.clear();
            self.begin();
            return Ok(());
        }
        for (job, leg) in legs {
            if !whole.contains(&job) {
                self.reset_leg(job, leg, attempt);
                self.reopen_callers(job);
            }
        }
        for job in whole {
            self.reset_job(job);
        }
        self.work = super::work::Work::of(&self.files, &self.state);
        if was_over && let Err(problem) = self.open_gate(0) {
            self.refuse(&problem);
        }
        Ok(())
    }

    /// Legs that are over and were asked for.
    fn legs_again(&self, what: &Rerun) -> Result<Vec<(usize, usize)>, RerunError> {
        let live = |job: &usize| !self.frame(*job).gone;
        let jobs = (0..self.state.jobs.len()).filter(live);
        let legs =
            jobs.flat_map(|job| (0..self.job_state(job).legs.len()).map(move |leg| (job, leg)));
        match what {
            Rerun::All => {
                let open =
                    |(job, leg): &(usize, usize)| self.leg(*job, *leg).phase != LegPhase::Done;
                let mut legs = legs;
                match legs.find(open) {
                    Some((job, leg)) => Err(RerunError::NotOver(self.key(job, leg).to_string())),
                    None => Ok(Vec::new()),
                }
            }
            Rerun::Failed => {
                let failed = |(job, leg): &(usize, usize)| {
                    let state = self.leg(*job, *leg);
                    let bad = [Some(Conclusion::Failure), Some(Conclusion::Cancelled)];
                    // Of a call the jobs inside count.
                    state.frame.is_none() && bad.contains(&state.conclusion)
                };
                let mut found: Vec<_> = legs.filter(failed).collect();
                // Jobs that failed before they had a leg.
                for job in (0..self.state.jobs.len()).filter(live) {
                    let state = self.job_state(job);
                    if state.legs.is_empty()
                        && matches!(
                            state.result,
                            Some(Conclusion::Failure | Conclusion::Cancelled)
                        )
                    {
                        found.push((job, 0));
                    }
                }
                if found.is_empty() {
                    return Err(RerunError::NothingFailed);
                }
                Ok(found)
            }
            Rerun::Job(key) => {
                let job = self
                    .work
                    .job(&key.id)
                    .ok_or_else(|| RerunError::NoJob(key.to_string()))?;
                let state = self.job_state(job);
                let over = match state.legs.get(key.leg) {
                    Some(leg) => leg.phase == LegPhase::Done,
                    None if key.leg > 0 => return Err(RerunError::NoJob(key.to_string())),
                    None => state.phase == JobPhase::Done,
                };
                if !over {
                    return Err(RerunError::NotOver(key.to_string()));
                }
                Ok(vec![(job, key.leg)])
            }
        }
    }

    /// All jobs that need this one, also those that need the job that calls its file.
    fn needing_deep(&self, job: usize) -> BTreeSet<usize> {
        let mut found = self.work.descendants(job);
        if let Some((caller, _)) = self.frame(job).caller {
            found.extend(self.needing_deep(caller));
        }
        found
    }

    fn reset_leg(&mut self, job: usize, leg: usize, run_attempt: u32) {
        if self.job_state(job).legs.is_empty() {
            return self.reset_job(job);
        }
        if let Some(frame) = self.leg(job, leg).frame {
            self.drop_frame(frame);
        }
        let steps = StepState::of_file(&self.job(job).steps);
        let state = self.leg_mut(job, leg);
        state.restart(steps);
        state.losses = 0;
        state.run_attempt = run_attempt;
        state.group = Gate::Unknown;
        state.not_before = None;
        state.frame = None;
        state.started = None;
        state.notes.clear();
        state.enter(LegPhase::Queued);
        let state = self.job_state_mut(job);
        state.phase = JobPhase::Expanded;
        state.result = None;
        state.reason = None;
    }

    /// A job inside a called file runs again, so the call is not over.
    fn reopen_callers(&mut self, job: usize) {
        let Some((caller, leg)) = self.frame(job).caller else {
            return;
        };
        let state = self.leg_mut(caller, leg);
        if state.phase == LegPhase::Done {
            state.conclusion = None;
            state.reason = None;
            state.cancelled = None;
            state.finished = None;
            state.closed = false;
            state.enter(LegPhase::Calling);
            let frame = state.frame;
            let state = self.job_state_mut(caller);
            state.phase = JobPhase::Expanded;
            state.result = None;
            state.reason = None;
            // Its group was given back when it ended; the name had a value then.
            if let Some(problem) = frame.and_then(|it| self.open_gate(it).err()) {
                self.fail_leg(caller, leg, &problem);
            }
        }
        self.reopen_callers(caller);
    }

    /// As if it had never been looked at.
    fn reset_job(&mut self, job: usize) {
        for leg in 0..self.job_state(job).legs.len() {
            if let Some(frame) = self.leg(job, leg).frame {
                self.drop_frame(frame);
            }
        }
        let state = self.job_state(job);
        let fresh = JobState::new(state.id.clone(), state.frame);
        *self.job_state_mut(job) = fresh;
    }
}

fn set_attempt(start: &mut Start, attempt: u32) {
    if let Value::Object(github) = &mut start.github {
        github.insert("run_attempt".to_owned(), attempt.to_string().into());
    }
}
