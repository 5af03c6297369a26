//! Steps that run beside others, and the steps that wait for them or end them.

use api::Conclusion;

use super::{
    Outside, Run, StopReason,
    conditions::ended,
    step_state::{Part, StepPhase, StepState},
    steps::put,
};
use crate::StepAction;

/// GitHub runs this many background steps of a job at once.
pub(super) const BACKGROUND_MAX: usize = 10;

impl Run {
    /// Adds the steps of a `parallel` block, which all run in the background.
    pub(super) fn add_parallel(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        names: Vec<String>,
    ) {
        let state = self.leg_mut(job, leg);
        let Some(outer) = state.steps.get(index) else {
            return;
        };
        let (at, scope) = (outer.at, outer.scope);
        let first = state.steps.len();
        let added = names.into_iter().enumerate().map(|(sub, name)| StepState {
            name,
            main: first + sub,
            at,
            sub: Some(sub),
            within: Some(index),
            scope,
            background: true,
            ..StepState::default()
        });
        state.steps.extend(added);
        let children = (first..state.steps.len()).collect();
        self.step_mut(job, leg, index).children = children;
    }

    /// The background steps that a waiting step is about.
    fn awaited(&self, job: usize, leg: usize, index: usize) -> Vec<usize> {
        let state = self.leg(job, leg);
        let all = || state.background.clone();
        match self.file_step(job, leg, index).map(|it| &it.action) {
            Some(StepAction::Wait(ids)) => {
                let ids = ids
                    .iter()
                    .filter_map(|id| self.background_step(job, leg, id));
                ids.collect()
            }
            Some(StepAction::Cancel(id)) => {
                self.background_step(job, leg, id).into_iter().collect()
            }
            Some(StepAction::Parallel(_)) => self.step(job, leg, index).children.clone(),
            Some(StepAction::WaitAll | StepAction::Run { .. } | StepAction::Uses { .. }) | None => {
                all()
            }
        }
    }

    fn background_step(&self, job: usize, leg: usize, id: &str) -> Option<usize> {
        let steps = self.leg(job, leg).steps.iter().enumerate();
        let mut found = steps.filter(|(_, it)| it.part == Part::Main && it.scope.is_none());
        let found = found.find(|(index, _)| {
            let file = self.file_step(job, leg, *index);
            file.is_some_and(|it| it.id.eq_ignore_ascii_case(id) && it.is_published())
        });
        found.map(|(index, _)| index)
    }

    /// Whether what a step waits for is over, and it with it.
    pub(super) fn advance_wait(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> bool {
        let awaited = self.awaited(job, leg, index);
        let over = |it: &usize| {
            let step = self.step(job, leg, *it);
            !matches!(step.phase, StepPhase::Done) && step.background
        };
        if awaited.iter().any(over) {
            return false;
        }
        let cancels = matches!(
            self.file_step(job, leg, index).map(|it| &it.action),
            Some(StepAction::Cancel(_))
        );
        let (mut outcome, reason) = self.cover(job, leg, &awaited);
        if cancels {
            // What failed before it could be cancelled still counts for the job.
            self.leg_mut(job, leg).failed |= outcome == Conclusion::Failure;
            outcome = Conclusion::Success;
        }
        self.end_step(job, leg, index, outcome, reason, outside);
        true
    }

    /// From here on others see what these background steps gave. What they came to together.
    pub(super) fn cover(
        &mut self,
        job: usize,
        leg: usize,
        steps: &[usize],
    ) -> (Conclusion, Option<String>) {
        let mut outcome = Conclusion::Success;
        let mut reason = None;
        for index in steps {
            let state = self.leg_mut(job, leg);
            state.background.retain(|it| it != index);
            let Some(step) = state.steps.get_mut(*index) else {
                continue;
            };
            if std::mem::replace(&mut step.covered, true) {
                continue;
            }
            let held = std::mem::take(&mut step.held);
            let conclusion = step.conclusion.unwrap_or(Conclusion::Success);
            let counts = step.stop != Some(StopReason::CancelStep);
            let worse = match conclusion {
                Conclusion::Failure => outcome != Conclusion::Failure,
                Conclusion::Cancelled => counts && outcome == Conclusion::Success,
                Conclusion::Success | Conclusion::Skipped => false,
            };
            if worse {
                outcome = conclusion;
                reason = Some(format!("`{}` {}", step.name, ended(conclusion)));
            }
            for (name, value) in held.env {
                put(&mut state.env, &name, value);
            }
            for folder in held.path.into_iter().rev() {
                state.path.retain(|it| *it != folder);
                state.path.insert(0, folder);
            }
        }
        (outcome, reason)
    }

    /// A `cancel` step ends a background step, and waits until it has ended.
    pub(super) fn cancel_background(&mut self, job: usize, leg: usize, index: usize, id: &str) {
        self.step_mut(job, leg, index).enter(StepPhase::Waiting);
        if let Some(target) = self.background_step(job, leg, id) {
            self.stop_tree(job, leg, target, StopReason::CancelStep);
        }
    }

    /// Stops a step and all that runs inside it.
    pub(super) fn stop_tree(&mut self, job: usize, leg: usize, index: usize, why: StopReason) {
        let now = self.state.now;
        let state = self.leg_mut(job, leg);
        let Some(step) = state.steps.get_mut(index) else {
            return;
        };
        match step.phase {
            // A step whose turn has not come is decided when it comes.
            StepPhase::Done | StepPhase::Pending => return,
            StepPhase::Inside => {
                step.stop = step.stop.or(Some(why));
            }
            // Nobody was asked to start it.
            StepPhase::Loading | StepPhase::Preparing | StepPhase::Waiting => {
                step.stop_unstarted(now, why);
            }
            StepPhase::Ready if !step.asked => step.stop_unstarted(now, why),
            StepPhase::Ready | StepPhase::Running => {
                if step.stop.is_none() {
                    step.stop = Some(why);
                    step.given.stop = false;
                }
            }
        }
        let children = self.step(job, leg, index).children.clone();
        for child in children {
            self.stop_tree(job, leg, child, why);
        }
        self.touch(job, leg);
    }
}

impl StepState {
    /// Ends a step that nobody was asked to start.
    pub(super) fn stop_unstarted(&mut self, now: names::Timestamp, why: StopReason) {
        let timeout = why == StopReason::StepTimeout;
        self.enter(StepPhase::Done);
        self.stop = Some(why);
        self.outcome = Some(if timeout {
            Conclusion::Failure
        } else {
            Conclusion::Cancelled
        });
        self.conclusion = self.outcome;
        self.finished = Some(now);
    }
}
