//! How steps end, and what their end means for what runs around them.

use api::Conclusion;

use super::{
    Outside, Run, StopReason,
    cancel::minutes,
    conditions::{Verdict, ended},
    is_true,
    leg_state::LegPhase,
    step_state::{Part, StepPhase},
};
use crate::{Step, StepAction};

impl Run {
    /// A step that failed before it could run.
    pub(super) fn fail_step(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        problem: &str,
        outside: &dyn Outside,
    ) {
        let problem = self.own_secrets(job, leg, outside).masker().mask(problem);
        self.end_step(job, leg, index, Conclusion::Failure, Some(problem), outside);
    }

    pub(super) fn end_step(
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
        step.enter(StepPhase::Done);
        step.outcome = Some(outcome);
        step.conclusion = Some(if tolerated {
            Conclusion::Success
        } else {
            outcome
        });
        step.reason = reason;
        step.finished = Some(now);
        let (within, background) = (step.within, step.background);
        // A step in the background counts when someone waits for it.
        if outcome == Conclusion::Failure && !tolerated && !background {
            match within.and_then(|it| state.steps.get_mut(it)) {
                Some(outer) => outer.failed = true,
                None => state.failed = true,
            }
        }
        self.touch(job, leg);
    }

    /// Asked only after a failure; what has no value counts as no.
    fn step_continues_on_error(
        &self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> bool {
        let template = self
            .file_step(job, leg, index)
            .and_then(|it| it.continue_on_error.as_ref());
        let Some(template) = template else {
            return false;
        };
        let sight = self.sight(job, leg, Some(index), outside);
        let env = sight.env().map(|(env, _)| env).unwrap_or_default();
        let value = template.evaluate(&sight.scope_with(&env));
        value.is_ok_and(|it| is_true(&it))
    }

    /// All steps inside a composite action or a `parallel` block are over.
    pub(super) fn finish_inside(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) {
        let children = self.step(job, leg, index).children.clone();
        let is_parallel = matches!(
            self.file_step(job, leg, index).map(|it| &it.action),
            Some(StepAction::Parallel(_))
        );
        let (mut outcome, mut reason) = if is_parallel {
            self.cover(job, leg, &children)
        } else {
            self.inside_outcome(job, leg, index)
        };
        let step = self.step(job, leg, index);
        if step.stop == Some(StopReason::StepTimeout) {
            let time = minutes(step.timeout_secs.unwrap_or_default());
            outcome = Conclusion::Failure;
            reason = Some(format!("timed out after {time}"));
        }
        if step.part == Part::Main
            && !is_parallel
            && let Err(problem) = self.give_outputs(job, leg, index, outside)
            && outcome == Conclusion::Success
        {
            outcome = Conclusion::Failure;
            reason = Some(self.own_secrets(job, leg, outside).masker().mask(&problem));
        }
        self.end_step(job, leg, index, outcome, reason, outside);
    }

    fn inside_outcome(&self, job: usize, leg: usize, index: usize) -> (Conclusion, Option<String>) {
        let outer = self.step(job, leg, index);
        let children = outer.children.iter().map(|it| self.step(job, leg, *it));
        let with = |wanted| children.clone().find(|it| it.conclusion == Some(wanted));
        let told = |it: &super::step_state::StepState, conclusion| {
            let why = it.reason.as_deref().unwrap_or(ended(conclusion));
            Some(format!("`{}`: {why}", it.name))
        };
        if let Some(step) = with(Conclusion::Failure).filter(|_| outer.failed) {
            return (Conclusion::Failure, told(step, Conclusion::Failure));
        }
        if with(Conclusion::Cancelled).is_some() || outer.stop.is_some() {
            return (Conclusion::Cancelled, Some("cancelled".to_owned()));
        }
        (Conclusion::Success, None)
    }

    /// What a composite action gives to whoever uses it.
    fn give_outputs(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> Result<(), String> {
        let mut given = Vec::new();
        if let Some(manifest) = self.manifest(job, leg, index) {
            // The last step inside sees what the outputs may use.
            let Some(inner) = self.step(job, leg, index).children.last().copied() else {
                return Ok(());
            };
            let sight = self.sight(job, leg, Some(inner), outside);
            let env = sight.global_env().unwrap_or_default();
            let scope = sight.scope_with(&env);
            let secrets = self.own_secrets(job, leg, outside);
            for output in &manifest.outputs {
                let Some(template) = &output.value else {
                    continue;
                };
                let value = template
                    .evaluate_text(&scope)
                    .map_err(|error| format!("output `{}` has no value: {error}", output.name))?;
                given.push((output.name.clone(), secrets.seal(&value)));
            }
        }
        let step = self.step_mut(job, leg, index);
        for (name, value) in given {
            put(&mut step.outputs, &name, value);
        }
        Ok(())
    }

    /// Stops what runs unless its condition, and that of all around it, still holds now that the job is cancelled.
    pub(super) fn cancel_steps(
        &mut self,
        job: usize,
        leg: usize,
        why: StopReason,
        outside: &dyn Outside,
    ) {
        let live = |phase: StepPhase| {
            matches!(
                phase,
                StepPhase::Loading | StepPhase::Preparing | StepPhase::Ready | StepPhase::Running
            )
        };
        let steps = self.leg(job, leg).steps.iter().enumerate();
        let live: Vec<_> = steps
            .filter(|(_, it)| live(it.phase))
            .map(|(at, _)| at)
            .collect();
        for index in live {
            if !self.insists(job, leg, index, outside) {
                self.stop_tree(job, leg, index, why);
            }
        }
    }

    fn insists(&self, job: usize, leg: usize, index: usize, outside: &dyn Outside) -> bool {
        let mut at = Some(index);
        while let Some(step) = at {
            let env = self.sight(job, leg, Some(step), outside).env();
            let env = env.map(|(env, _)| env).unwrap_or_default();
            let verdict = self.step_condition(job, leg, step, &env, outside);
            if !matches!(verdict, Verdict::Holds) {
                return false;
            }
            at = self.step(job, leg, step).within;
        }
        true
    }

    pub(super) fn stop_overdue_steps(&mut self, job: usize, leg: usize) {
        let now = self.state.now;
        let steps = self.leg(job, leg).steps.iter().enumerate();
        let overdue =
            steps.filter(|(_, it)| it.is_timed() && it.deadline.is_some_and(|it| it <= now));
        let overdue: Vec<_> = overdue.map(|(at, _)| at).collect();
        for index in overdue {
            self.stop_tree(job, leg, index, StopReason::StepTimeout);
        }
    }

    pub(super) fn finish_leg(&mut self, job: usize, leg: usize, outside: &dyn Outside) {
        if self.leg(job, leg).phase != LegPhase::Running || self.leg(job, leg).has_running_steps() {
            return;
        }
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
        let mut notes = Vec::new();
        let mut kept = Vec::new();
        let url = {
            let sight = self.sight(job, leg, None, outside);
            let env = sight.global_env().unwrap_or_default();
            let scope = sight.scope_with(&env);
            let masker = self.own_secrets(job, leg, outside).masker().clone();
            for (name, template) in &self.job(job).outputs {
                let value = template
                    .evaluate_text(&scope)
                    .map_err(|error| format!("output `{name}` has no value: {error}"))?;
                if masker.mask(&value) != value {
                    notes.push(format!(
                        "output `{name}` is dropped: it may contain a secret"
                    ));
                } else if !value.is_empty() {
                    kept.push((name.clone(), value));
                }
            }
            let environment = self.job(job).environment.as_ref();
            let url = match environment.map(|it| (it, &it.url)) {
                Some((_, Some(url))) => {
                    let url = url.evaluate_text(&scope);
                    Some(url.map_err(|error| format!("`url` has no value: {error}"))?)
                }
                Some((whole, None)) => whole.evaluate(&scope)?.url,
                None => None,
            };
            let open = |url: &String| !url.is_empty() && masker.mask(url) == *url;
            let dropped = url.as_ref().is_some_and(|it| !it.is_empty() && !open(it));
            if dropped {
                notes.push(
                    "the address of the environment is dropped: it may contain a secret".to_owned(),
                );
            }
            url.filter(open)
        };
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
pub(super) fn put(entries: &mut Vec<(String, String)>, name: &str, value: String) {
    match entries.iter_mut().find(|(it, _)| it == name) {
        Some((_, old)) => *old = value,
        None => entries.push((name.to_owned(), value)),
    }
}

/// What a step is called before its expressions are known.
pub(super) fn static_name(step: &Step) -> String {
    if let Some(name) = &step.name {
        return name.source().to_owned();
    }
    match &step.action {
        StepAction::Run { script, .. } => script_name(script.source()),
        StepAction::Uses { action, .. } => format!("Run {action}"),
        StepAction::Wait(ids) => format!("Wait for {}", ids.join(", ")),
        StepAction::WaitAll => "Wait for all background steps".to_owned(),
        StepAction::Cancel(id) => format!("Cancel {id}"),
        StepAction::Parallel(_) => "Run steps side by side".to_owned(),
    }
}

/// A script without a name is called by its first line.
pub(super) fn script_name(script: &str) -> String {
    format!("Run {}", script.trim().lines().next().unwrap_or_default())
}
