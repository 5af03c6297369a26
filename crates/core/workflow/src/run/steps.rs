//! Moves the steps of a running job on, and ends the job after the last.

use std::time::Duration;

use api::Conclusion;

use super::{
    Env, Outside, Run, StepEnd, StepKey, StepReport, StopReason,
    cancel::minutes,
    conditions::Verdict,
    is_true,
    scope::extend,
    state::{LegPhase, StepPhase},
};
use crate::{Step, StepAction, file_command};

impl Run {
    /// Decides the next step, or ends the job. Whether anything changed.
    pub(super) fn advance_steps(&mut self, job: usize, leg: usize, outside: &dyn Outside) -> bool {
        let Some(index) = self.leg(job, leg).current_step() else {
            self.finish_leg(job, leg, outside);
            return true;
        };
        let pending = self
            .leg(job, leg)
            .steps
            .get(index)
            .is_some_and(|it| it.phase == StepPhase::Pending);
        if pending {
            self.decide_step(job, leg, index, outside);
        }
        pending
    }

    fn decide_step(&mut self, job: usize, leg: usize, index: usize, outside: &dyn Outside) {
        self.name_step(job, leg, index, outside);
        // The environment comes first: a step whose `env` is broken fails before its `if` is asked.
        let env = match self.step_env(job, leg, index, outside) {
            Ok(env) => env,
            Err(problem) => return self.fail_step(job, leg, index, &problem, outside),
        };
        match self.step_condition(job, leg, index, &env, outside) {
            Verdict::Holds => {
                if let Some(step) = self.leg_mut(job, leg).steps.get_mut(index) {
                    step.phase = StepPhase::Ready;
                }
            }
            Verdict::Fails(reason) => {
                if let Some(step) = self.leg_mut(job, leg).steps.get_mut(index) {
                    step.phase = StepPhase::Done;
                    step.outcome = Some(Conclusion::Skipped);
                    step.conclusion = Some(Conclusion::Skipped);
                    step.reason = Some(reason.text);
                }
            }
            Verdict::Broken(problem) => self.fail_step(job, leg, index, &problem, outside),
        }
    }

    fn name_step(&mut self, job: usize, leg: usize, index: usize, outside: &dyn Outside) {
        let key = self.key(job, leg);
        let Some(template) = self
            .job(job)
            .steps
            .get(index)
            .and_then(|it| it.name.as_ref())
        else {
            return;
        };
        let hash = |patterns: &[String]| outside.hash_files(&key, patterns);
        let mut scope = self.step_scope(job, leg, outside.secrets(&key));
        scope.set_hash_files(&hash);
        let env = self.global_env(job, leg, outside).unwrap_or_default();
        scope.set_env(env.pairs());
        let Ok(name) = template.evaluate_text(&scope) else {
            return;
        };
        let name = outside.secrets(&key).masker().mask(&name);
        if let Some(step) = self
            .leg_mut(job, leg)
            .steps
            .get_mut(index)
            .filter(|_| !name.is_empty())
        {
            step.name = name;
        }
    }

    /// What the `env` context of a step holds.
    pub(super) fn step_env(
        &self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> Result<Env, String> {
        let key = self.key(job, leg);
        let hash = |patterns: &[String]| outside.hash_files(&key, patterns);
        let mut env = self
            .global_env(job, leg, outside)
            .map_err(|error| format!("`env` of the job has no value: {error}"))?;
        let mut scope = self.step_scope(job, leg, outside.secrets(&key));
        scope.set_env(env.pairs()).set_hash_files(&hash);
        if let Some(step) = self.job(job).steps.get(index) {
            extend(&mut env, &step.env, &scope)
                .map_err(|error| format!("`env` has no value: {error}"))?;
        }
        Ok(env)
    }

    /// A step that failed before it could run.
    pub(super) fn fail_step(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        problem: &str,
        outside: &dyn Outside,
    ) {
        let problem = outside.secrets(&self.key(job, leg)).masker().mask(problem);
        self.end_step(job, leg, index, Conclusion::Failure, Some(problem), outside);
    }

    fn end_step(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        outcome: Conclusion,
        reason: Option<String>,
        outside: &dyn Outside,
    ) {
        let tolerated = outcome == Conclusion::Failure
            && self.step_continues_on_error(job, leg, index, outside);
        let now = self.state.now;
        let state = self.leg_mut(job, leg);
        let Some(step) = state.steps.get_mut(index) else {
            return;
        };
        step.phase = StepPhase::Done;
        step.outcome = Some(outcome);
        step.conclusion = Some(if tolerated {
            Conclusion::Success
        } else {
            outcome
        });
        step.reason = reason;
        step.finished = Some(now);
        state.failed |= outcome == Conclusion::Failure && !tolerated;
    }

    /// Asked only after a failure; what has no value counts as no.
    fn step_continues_on_error(
        &self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> bool {
        let Some(template) = self
            .job(job)
            .steps
            .get(index)
            .and_then(|it| it.continue_on_error.as_ref())
        else {
            return false;
        };
        let key = self.key(job, leg);
        let hash = |patterns: &[String]| outside.hash_files(&key, patterns);
        let env = self.step_env(job, leg, index, outside).unwrap_or_default();
        let mut scope = self.step_scope(job, leg, outside.secrets(&key));
        scope.set_env(env.pairs()).set_hash_files(&hash);
        template.evaluate(&scope).is_ok_and(|it| is_true(&it))
    }

    /// The step an event means, while it is asked for or runs.
    fn find_step(&self, key: &StepKey) -> Option<(usize, usize)> {
        let (job, leg) = self.find_leg(&key.job, key.attempt)?;
        let state = self.leg(job, leg);
        let open = state.phase == LegPhase::Running && state.current_step() == Some(key.index);
        let phase = state.steps.get(key.index)?.phase;
        (open && matches!(phase, StepPhase::Ready | StepPhase::Running)).then_some((job, leg))
    }

    pub(super) fn step_started(&mut self, key: &StepKey) {
        let now = self.state.now;
        let Some((job, leg)) = self.find_step(key) else {
            return;
        };
        let Some(step) = self.leg_mut(job, leg).steps.get_mut(key.index) else {
            return;
        };
        if step.phase == StepPhase::Ready {
            step.phase = StepPhase::Running;
            step.started = Some(now);
            step.deadline = step.timeout_secs.map(|it| now + Duration::from_secs(it));
        }
        step.given.main = true;
    }

    pub(super) fn step_finished(
        &mut self,
        key: &StepKey,
        report: &StepReport,
        outside: &dyn Outside,
    ) {
        let Some((job, leg)) = self.find_step(key) else {
            return;
        };
        let secrets = outside.secrets(&key.job);
        let now = self.state.now;
        let state = self.leg_mut(job, leg);
        let Some(step) = state.steps.get_mut(key.index) else {
            return;
        };
        step.started = step.started.or(Some(now));
        let (mut outcome, mut reason) = verdict(step.stop, step.timeout_secs, &report.end);
        if let StepEnd::Exited(code) = report.end {
            step.exit_code = Some(code);
        }
        let mut problems: Vec<String> = report.error.clone().into_iter().collect();
        for (name, value) in &report.outputs {
            put(&mut step.outputs, name, secrets.seal(value));
        }
        match file_command::parse(&report.output_file) {
            Ok(entries) => entries
                .iter()
                .for_each(|(name, value)| put(&mut step.outputs, name, secrets.seal(value))),
            Err(error) => {
                problems.push(format!("unable to process file command `output`: {error}"))
            }
        }
        match file_command::parse(&report.env_file) {
            Ok(entries) => {
                for (name, value) in entries {
                    if name.eq_ignore_ascii_case("NODE_OPTIONS") {
                        state
                            .notes
                            .push("`NODE_OPTIONS` cannot be set through `GITHUB_ENV`".to_owned());
                    } else {
                        put(&mut state.env, &name, secrets.seal(&value));
                    }
                }
            }
            Err(error) => problems.push(format!("unable to process file command `env`: {error}")),
        }
        for folder in file_command::parse_path(&report.path_file) {
            let folder = secrets.seal(&folder);
            state.path.retain(|it| *it != folder);
            state.path.insert(0, folder);
        }
        if outcome == Conclusion::Success && !problems.is_empty() {
            outcome = Conclusion::Failure;
            reason = Some(secrets.masker().mask(&problems.join("; ")));
        }
        self.end_step(job, leg, key.index, outcome, reason, outside);
    }

    /// Stops the running step unless its condition still holds, now that the job is cancelled.
    pub(super) fn cancel_steps(
        &mut self,
        job: usize,
        leg: usize,
        why: StopReason,
        outside: &dyn Outside,
    ) {
        let Some(index) = self.leg(job, leg).current_step() else {
            return;
        };
        let phase = self.leg(job, leg).steps.get(index).map(|it| it.phase);
        if !matches!(phase, Some(StepPhase::Ready | StepPhase::Running)) {
            return;
        }
        let env = self.step_env(job, leg, index, outside).unwrap_or_default();
        if matches!(
            self.step_condition(job, leg, index, &env, outside),
            Verdict::Holds
        ) {
            return;
        }
        let now = self.state.now;
        let Some(step) = self.leg_mut(job, leg).steps.get_mut(index) else {
            return;
        };
        if step.phase == StepPhase::Ready && !step.given.main {
            // Nobody was asked to start it.
            step.phase = StepPhase::Done;
            step.outcome = Some(Conclusion::Cancelled);
            step.conclusion = Some(Conclusion::Cancelled);
            step.finished = Some(now);
            return;
        }
        step.stop = Some(why);
        step.given.stop = false;
    }

    pub(super) fn stop_overdue_step(&mut self, job: usize, leg: usize) {
        let now = self.state.now;
        let state = self.leg_mut(job, leg);
        let Some(step) = state
            .current_step()
            .and_then(|index| state.steps.get_mut(index))
        else {
            return;
        };
        if step.phase == StepPhase::Running
            && step.stop.is_none()
            && step.deadline.is_some_and(|it| it <= now)
        {
            step.stop = Some(StopReason::StepTimeout);
            step.given.stop = false;
        }
    }

    fn finish_leg(&mut self, job: usize, leg: usize, outside: &dyn Outside) {
        let problem = self.collect_outputs(job, leg, outside).err();
        let state = self.leg(job, leg);
        let conclusion = match (&state.cancelled, state.failed || problem.is_some()) {
            (Some(_), _) => Conclusion::Cancelled,
            (None, true) => Conclusion::Failure,
            (None, false) => Conclusion::Success,
        };
        let reason = self
            .leg_reason(job, leg, conclusion)
            .or_else(|| problem.map(super::Reason::new));
        self.end_leg(job, leg, conclusion, reason);
    }

    /// Evaluates the outputs of a job; what is empty or holds a secret is dropped.
    fn collect_outputs(
        &mut self,
        job: usize,
        leg: usize,
        outside: &dyn Outside,
    ) -> Result<(), String> {
        let key = self.key(job, leg);
        let secrets = outside.secrets(&key);
        let env = self.global_env(job, leg, outside).unwrap_or_default();
        let mut scope = self.step_scope(job, leg, secrets);
        scope.set_env(env.pairs());
        let mut notes = Vec::new();
        let mut kept = Vec::new();
        for (name, template) in &self.job(job).outputs {
            let value = template
                .evaluate_text(&scope)
                .map_err(|error| format!("output `{name}` has no value: {error}"))?;
            if secrets.masker().mask(&value) != value {
                notes.push(format!(
                    "output `{name}` is dropped: it may contain a secret"
                ));
            } else if !value.is_empty() {
                kept.push((name.clone(), value));
            }
        }
        let url = self
            .job(job)
            .environment
            .as_ref()
            .and_then(|it| it.url.as_ref());
        let url = url
            .map(|it| it.evaluate_text(&scope))
            .transpose()
            .map_err(|error| format!("`url` has no value: {error}"))?;
        let url = url.filter(|it| !it.is_empty() && secrets.masker().mask(it) == *it);
        drop(scope);
        let state = self.job_state_mut(job);
        kept.into_iter()
            .for_each(|(name, value)| put(&mut state.outputs, &name, value));
        let leg = self.leg_mut(job, leg);
        leg.notes.extend(notes);
        leg.environment_url = url;
        Ok(())
    }
}

/// Names of outputs and variables are kept once; the last value wins.
fn put(entries: &mut Vec<(String, String)>, name: &str, value: String) {
    match entries.iter_mut().find(|(it, _)| it == name) {
        Some((_, old)) => *old = value,
        None => entries.push((name.to_owned(), value)),
    }
}

fn verdict(
    stop: Option<StopReason>,
    timeout_secs: Option<u64>,
    end: &StepEnd,
) -> (Conclusion, Option<String>) {
    match (stop, end) {
        (Some(StopReason::StepTimeout), _) => {
            let time = minutes(timeout_secs.unwrap_or_default());
            (Conclusion::Failure, Some(format!("timed out after {time}")))
        }
        (Some(StopReason::Cancelled | StopReason::JobTimeout), _) => {
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

/// What a step is called before its expressions are known.
pub(super) fn static_name(step: &Step) -> String {
    if let Some(name) = &step.name {
        return name.source().to_owned();
    }
    match &step.action {
        StepAction::Run { script, .. } => {
            let first = script.source().trim().lines().next().unwrap_or_default();
            format!("Run {first}")
        }
        StepAction::Uses { action, .. } => format!("Run {action}"),
    }
}
