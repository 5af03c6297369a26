//! Finds things in the state, and builds the contexts that expressions of jobs see.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{
    JobKey, Outside, Run, Secrets, Start,
    leg_state::{LegAction, LegState},
    outside::TOKEN,
    state::{Frame, JobState},
    step_state::{Part, StepState},
};
use crate::{
    ActionRef, CallSecrets, Job, Manifest, Step, StepAction, Workflow, action::ActionHome,
    expr::Scope, reference::Uses,
};

impl Run {
    pub(super) fn key(&self, job: usize, leg: usize) -> JobKey {
        JobKey {
            id: self.job_state(job).id.clone(),
            leg,
        }
    }

    /// Indexes come from walking the state itself.
    pub(super) fn job_state(&self, job: usize) -> &JobState {
        self.state.jobs.get(job).expect("a job of this run")
    }

    pub(super) fn job_state_mut(&mut self, job: usize) -> &mut JobState {
        self.state.jobs.get_mut(job).expect("a job of this run")
    }

    pub(super) fn frame(&self, job: usize) -> &Frame {
        let frame = self.job_state(job).frame;
        self.state.frames.get(frame).expect("a frame of this run")
    }

    /// The workflow file that has a job.
    pub(super) fn file(&self, job: usize) -> &Workflow {
        let file = self.frame(job).file;
        self.files.get(file).expect("as many files as in the state")
    }

    pub(super) fn job(&self, job: usize) -> &Job {
        let first = self.frame(job).first;
        self.file(job)
            .jobs
            .get(job - first)
            .expect("as many jobs as in the state")
    }

    /// The jobs of a frame.
    pub(super) fn jobs_of(&self, frame: usize) -> std::ops::Range<usize> {
        let frame = self.state.frames.get(frame);
        frame.map_or(0..0, |it| it.first..it.first + it.count)
    }

    /// The job of the same file with this id.
    pub(super) fn sibling(&self, job: usize, id: &str) -> Option<usize> {
        let first = self.frame(job).first;
        let jobs = &self.file(job).jobs;
        let position = jobs.iter().position(|it| it.id.eq_ignore_ascii_case(id))?;
        Some(first + position)
    }

    pub(super) fn leg(&self, job: usize, leg: usize) -> &LegState {
        self.job_state(job)
            .legs
            .get(leg)
            .expect("a leg of this job")
    }

    /// Also notes that the leg may ask for something new.
    pub(super) fn leg_mut(&mut self, job: usize, leg: usize) -> &mut LegState {
        self.work.open.insert((job, leg));
        self.job_state_mut(job)
            .legs
            .get_mut(leg)
            .expect("a leg of this job")
    }

    pub(super) fn step(&self, job: usize, leg: usize, step: usize) -> &StepState {
        let steps = &self.leg(job, leg).steps;
        steps.get(step).expect("a step of this job")
    }

    pub(super) fn step_mut(&mut self, job: usize, leg: usize, step: usize) -> &mut StepState {
        let steps = &mut self.leg_mut(job, leg).steps;
        steps.get_mut(step).expect("a step of this job")
    }

    /// The step as its file or manifest has it; its pre and post parts share it.
    pub(super) fn file_step(&self, job: usize, leg: usize, step: usize) -> Option<&Step> {
        let state = self.leg(job, leg).steps.get(step)?;
        if state.part == Part::WaitForRest {
            return None;
        }
        let steps = match state.scope {
            None => self.job(job).steps.as_slice(),
            Some(action) => self.manifest(job, leg, action)?.steps(),
        };
        let found = steps.get(state.at)?;
        match (state.sub, &found.action) {
            (Some(sub), StepAction::Parallel(inner)) => inner.get(sub),
            _ => Some(found),
        }
    }

    /// What the `uses` of a step means.
    pub(super) fn leg_action(&self, job: usize, leg: usize, step: usize) -> Option<&LegAction> {
        let state = self.leg(job, leg);
        let main = state.steps.get(step)?.main;
        state.actions.get(state.steps.get(main)?.action?)
    }

    pub(super) fn manifest(&self, job: usize, leg: usize, step: usize) -> Option<&Manifest> {
        let action = self.leg_action(job, leg, step)?;
        self.manifests.get(action.manifest).map(|it| &**it)
    }

    /// Where the action of a step lies.
    pub(super) fn action_folder(&self, job: usize, leg: usize, step: usize) -> Option<&str> {
        match &self.leg_action(job, leg, step)?.home {
            ActionHome::Folder(folder) => Some(folder),
            ActionHome::Native => None,
        }
    }

    pub(super) fn action_reference(
        &self,
        job: usize,
        leg: usize,
        step: usize,
    ) -> Option<&ActionRef> {
        match &self.file_step(job, leg, step)?.action {
            StepAction::Uses {
                action: Uses::Repository(action),
                ..
            } => Some(action),
            StepAction::Uses { .. }
            | StepAction::Run { .. }
            | StepAction::Wait(_)
            | StepAction::WaitAll
            | StepAction::Cancel(_)
            | StepAction::Parallel(_) => None,
        }
    }

    /// `github`, `vars` and `inputs` of a frame.
    pub(super) fn base_scope(&self, frame: usize) -> Scope<'_> {
        let mut scope = Scope::new();
        let Start {
            github,
            vars,
            inputs,
            ..
        } = &self.state.ground.start;
        let called = self
            .state
            .frames
            .get(frame)
            .filter(|it| it.caller.is_some());
        let inputs = called.map_or(inputs, |it| &it.inputs);
        scope
            .set_lazy("github", || github.clone())
            .set_lazy("vars", || vars.clone())
            .set_lazy("inputs", || inputs.clone());
        scope
    }

    /// `github`, `vars`, `inputs` and `needs`.
    pub(super) fn needs_scope(&self, job: usize) -> Scope<'_> {
        let mut scope = self.base_scope(self.job_state(job).frame);
        scope.set_lazy("needs", move || self.needs(job));
        scope
    }

    fn needs(&self, job: usize) -> Value {
        let mut needs = Map::new();
        for id in &self.job(job).needs {
            let Some(needed) = self.sibling(job, id) else {
                continue;
            };
            let name = self.job(needed).id.clone();
            needs.insert(name, self.result_of(needed));
        }
        Value::Object(needs)
    }

    /// `result` and `outputs` of a job.
    pub(super) fn result_of(&self, job: usize) -> Value {
        let state = self.job_state(job);
        let outputs: Map<_, _> = state
            .outputs
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let result = state.result.map_or_else(String::new, |it| it.to_string());
        json!({ "result": result, "outputs": outputs })
    }

    /// Adds `matrix` and `strategy` of a leg that is there.
    pub(super) fn leg_scope(&self, job: usize, leg: usize) -> Scope<'_> {
        let total = self.job_state(job).legs.len();
        self.matrix_scope(job, leg, &self.leg(job, leg).matrix, total)
    }

    /// Adds `matrix` and `strategy` of a leg that is to be.
    pub(super) fn matrix_scope<'a>(
        &'a self,
        job: usize,
        index: usize,
        matrix: &'a Value,
        total: usize,
    ) -> Scope<'a> {
        let mut scope = self.needs_scope(job);
        let state = self.job_state(job);
        let (fail_fast, most) = (state.fail_fast, state.max_parallel.unwrap_or(total));
        scope.set_lazy("matrix", || matrix.clone()).set_lazy("strategy", move || {
            json!({
                "fail-fast": fail_fast, "job-index": index, "job-total": total, "max-parallel": most,
            })
        });
        scope
    }

    /// The secrets that a job may see.
    pub(super) fn secrets<'a>(
        &'a self,
        job: usize,
        leg: usize,
        outside: &'a dyn Outside,
    ) -> Cow<'a, Secrets> {
        let secrets = self.own_secrets(job, leg, outside);
        let distrusted = |leg: &LegState| leg.distrusted.is_some();
        let legs = &self.job_state(job).legs;
        if self.state.ground.start.trust.is_trusted() && !legs.get(leg).is_some_and(distrusted) {
            return secrets;
        }
        Cow::Owned(secrets.only_token())
    }

    /// The secrets of a job, trusted or not; what is stored is sealed with them.
    pub(super) fn own_secrets<'a>(
        &'a self,
        job: usize,
        leg: usize,
        outside: &'a dyn Outside,
    ) -> Cow<'a, Secrets> {
        let key = self.key(job, leg);
        let own = outside.secrets(&key);
        let Some((caller, caller_leg)) = self.frame(job).caller else {
            return Cow::Borrowed(own);
        };
        let mut handed: Vec<(String, String)> = match self.job(caller).call.as_ref() {
            None => Vec::new(),
            Some(call) => match &call.secrets {
                CallSecrets::None => Vec::new(),
                CallSecrets::Inherit if self.frame(caller).caller.is_none() => {
                    return Cow::Borrowed(own);
                }
                CallSecrets::Inherit => {
                    let secrets = self.own_secrets(caller, caller_leg, outside);
                    owned(secrets.pairs())
                }
                CallSecrets::Named(named) => {
                    let secrets = self.own_secrets(caller, caller_leg, outside);
                    let mut scope = self.leg_scope(caller, caller_leg);
                    scope.set_lazy("secrets", move || secrets.to_json());
                    // A value that cannot be had was refused when the call began.
                    let value = |(name, it): &(String, crate::expr::Template)| {
                        Some((name.clone(), it.evaluate_text(&scope).ok()?))
                    };
                    named.iter().filter_map(value).collect()
                }
            },
        };
        handed.extend(
            outside
                .environment_secrets(&key)
                .map(|it| owned(it.pairs()))
                .into_iter()
                .flatten(),
        );
        let token = own.get(TOKEN).map(|it| (TOKEN.to_owned(), it.to_owned()));
        handed.extend(token);
        Cow::Owned(own.showing(handed))
    }
}

fn owned<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

impl LegState {
    /// The background step that `step` is, or inside which it runs.
    pub fn background_root(&self, step: usize) -> Option<usize> {
        let mut at = Some(step);
        while let Some(index) = at {
            let state = self.steps.get(index)?;
            if state.background {
                return Some(index);
            }
            at = state.within;
        }
        None
    }
}
