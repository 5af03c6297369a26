//! Moves jobs on: from waiting to legs, from legs to a result.

use api::Conclusion;

use super::{
    Outside, Reason, Run, StopReason,
    conditions::{Verdict, ended},
    is_true,
    leg_state::LegPhase,
    state::JobPhase,
};

impl Run {
    pub(super) fn touch(&mut self, job: usize, leg: usize) {
        self.work.dirty.insert((job, Some(leg)));
    }

    pub(super) fn touch_job(&mut self, job: usize) {
        self.work.dirty.insert((job, None));
    }

    /// Decides everything that can be decided now.
    pub(super) fn advance(&mut self, outside: &dyn Outside) {
        while let Some((job, leg)) = self.work.dirty.pop_first() {
            match leg {
                Some(leg) => self.advance_leg(job, leg, outside),
                None => self.advance_job(job, outside),
            }
        }
    }

    fn advance_job(&mut self, job: usize, outside: &dyn Outside) {
        if !self.frame(job).group.is_open() {
            return;
        }
        match self.job_state(job).phase {
            JobPhase::Waiting => {
                let done = |it: &usize| self.job_state(*it).phase == JobPhase::Done;
                if self.work.needs_of(job).iter().all(done) {
                    self.decide_job(job);
                }
            }
            JobPhase::Expanded => {
                self.fail_fast(job, outside);
                if self.finish_job(job) {
                    return;
                }
                for leg in self.free_legs(job) {
                    self.begin_leg(job, leg);
                    self.touch(job, leg);
                }
            }
            JobPhase::Done => {}
        }
    }

    fn decide_job(&mut self, job: usize) {
        let ancestry = self.ancestry(job);
        self.job_state_mut(job).ancestry = ancestry;
        match self.job_condition(job) {
            Verdict::Holds => match self.expand(job) {
                Ok(()) => self.touch_job(job),
                Err(problem) => {
                    self.end_job(job, Conclusion::Failure, Some(Reason::new(problem)));
                }
            },
            Verdict::Fails(reason) => self.end_job(job, Conclusion::Skipped, Some(reason)),
            Verdict::Broken(problem) => {
                self.end_job(job, Conclusion::Failure, Some(Reason::new(problem)))
            }
        }
    }

    /// Legs that `max-parallel` lets start now.
    fn free_legs(&self, job: usize) -> Vec<usize> {
        let state = self.job_state(job);
        let active = state.legs.iter().filter(|it| it.is_active()).count();
        let free = state
            .max_parallel
            .unwrap_or(usize::MAX)
            .saturating_sub(active);
        let queued = state.legs.iter().enumerate();
        let queued = queued.filter(|(_, it)| it.phase == LegPhase::Queued);
        queued.map(|(leg, _)| leg).take(free).collect()
    }

    fn advance_leg(&mut self, job: usize, leg: usize, outside: &dyn Outside) {
        let legs = &self.job_state(job).legs;
        let Some(phase) = legs.get(leg).map(|it| it.phase) else {
            return;
        };
        match phase {
            LegPhase::Group => self.after_group(job, leg),
            LegPhase::Timer => self.after_timer(job, leg),
            LegPhase::Running => {
                while self.leg(job, leg).phase == LegPhase::Running
                    && self.advance_steps(job, leg, outside)
                {}
            }
            LegPhase::Calling => self.finish_call(job, leg, outside),
            LegPhase::Queued
            | LegPhase::Approval
            | LegPhase::Loading
            | LegPhase::Starting
            | LegPhase::Preparing
            | LegPhase::Done => {}
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
        state.waits = None;
        state.conclusion = Some(conclusion);
        state.tolerated = conclusion == Conclusion::Failure && continue_on_error;
        state.reason = state.reason.take().or(reason);
        state.finished = Some(now);
        state.given.main = false;
        self.touch_job(job);
    }

    fn continues_on_error(&self, job: usize, leg: usize) -> bool {
        let Some(template) = &self.job(job).continue_on_error else {
            return false;
        };
        let scope = self.leg_scope(job, leg);
        template.evaluate(&scope).is_ok_and(|it| is_true(&it))
    }

    /// The first leg that fails takes its siblings along.
    fn fail_fast(&mut self, job: usize, outside: &dyn Outside) {
        let state = self.job_state(job);
        if !state.fail_fast || state.legs.len() < 2 {
            return;
        }
        let failed = state
            .legs
            .iter()
            .filter(|leg| leg.conclusion == Some(Conclusion::Failure) && !leg.tolerated)
            .max_by_key(|leg| leg.run_attempt);
        let Some(failed) = failed else {
            return;
        };
        let why = format!("`{}` failed, and `fail-fast` is on", failed.name);
        // A leg that runs again alone is not taken along by one that failed before.
        let attempt = failed.run_attempt;
        let legs = state.legs.iter().enumerate();
        let open = legs.filter(|(_, it)| {
            it.phase != LegPhase::Done && it.cancelled.is_none() && it.run_attempt <= attempt
        });
        let open: Vec<_> = open.map(|(leg, _)| leg).collect();
        for leg in open {
            self.cancel_leg(job, leg, &why, StopReason::Cancelled, outside);
        }
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
        let all_skipped = legs
            .iter()
            .all(|leg| leg.conclusion == Some(Conclusion::Skipped));
        let result = if any(Conclusion::Failure) {
            Conclusion::Failure
        } else if any(Conclusion::Cancelled) {
            Conclusion::Cancelled
        } else if all_skipped {
            Conclusion::Skipped
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
        for needing in self.work.needing(job).to_vec() {
            self.touch_job(needing);
        }
        let frame = self.job_state(job).frame;
        let mut jobs = self.jobs_of(frame);
        if !jobs.all(|it| self.job_state(it).phase == JobPhase::Done) {
            return;
        }
        match self.frame(job).caller {
            Some((caller, leg)) => self.touch(caller, leg),
            None => self.state.conclusion = Some(self.overall(frame)),
        }
    }

    /// What the jobs of a file have come to together.
    pub(super) fn overall(&self, frame: usize) -> Conclusion {
        let results = || self.jobs_of(frame).map(|it| self.job_state(it).result);
        let any = |wanted| results().any(|it| it == Some(wanted));
        if any(Conclusion::Failure) {
            Conclusion::Failure
        } else if any(Conclusion::Cancelled)
            || self.state.cancelled.is_some() && any(Conclusion::Skipped)
        {
            Conclusion::Cancelled
        } else if results().all(|it| it == Some(Conclusion::Skipped)) {
            Conclusion::Skipped
        } else {
            Conclusion::Success
        }
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
        let failed = |it: &&super::step_state::StepState| {
            it.conclusion == Some(Conclusion::Failure) && it.within.is_none()
        };
        let order = state.order.iter().filter_map(|it| state.steps.get(*it));
        let step = order.into_iter().find(failed)?;
        let why = step.reason.as_deref().unwrap_or(ended(conclusion));
        Some(Reason::new(format!("step `{}`: {why}", step.name)))
    }
}
