//! What a run asks for, once in the life of its value.

use super::{
    Effect, GroupHolder, Outside, Run, StepKey, Unbuildable, leg_state::LegPhase, state::Gate,
    step_state::StepPhase,
};
use crate::ActionRef;

impl Run {
    /// What to do next; `None` until something else happens.
    ///
    /// An effect is given once in the life of this value, and again after a reload.
    pub fn next_effect(&mut self, outside: &dyn Outside) -> Option<Effect> {
        self.advance(outside);
        if let Gate::Wanted(group) = &self.state.frames.first()?.group
            && self.state.conclusion.is_none()
            && !std::mem::replace(&mut self.state.given_group, true)
        {
            return Some(Effect::AcquireGroup(group.request(GroupHolder::Run)));
        }
        while let Some((job, leg)) = self.work.open.first().copied() {
            match self.open_leg_effect(job, leg, outside) {
                Ok(Some(effect)) => return Some(effect),
                Ok(None) => {
                    self.work.open.remove(&(job, leg));
                }
                // A step or job that could not even be described has failed; go on from there.
                Err(Unbuildable) => self.advance(outside),
            }
        }
        let finish = self.state.conclusion.filter(|_| !self.state.given_finish);
        self.state.given_finish |= finish.is_some();
        finish.map(|conclusion| Effect::FinishRun { conclusion })
    }

    fn open_leg_effect(
        &mut self,
        job: usize,
        leg: usize,
        outside: &dyn Outside,
    ) -> Result<Option<Effect>, Unbuildable> {
        let phase = self.leg(job, leg).phase;
        let asks = match phase {
            LegPhase::Queued | LegPhase::Timer => return Ok(None),
            LegPhase::Starting => {
                let given = std::mem::replace(&mut self.leg_mut(job, leg).given.main, true);
                return match given {
                    false => self.start_job(job, leg, outside).map(Some),
                    true => Ok(None),
                };
            }
            LegPhase::Done => {
                let key = self.key(job, leg);
                let state = self.leg_mut(job, leg);
                let given = std::mem::replace(&mut state.given.main, true);
                let over = given || state.closed;
                return Ok((!over).then(|| Effect::FinishJob(state.end(key))));
            }
            LegPhase::Preparing | LegPhase::Running => {
                let key = self.key(job, leg);
                let state = self.leg_mut(job, leg);
                if !std::mem::replace(&mut state.given.main, true) {
                    let attempt = state.attempt;
                    return Ok(Some(Effect::AdoptJob { job: key, attempt }));
                }
                phase == LegPhase::Preparing
            }
            LegPhase::Group | LegPhase::Approval | LegPhase::Loading | LegPhase::Calling => true,
        };
        if asks {
            let given = std::mem::replace(&mut self.leg_mut(job, leg).given.ask, true);
            return Ok((!given).then(|| self.asked_by(job, leg)).flatten());
        }
        let steps = self.leg(job, leg).steps.len();
        for step in 0..steps {
            if let Some(effect) = self.open_step_effect(job, leg, step, outside)? {
                return Ok(Some(effect));
            }
        }
        Ok(None)
    }

    /// What a leg asks for before its steps run.
    fn asked_by(&self, job: usize, leg: usize) -> Option<Effect> {
        let key = self.key(job, leg);
        let state = self.leg(job, leg);
        match state.phase {
            LegPhase::Group => match &state.group {
                Gate::Wanted(group) => {
                    Some(Effect::AcquireGroup(group.request(GroupHolder::Job(key))))
                }
                Gate::Unknown | Gate::Open | Gate::Held(_) => None,
            },
            LegPhase::Approval => Some(Effect::RequestApproval {
                job: key,
                environment: state.environment.clone()?,
            }),
            LegPhase::Loading => Some(Effect::LoadWorkflow {
                job: key,
                reference: self.job(job).call.as_ref()?.workflow.clone(),
                from: self.frame(job).home.clone(),
            }),
            LegPhase::Calling => match &self.state.frames.get(state.frame?)?.group {
                Gate::Wanted(group) => Some(Effect::AcquireGroup(
                    group.request(GroupHolder::Called(key)),
                )),
                Gate::Unknown | Gate::Open | Gate::Held(_) => None,
            },
            LegPhase::Preparing => Some(self.prepare(job, leg, None)),
            LegPhase::Queued
            | LegPhase::Timer
            | LegPhase::Starting
            | LegPhase::Running
            | LegPhase::Done => None,
        }
    }

    fn prepare(&self, job: usize, leg: usize, composite: Option<usize>) -> Effect {
        let actions: Vec<ActionRef> = self.missing_actions(job, leg, composite);
        Effect::PrepareActions {
            job: self.key(job, leg),
            attempt: self.leg(job, leg).attempt,
            actions,
        }
    }

    fn open_step_effect(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> Result<Option<Effect>, Unbuildable> {
        let phase = self.step(job, leg, index).phase;
        match phase {
            StepPhase::Pending | StepPhase::Inside | StepPhase::Waiting | StepPhase::Done => {
                return Ok(None);
            }
            StepPhase::Loading | StepPhase::Preparing => {
                let step = self.step_mut(job, leg, index);
                if std::mem::replace(&mut step.given.ask, true) {
                    return Ok(None);
                }
                if phase == StepPhase::Preparing {
                    return Ok(Some(self.prepare(job, leg, Some(index))));
                }
                let path = self.local_path(job, leg, index).unwrap_or_default();
                return Ok(Some(Effect::LoadAction {
                    path: path.to_owned(),
                    job: self.key(job, leg),
                    attempt: self.leg(job, leg).attempt,
                }));
            }
            StepPhase::Ready | StepPhase::Running => {}
        }
        let key = StepKey {
            job: self.key(job, leg),
            attempt: self.leg(job, leg).attempt,
            index,
        };
        let step = self.step_mut(job, leg, index);
        let given = std::mem::replace(&mut step.given.main, true);
        if phase == StepPhase::Ready && !given && step.stop.is_none() {
            return self.start_step(job, leg, index, outside).map(Some);
        }
        if phase == StepPhase::Running && !given {
            return Ok(Some(Effect::AdoptStep { step: key }));
        }
        let stop = step.stop.filter(|_| !step.given.stop);
        step.given.stop |= stop.is_some();
        Ok(stop.map(|why| Effect::StopStep { step: key, why }))
    }
}
