//! Ends jobs before their time: on request, for a failed sibling, over time.

use std::time::Duration;

use api::Conclusion;

use super::{
    JobKey, Outside, Reason, Run, StopReason,
    conditions::Verdict,
    state::{JobPhase, LegPhase, StepPhase},
};

impl Run {
    pub(super) fn cancel_run(&mut self, why: &str, outside: &dyn Outside) {
        if self.state.cancelled.is_some() || self.state.conclusion.is_some() {
            return;
        }
        self.state.cancelled = Some(why.to_owned());
        for job in 0..self.state.jobs.len() {
            // A job whose own condition still holds, such as `always()`, goes on.
            if self.job_state(job).phase == JobPhase::Expanded
                && !matches!(self.job_condition(job), Verdict::Holds)
            {
                for leg in 0..self.job_state(job).legs.len() {
                    self.cancel_leg(&self.key(job, leg), why, StopReason::Cancelled, outside);
                }
            }
        }
    }

    pub(super) fn cancel_leg(
        &mut self,
        key: &JobKey,
        why: &str,
        stop: StopReason,
        outside: &dyn Outside,
    ) {
        let Some(job) = self.state.jobs.iter().position(|it| it.id == key.id) else {
            return;
        };
        let now = self.state.now;
        let Some(state) = self.job_state_mut(job).legs.get_mut(key.leg) else {
            return;
        };
        if state.cancelled.is_some() {
            return;
        }
        match state.phase {
            LegPhase::Done => {}
            LegPhase::Queued | LegPhase::Starting => {
                self.end_leg(job, key.leg, Conclusion::Cancelled, Some(Reason::new(why)));
            }
            LegPhase::Running => {
                state.cancelled = Some(why.to_owned());
                state.overdue = stop == StopReason::JobTimeout;
                state.cancel_deadline = Some(now + Duration::from_secs(state.cancel_timeout_secs));
                self.cancel_steps(job, key.leg, stop, outside);
            }
        }
    }

    pub(super) fn stop_overdue(&mut self, outside: &dyn Outside) {
        let now = self.state.now;
        for job in 0..self.state.jobs.len() {
            for leg in 0..self.job_state(job).legs.len() {
                let state = self.leg(job, leg);
                if state.phase != LegPhase::Running {
                    continue;
                }
                let over =
                    |deadline: Option<names::Timestamp>| deadline.is_some_and(|it| it <= now);
                if state.cancelled.is_some() && over(state.cancel_deadline) {
                    self.give_up(job, leg);
                } else if state.cancelled.is_none() && over(state.deadline) {
                    let why = format!("it is over its time of {}", minutes(state.timeout_secs));
                    self.cancel_leg(&self.key(job, leg), &why, StopReason::JobTimeout, outside);
                } else {
                    self.stop_overdue_step(job, leg);
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
            step.phase = StepPhase::Done;
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
