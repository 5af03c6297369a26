//! Moves jobs on: from waiting to legs, from legs to a result.

use std::time::Duration;

use api::Conclusion;

use super::{
    JobKey, Outside, Place, Reason, Run, StopReason,
    conditions::{Verdict, ended},
    is_true,
    state::{JobPhase, LegPhase, LegState},
};

impl Run {
    /// Decides everything that can be decided now.
    pub(super) fn advance(&mut self, outside: &dyn Outside) {
        while (0..self.state.jobs.len()).any(|job| self.advance_job(job, outside)) {}
        if self.state.conclusion.is_none()
            && self
                .state
                .jobs
                .iter()
                .all(|job| job.phase == JobPhase::Done)
        {
            self.state.conclusion = Some(self.overall());
        }
    }

    /// Whether anything changed.
    fn advance_job(&mut self, job: usize, outside: &dyn Outside) -> bool {
        match self.job_state(job).phase {
            JobPhase::Waiting => {
                let done = |id: &String| {
                    self.state
                        .jobs
                        .iter()
                        .any(|it| it.id.eq_ignore_ascii_case(id) && it.phase == JobPhase::Done)
                };
                let ready = self.job(job).needs.iter().all(done);
                if ready {
                    self.decide_job(job);
                }
                ready
            }
            JobPhase::Expanded => {
                let legs = 0..self.job_state(job).legs.len();
                let moved = legs.clone().any(|leg| self.advance_leg(job, leg, outside));
                moved || self.fail_fast(job, outside) || self.finish_job(job)
            }
            JobPhase::Done => false,
        }
    }

    fn decide_job(&mut self, job: usize) {
        match self.job_condition(job) {
            Verdict::Holds => {
                if let Err(problem) = self.expand(job) {
                    self.end_job(job, Conclusion::Failure, Some(Reason::new(problem)));
                }
            }
            Verdict::Fails(reason) => self.end_job(job, Conclusion::Skipped, Some(reason)),
            Verdict::Broken(problem) => {
                self.end_job(job, Conclusion::Failure, Some(Reason::new(problem)))
            }
        }
    }

    fn advance_leg(&mut self, job: usize, leg: usize, outside: &dyn Outside) -> bool {
        match self.leg(job, leg).phase {
            LegPhase::Queued => {
                if self.active_legs(job) >= self.job_state(job).max_parallel {
                    return false;
                }
                let state = self.leg_mut(job, leg);
                state.phase = LegPhase::Starting;
                state.attempt = 1;
                true
            }
            LegPhase::Running => self.advance_steps(job, leg, outside),
            LegPhase::Starting | LegPhase::Done => false,
        }
    }

    /// The leg an event means, unless it is over or in another attempt.
    pub(super) fn find_leg(&self, key: &JobKey, attempt: u32) -> Option<(usize, usize)> {
        let job = self.state.jobs.iter().position(|it| it.id == key.id)?;
        let leg = self.job_state(job).legs.get(key.leg)?;
        (leg.attempt == attempt && leg.phase != LegPhase::Done).then_some((job, key.leg))
    }

    pub(super) fn job_started(&mut self, key: &JobKey, attempt: u32, place: Place) {
        let now = self.state.now;
        let Some((job, leg)) = self.find_leg(key, attempt) else {
            return;
        };
        let state = self.leg_mut(job, leg);
        if state.phase == LegPhase::Starting {
            state.phase = LegPhase::Running;
            state.deadline = Some(now + Duration::from_secs(state.timeout_secs));
            state.started = state.started.or(Some(now));
            state.place = Some(place);
        }
        state.given.main = true;
    }

    pub(super) fn job_refused(&mut self, key: &JobKey, attempt: u32, why: &str) {
        let Some((job, leg)) = self.find_leg(key, attempt) else {
            return;
        };
        self.end_leg(job, leg, Conclusion::Failure, Some(Reason::new(why)));
    }

    pub(super) fn job_lost(&mut self, key: &JobKey, attempt: u32, why: &str) {
        let now = self.state.now;
        let Some((job, leg)) = self.find_leg(key, attempt) else {
            return;
        };
        let state = self.leg_mut(job, leg);
        if let Some(cancelled) = state.cancelled.clone() {
            self.end_leg(
                job,
                leg,
                Conclusion::Cancelled,
                Some(Reason::new(cancelled)),
            );
        } else if attempt >= Self::MAX_ATTEMPTS {
            let reason = format!("its executor was lost {attempt} times, at last: {why}");
            self.end_leg(job, leg, Conclusion::Failure, Some(Reason::new(reason)));
        } else {
            state.restart(now, why);
        }
    }

    pub(super) fn job_closed(&mut self, key: &JobKey, attempt: u32) {
        let Some(job) = self.state.jobs.iter_mut().find(|it| it.id == key.id) else {
            return;
        };
        if let Some(leg) = job
            .legs
            .get_mut(key.leg)
            .filter(|it| it.attempt == attempt && it.phase == LegPhase::Done)
        {
            leg.closed = true;
        }
    }

    pub(super) fn end_leg(
        &mut self,
        job: usize,
        leg: usize,
        conclusion: Conclusion,
        reason: Option<Reason>,
    ) {
        let now = self.state.now;
        let continue_on_error = self.continues_on_error(job, leg);
        let state = self.leg_mut(job, leg);
        state.phase = LegPhase::Done;
        state.conclusion = Some(conclusion);
        state.tolerated = conclusion == Conclusion::Failure && continue_on_error;
        state.reason = state.reason.take().or(reason);
        state.finished = Some(now);
        state.given.main = false;
    }

    fn continues_on_error(&self, job: usize, leg: usize) -> bool {
        let Some(template) = &self.job(job).continue_on_error else {
            return false;
        };
        let state = self.leg(job, leg);
        let scope = self.leg_scope(job, leg, &state.matrix, self.job_state(job).legs.len());
        template.evaluate(&scope).is_ok_and(|it| is_true(&it))
    }

    /// The first leg that fails takes its siblings along. Whether anything changed.
    fn fail_fast(&mut self, job: usize, outside: &dyn Outside) -> bool {
        let state = self.job_state(job);
        let failed = state
            .legs
            .iter()
            .find(|leg| leg.conclusion == Some(Conclusion::Failure) && !leg.tolerated);
        let Some(failed) = failed.filter(|_| state.fail_fast) else {
            return false;
        };
        let why = format!("`{}` failed, and `fail-fast` is on", failed.name);
        let running = |leg: &LegState| leg.phase != LegPhase::Done && leg.cancelled.is_none();
        let open: Vec<_> = (0..state.legs.len())
            .filter(|leg| state.legs.get(*leg).is_some_and(running))
            .collect();
        for leg in &open {
            self.cancel_leg(&self.key(job, *leg), &why, StopReason::Cancelled, outside);
        }
        !open.is_empty()
    }

    /// The result of a job whose legs are all over. Whether they are.
    fn finish_job(&mut self, job: usize) -> bool {
        let legs = &self.job_state(job).legs;
        if legs.iter().any(|leg| leg.phase != LegPhase::Done) {
            return false;
        }
        let any = |wanted| {
            legs.iter()
                .any(|leg| leg.conclusion == Some(wanted) && !leg.tolerated)
        };
        let result = if any(Conclusion::Failure) {
            Conclusion::Failure
        } else if any(Conclusion::Cancelled) {
            Conclusion::Cancelled
        } else {
            Conclusion::Success
        };
        self.end_job(job, result, None);
        true
    }

    pub(super) fn end_job(&mut self, job: usize, result: Conclusion, reason: Option<Reason>) {
        let state = self.job_state_mut(job);
        state.phase = JobPhase::Done;
        state.result = Some(result);
        state.reason = reason;
    }

    fn overall(&self) -> Conclusion {
        let all = |wanted| self.state.jobs.iter().all(|job| job.result == Some(wanted));
        let any = |wanted| self.state.jobs.iter().any(|job| job.result == Some(wanted));
        if any(Conclusion::Failure) {
            Conclusion::Failure
        } else if any(Conclusion::Cancelled)
            || self.state.cancelled.is_some() && any(Conclusion::Skipped)
        {
            Conclusion::Cancelled
        } else if all(Conclusion::Skipped) {
            Conclusion::Skipped
        } else {
            Conclusion::Success
        }
    }

    /// What a job that has not started waits for.
    pub(super) fn waits_for(&self, job: usize) -> Option<Reason> {
        let open = |id: &&String| {
            self.state
                .jobs
                .iter()
                .any(|it| it.id.eq_ignore_ascii_case(id) && it.phase != JobPhase::Done)
        };
        let open: Vec<_> = self
            .job(job)
            .needs
            .iter()
            .filter(open)
            .map(|id| format!("`{id}`"))
            .collect();
        let first = self
            .job(job)
            .needs
            .iter()
            .find(|id| open.contains(&format!("`{id}`")))?;
        Some(Reason {
            text: format!("it waits for {}", open.join(", ")),
            ancestor: Some(first.clone()),
            ..Reason::default()
        })
    }

    /// The sentence for a leg that ended, from the step that decided.
    pub(super) fn leg_reason(
        &self,
        job: usize,
        leg: usize,
        conclusion: Conclusion,
    ) -> Option<Reason> {
        let state = self.leg(job, leg);
        if let Some(why) = &state.cancelled {
            return Some(Reason::new(why));
        }
        let step = state
            .steps
            .iter()
            .find(|it| it.conclusion == Some(Conclusion::Failure))?;
        let why = step.reason.as_deref().unwrap_or(ended(conclusion));
        Some(Reason::new(format!("step `{}`: {why}", step.name)))
    }
}
