//! What a job passes before it starts: its concurrency group, leave to use its environment, a wait timer.

use api::Conclusion;
use names::Timestamp;

use super::{
    GroupHolder, InProgress, Reason, Run, Trust,
    expand::broken,
    is_true,
    leg_state::LegPhase,
    state::{Gate, Group},
};
use crate::{
    Concurrency, Queue,
    expr::{self, Scope},
};

impl Concurrency {
    /// The group, what becomes of those in it, and whether all wait; nothing for an empty name.
    pub(super) fn evaluate(&self, scope: &Scope<'_>) -> Result<Option<Group>, String> {
        let group = self.group.evaluate(scope).map_err(broken("concurrency"))?;
        let (name, cancels, all_wait) = if let expr::Value::Object(object) = &group {
            let text = |key: &str| object.get(key).map(expr::Value::to_text);
            (
                text("group").unwrap_or_default(),
                object.get("cancel-in-progress").is_some_and(is_true),
                text("queue").is_some_and(|it| it == "max"),
            )
        } else {
            let cancels = self
                .cancel_in_progress
                .as_ref()
                .map(|it| it.evaluate(scope));
            let cancels = cancels.transpose().map_err(broken("cancel-in-progress"))?;
            (
                group.to_text(),
                cancels.is_some_and(|it| is_true(&it)),
                self.queue == Queue::Max,
            )
        };
        if cancels && all_wait {
            return Err(
                "`queue: max` and `cancel-in-progress: true` cannot stand together".to_owned(),
            );
        }
        Ok((!name.is_empty()).then_some(Group {
            name,
            running: if cancels {
                InProgress::IsCancelled
            } else {
                InProgress::Finishes
            },
            all_wait,
            waits: None,
        }))
    }
}

impl Run {
    /// Decides which group a file's jobs wait for.
    pub(super) fn open_gate(&mut self, frame: usize) -> Result<(), String> {
        let file = self.state.frames.get(frame).map(|it| it.file);
        let concurrency = file
            .and_then(|it| self.files.get(it))
            .and_then(|it| it.concurrency.as_ref());
        let group = match concurrency {
            None => None,
            Some(it) => it.evaluate(&self.base_scope(frame))?,
        };
        let held = group
            .as_ref()
            .is_some_and(|it| self.frame_holds(frame, &it.name));
        if held {
            return Err(format!(
                "its concurrency group `{}` is the group of what calls it: it would wait for itself",
                group.map(|it| it.name).unwrap_or_default()
            ));
        }
        if let Some(frame) = self.state.frames.get_mut(frame) {
            frame.group = group.map_or(Gate::Open, Gate::Wanted);
        }
        Ok(())
    }

    /// Whether a caller of a frame, or the frame of a caller, has this group.
    fn frame_holds(&self, frame: usize, group: &str) -> bool {
        let Some((job, leg)) = self.state.frames.get(frame).and_then(|it| it.caller) else {
            return false;
        };
        let is = |gate: &Gate| gate.name().is_some_and(|it| it.eq_ignore_ascii_case(group));
        is(&self.leg(job, leg).group) || self.holds(job, group)
    }

    /// Whether the file of a job, or what calls it, has this group.
    fn holds(&self, job: usize, group: &str) -> bool {
        let frame = self.frame(job);
        let own = frame.group.name();
        own.is_some_and(|it| it.eq_ignore_ascii_case(group))
            || self.frame_holds(self.job_state(job).frame, group)
    }

    /// The first gate of a leg whose turn has come.
    pub(super) fn begin_leg(&mut self, job: usize, leg: usize) {
        let group = match &self.job(job).concurrency {
            None => Ok(None),
            Some(it) => it.evaluate(&self.leg_scope(job, leg)),
        };
        let gate = match group {
            Err(problem) => return self.fail_leg(job, leg, &problem),
            Ok(Some(group)) if self.holds(job, &group.name) => {
                let problem = format!(
                    "its concurrency group `{}` is the group of its run: it would wait for itself",
                    group.name
                );
                return self.fail_leg(job, leg, &problem);
            }
            Ok(Some(group)) => Gate::Wanted(group),
            Ok(None) => Gate::Open,
        };
        let state = self.leg_mut(job, leg);
        state.group = gate;
        state.enter(LegPhase::Group);
        self.after_group(job, leg);
    }

    pub(super) fn fail_leg(&mut self, job: usize, leg: usize, problem: &str) {
        self.end_leg(job, leg, Conclusion::Failure, Some(Reason::new(problem)));
    }

    pub(super) fn after_group(&mut self, job: usize, leg: usize) {
        let state = self.leg(job, leg);
        if state.phase != LegPhase::Group || !state.group.is_open() {
            return;
        }
        let Some(environment) = state.environment.clone() else {
            return self.after_approval(job, leg);
        };
        if let Trust::Untrusted { reason } = &self.state.ground.start.trust {
            let problem = format!(
                "it uses the environment `{environment}`, but the run is not trusted: {reason}"
            );
            return self.fail_leg(job, leg, &problem);
        }
        self.leg_mut(job, leg).enter(LegPhase::Approval);
    }

    pub(super) fn approved(&mut self, job: usize, leg: usize, not_before: Option<Timestamp>) {
        let now = self.state.now;
        let state = self.leg_mut(job, leg);
        if state.phase != LegPhase::Approval {
            return;
        }
        match not_before.filter(|it| *it > now) {
            Some(until) => {
                state.not_before = Some(until);
                state.enter(LegPhase::Timer);
                state.waits = Some(format!("the wait timer of its environment, until {until}"));
            }
            None => self.after_approval(job, leg),
        }
    }

    pub(super) fn after_timer(&mut self, job: usize, leg: usize) {
        let now = self.state.now;
        let state = self.leg(job, leg);
        if state.phase == LegPhase::Timer && state.not_before.is_none_or(|it| it <= now) {
            self.after_approval(job, leg);
        }
    }

    fn after_approval(&mut self, job: usize, leg: usize) {
        let calls = self.job(job).call.is_some();
        let first = self.state.first_attempt;
        let state = self.leg_mut(job, leg);
        state.attempt = first.max(state.attempt + 1);
        state.enter(if calls {
            LegPhase::Loading
        } else {
            LegPhase::Starting
        });
        state.given.main = false;
    }

    pub(super) fn group_granted(&mut self, holder: &GroupHolder) {
        match holder {
            GroupHolder::Run => self.grant_frame(0),
            GroupHolder::Called(key) => {
                if let Some(frame) = self.called_frame(key) {
                    self.grant_frame(frame);
                }
            }
            GroupHolder::Job(key) => {
                if let Some((job, leg)) = self.find(key) {
                    self.leg_mut(job, leg).group.grant();
                    self.touch(job, leg);
                }
            }
        }
    }

    fn grant_frame(&mut self, frame: usize) {
        if let Some(state) = self.state.frames.get_mut(frame) {
            state.group.grant();
        }
        for job in self.jobs_of(frame) {
            self.touch_job(job);
        }
    }

    pub(super) fn group_waits(&mut self, holder: &GroupHolder, why: &str) {
        let frame = match holder {
            GroupHolder::Run => Some(0),
            GroupHolder::Called(key) => self.called_frame(key),
            GroupHolder::Job(key) => {
                if let Some((job, leg)) = self.find(key) {
                    self.leg_mut(job, leg).group.wait_for(why);
                }
                None
            }
        };
        if let Some(state) = frame.and_then(|it| self.state.frames.get_mut(it)) {
            state.group.wait_for(why);
        }
    }

    fn called_frame(&self, key: &super::JobKey) -> Option<usize> {
        let (job, leg) = self.find(key)?;
        self.leg(job, leg).frame
    }
}
