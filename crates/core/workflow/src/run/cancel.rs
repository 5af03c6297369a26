//! Ends jobs before their time: on request, for a failed sibling, over time.

use std::time::Duration;

use api::Conclusion;
use names::Timestamp;

use super::{
    GroupHolder, Outside, Reason, Run, StopReason, conditions::Verdict, leg_state::LegPhase,
    state::JobPhase, step_state::StepPhase,
};

impl Run {
    pub(super) fn cancel_run(&mut self, why: &str, outside: &dyn Outside) {
        if self.state.cancelled.is_some() || self.state.conclusion.is_some() {
            return;
        }
        self.state.cancelled = Some(why.to_owned());
        self.abandon_frame(0, why);
        self.cancel_jobs(0, why, outside);
    }

    /// Cancels the jobs of a file whose own condition, such as `always()`, does not insist.
    fn cancel_jobs(&mut self, frame: usize, why: &str, outside: &dyn Outside) {
        for job in self.jobs_of(frame) {
            match self.job_state(job).phase {
                JobPhase::Expanded if !matches!(self.job_condition(job), Verdict::Holds) => {
                    for leg in 0..self.job_state(job).legs.len() {
                        self.cancel_leg(job, leg, why, StopReason::Cancelled, outside);
                    }
                }
                JobPhase::Waiting => self.touch_job(job),
                JobPhase::Expanded | JobPhase::Done => {}
            }
        }
    }

    pub(super) fn cancel_leg(
        &mut self,
        job: usize,
        leg: usize,
        why: &str,
        stop: StopReason,
        outside: &dyn Outside,
    ) {
        let now = self.state.now;
        let state = self.leg_mut(job, leg);
        if state.cancelled.is_some() {
            return;
        }
        match state.phase {
            LegPhase::Done => {}
            LegPhase::Queued
            | LegPhase::Group
            | LegPhase::Approval
            | LegPhase::Timer
            | LegPhase::Loading
            | LegPhase::Starting => {
                self.end_leg(job, leg, Conclusion::Cancelled, Some(Reason::new(why)));
            }
            LegPhase::Calling => {
                state.cancelled = Some(why.to_owned());
                if let Some(frame) = state.frame {
                    self.abandon_frame(frame, why);
                    self.cancel_jobs(frame, why, outside);
                }
                self.touch(job, leg);
            }
            LegPhase::Preparing | LegPhase::Running => {
                state.cancelled = Some(why.to_owned());
                state.cancel_deadline = Some(now + Duration::from_secs(state.cancel_timeout_secs));
                // What its actions are matters no more: only steps that need none may still run.
                if state.phase == LegPhase::Preparing {
                    state.enter(LegPhase::Running);
                }
                self.cancel_steps(job, leg, stop, outside);
                self.touch(job, leg);
            }
        }
    }

    pub(super) fn group_replaced(
        &mut self,
        holder: &GroupHolder,
        why: &str,
        outside: &dyn Outside,
    ) {
        match holder {
            GroupHolder::Run => self.cancel_run(why, outside),
            GroupHolder::Job(key) | GroupHolder::Called(key) => {
                if let Some((job, leg)) = self.find(key) {
                    self.cancel_leg(job, leg, why, StopReason::Cancelled, outside);
                }
            }
        }
    }

    pub(super) fn stop_overdue(&mut self, outside: &dyn Outside) {
        let now = self.state.now;
        let over = |deadline: Option<Timestamp>| deadline.is_some_and(|it| it <= now);
        for job in 0..self.state.jobs.len() {
            for leg in 0..self.job_state(job).legs.len() {
                let state = self.leg(job, leg);
                match state.phase {
                    LegPhase::Timer if over(state.not_before) => self.touch(job, leg),
                    LegPhase::Preparing | LegPhase::Running => {
                        if state.cancelled.is_some() && over(state.cancel_deadline) {
                            self.give_up(job, leg);
                        } else if state.cancelled.is_none() && over(state.deadline) {
                            let why =
                                format!("it is over its time of {}", minutes(state.timeout_secs));
                            self.cancel_leg(job, leg, &why, StopReason::JobTimeout, outside);
                        } else {
                            self.stop_overdue_steps(job, leg);
                        }
                    }
                    LegPhase::Queued
                    | LegPhase::Group
                    | LegPhase::Approval
                    | LegPhase::Timer
                    | LegPhase::Loading
                    | LegPhase::Calling
                    | LegPhase::Starting
                    | LegPhase::Done => {}
                }
            }
        }
    }

    /// A cancelled job that did not end in time ends without its steps.
    fn give_up(&mut self, job: usize, leg: usize) {
        let now = self.state.now;
        let state = self.leg_mut(job, leg);
        for step in state
            .steps
            .iter_mut()
            .filter(|it| it.phase != StepPhase::Done)
        {
            let ran = step.phase != StepPhase::Pending;
            let conclusion = if ran {
                Conclusion::Cancelled
            } else {
                Conclusion::Skipped
            };
            step.enter(StepPhase::Done);
            step.outcome = Some(conclusion);
            step.conclusion = Some(conclusion);
            step.reason = Some("the job did not end in time after it was cancelled".to_owned());
            step.finished = ran.then_some(now);
        }
        let why = state.cancelled.clone().unwrap_or_default();
        self.end_leg(job, leg, Conclusion::Cancelled, Some(Reason::new(why)));
    }
}

/// A time limit for people.
pub(super) fn minutes(seconds: u64) -> String {
    match seconds {
        60 => "1 minute".to_owned(),
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}
