//! Takes in what the executor says of jobs and steps.

use std::time::Duration;

use api::Conclusion;

use super::{
    JobKey, LegPhase, Outside, Place, Reason, Run, Secrets, StepEnd, StepKey, StepReport,
    StopReason,
    cancel::minutes,
    step_state::{StepPhase, StepState},
    steps::put,
};
use crate::file_command;

impl Run {
    /// The leg a key means.
    pub(super) fn find(&self, key: &JobKey) -> Option<(usize, usize)> {
        let job = self.work.job(&key.id)?;
        self.job_state(job).legs.get(key.leg)?;
        Some((job, key.leg))
    }

    /// The leg an event means, unless it is over or in another attempt.
    pub(super) fn find_leg(&self, key: &JobKey, attempt: u32) -> Option<(usize, usize)> {
        let (job, leg) = self.find(key)?;
        let state = self.leg(job, leg);
        (state.attempt == attempt && state.phase != LegPhase::Done).then_some((job, leg))
    }

    pub(super) fn job_started(&mut self, key: &JobKey, attempt: u32, place: Place) {
        let now = self.state.now;
        let Some((job, leg)) = self.find_leg(key, attempt) else {
            return;
        };
        let needs_actions = !self.missing_actions(job, leg, None).is_empty();
        let state = self.leg_mut(job, leg);
        if state.phase == LegPhase::Starting {
            state.enter(if needs_actions {
                LegPhase::Preparing
            } else {
                LegPhase::Running
            });
            state.deadline = Some(now + Duration::from_secs(state.timeout_secs));
            state.started = state.started.or(Some(now));
            state.place = Some(place);
        }
        state.given.main = true;
        self.touch(job, leg);
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
        let steps = StepState::of_file(&self.job(job).steps);
        let state = self.leg_mut(job, leg);
        if let Some(cancelled) = state.cancelled.clone() {
            let reason = Some(Reason::new(cancelled));
            return self.end_leg(job, leg, Conclusion::Cancelled, reason);
        }
        state.losses += 1;
        if state.losses >= Self::MAX_ATTEMPTS {
            let reason = format!(
                "its executor was lost {} times, at last: {why}",
                state.losses
            );
            return self.end_leg(job, leg, Conclusion::Failure, Some(Reason::new(reason)));
        }
        let note = format!("attempt {attempt} was lost at {now}: {why}");
        state.notes.push(note);
        state.restart(steps);
        state.attempt += 1;
        state.enter(LegPhase::Starting);
        self.touch(job, leg);
    }

    pub(super) fn job_closed(&mut self, key: &JobKey, attempt: u32) {
        let Some((job, leg)) = self.find(key) else {
            return;
        };
        let state = self.leg_mut(job, leg);
        if state.attempt == attempt && state.phase == LegPhase::Done {
            state.closed = true;
        }
    }

    pub(super) fn trust_lost(&mut self, key: &JobKey, why: &str) {
        if let Some((job, leg)) = self.find(key) {
            let state = self.leg_mut(job, leg);
            if state.distrusted.is_none() {
                state.distrusted = Some(why.to_owned());
                state
                    .notes
                    .push(format!("secrets are withheld from here on: {why}"));
            }
        }
    }

    /// The step an event means, while it is asked for or runs.
    fn find_step(&self, key: &StepKey) -> Option<(usize, usize)> {
        let (job, leg) = self.find_leg(&key.job, key.attempt)?;
        let state = self.leg(job, leg);
        let live = state.steps.get(key.index)?.is_live();
        (state.phase == LegPhase::Running && live).then_some((job, leg))
    }

    pub(super) fn step_started(&mut self, key: &StepKey) {
        let now = self.state.now;
        let Some((job, leg)) = self.find_step(key) else {
            return;
        };
        let step = self.step_mut(job, leg, key.index);
        if step.phase == StepPhase::Ready {
            step.enter(StepPhase::Running);
            step.started = Some(now);
            step.deadline = step.timeout_secs.map(|it| now + Duration::from_secs(it));
        }
        step.given.main = true;
    }

    pub(super) fn step_finished(
        &mut self,
        key: &StepKey,
        report: StepReport,
        outside: &dyn Outside,
    ) {
        let Some((job, leg)) = self.find_step(key) else {
            return;
        };
        let now = self.state.now;
        let secrets = self.own_secrets(job, leg, outside).into_owned();
        let left = Left::of(&report, &secrets);
        let state = self.leg_mut(job, leg);
        let root = state.background_root(key.index);
        let Some(step) = state.steps.get_mut(key.index) else {
            return;
        };
        step.started = step.started.or(Some(now));
        step.annotations = report.annotations;
        for (name, value) in left.outputs {
            put(&mut step.outputs, &name, value);
        }
        let main = step.main;
        let (mut outcome, mut reason) = verdict(step.stop, step.timeout_secs, &report.end);
        if let StepEnd::Exited(code) = report.end {
            step.exit_code = Some(code);
        }
        state.notes.extend(left.notes);
        if let Some(main) = state.steps.get_mut(main) {
            for (name, value) in left.state {
                put(&mut main.state, &name, value);
            }
        }
        // A background step keeps its changes until someone waits for it.
        let (env, path) = match root.and_then(|it| state.steps.get_mut(it)) {
            Some(root) => (&mut root.held.env, &mut root.held.path),
            None => (&mut state.env, &mut state.path),
        };
        for (name, value) in left.env {
            put(env, &name, value);
        }
        for folder in left.path {
            path.retain(|it| *it != folder);
            path.insert(0, folder);
        }
        if outcome == Conclusion::Success && !left.problems.is_empty() {
            outcome = Conclusion::Failure;
            reason = Some(left.problems.join("; "));
        }
        let reason = reason.map(|it| secrets.masker().mask(&it));
        self.end_step(job, leg, key.index, outcome, reason, outside);
    }
}

/// What a step left behind, sealed, and what is wrong with it.
#[derive(Default)]
struct Left {
    outputs: Vec<(String, String)>,
    env: Vec<(String, String)>,
    path: Vec<String>,
    state: Vec<(String, String)>,
    notes: Vec<String>,
    problems: Vec<String>,
}

impl Left {
    fn of(report: &StepReport, secrets: &Secrets) -> Self {
        let mut left = Self::default();
        left.problems.extend(report.error.clone());
        let sealed = |pairs: &[(String, String)]| -> Vec<(String, String)> {
            let seal = |(name, value): &(String, String)| (name.clone(), secrets.seal(value));
            pairs.iter().map(seal).collect()
        };
        left.outputs = sealed(&report.outputs);
        left.state = sealed(&report.state);
        let mut env = report.env.clone();
        let (outputs, state) = (
            left.read("output", &report.output_file),
            left.read("state", &report.state_file),
        );
        left.outputs.extend(sealed(&outputs));
        left.state.extend(sealed(&state));
        env.extend(left.read("env", &report.env_file));
        let (forbidden, env): (Vec<_>, Vec<_>) = env
            .into_iter()
            .partition(|(name, _)| name.eq_ignore_ascii_case("NODE_OPTIONS"));
        if !forbidden.is_empty() {
            let note = "`NODE_OPTIONS` cannot be set through `GITHUB_ENV`".to_owned();
            left.notes.push(note);
        }
        left.env = sealed(&env);
        let folders = report.paths.iter().cloned();
        let folders = folders.chain(file_command::parse_path(&report.path_file));
        left.path = folders.map(|it| secrets.seal(&it)).collect();
        left
    }

    fn read(&mut self, kind: &str, text: &str) -> Vec<(String, String)> {
        match file_command::parse(text) {
            Ok(entries) => entries,
            Err(error) => {
                let problem = format!("unable to process file command `{kind}`: {error}");
                self.problems.push(problem);
                Vec::new()
            }
        }
    }
}

fn verdict(
    stop: Option<StopReason>,
    timeout_secs: Option<u64>,
    end: &StepEnd,
) -> (Conclusion, Option<String>) {
    match (stop, end) {
        (Some(StopReason::StepTimeout), _) => {
            let reason = timeout_secs.map_or_else(
                || "its action is over its time".to_owned(),
                |it| format!("timed out after {}", minutes(it)),
            );
            (Conclusion::Failure, Some(reason))
        }
        (Some(StopReason::Cancelled | StopReason::JobTimeout | StopReason::CancelStep), _) => {
            (Conclusion::Cancelled, Some("cancelled".to_owned()))
        }
        (None, StepEnd::Exited(0)) => (Conclusion::Success, None),
        (None, StepEnd::Exited(code)) => (
            Conclusion::Failure,
            Some(format!("process completed with exit code {code}")),
        ),
        (None, StepEnd::Killed(signal)) => (
            Conclusion::Failure,
            Some(format!("process was killed by signal {signal}")),
        ),
        (None, StepEnd::Failed(why)) => (Conclusion::Failure, Some(why.clone())),
    }
}
