//! Builds the contexts that expressions of jobs and steps see.

use api::Conclusion;
use serde_json::{Map, Value, json};

use super::{
    Env, JobKey, Outside, Run, Secrets,
    state::{JobState, LegPhase, LegState, StepPhase},
};
use crate::{
    Job, NamedTemplates,
    expr::{EvalError, Scope},
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

    pub(super) fn job(&self, job: usize) -> &Job {
        self.workflow
            .jobs
            .get(job)
            .expect("as many jobs as in the state")
    }

    pub(super) fn leg(&self, job: usize, leg: usize) -> &LegState {
        self.job_state(job)
            .legs
            .get(leg)
            .expect("a leg of this job")
    }

    pub(super) fn leg_mut(&mut self, job: usize, leg: usize) -> &mut LegState {
        self.job_state_mut(job)
            .legs
            .get_mut(leg)
            .expect("a leg of this job")
    }

    /// `github`, `vars`, `inputs` and `needs`.
    pub(super) fn needs_scope<'a>(&self, job: usize) -> Scope<'a> {
        let mut scope = self.base_scope();
        let mut needs = Map::new();
        for id in &self.job(job).needs {
            let Some(needed) = self
                .state
                .jobs
                .iter()
                .find(|it| it.id.eq_ignore_ascii_case(id))
            else {
                continue;
            };
            let outputs: Map<_, _> = needed
                .outputs
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                .collect();
            let result = needed.result.map_or_else(String::new, |it| it.to_string());
            needs.insert(id.clone(), json!({ "result": result, "outputs": outputs }));
        }
        scope.set("needs", Value::Object(needs));
        scope
    }

    /// Adds `matrix` and `strategy`.
    pub(super) fn leg_scope<'a>(
        &self,
        job: usize,
        index: usize,
        matrix: &Value,
        total: usize,
    ) -> Scope<'a> {
        let mut scope = self.needs_scope(job);
        let state = self.job_state(job);
        let max_parallel = if state.max_parallel == usize::MAX {
            total
        } else {
            state.max_parallel
        };
        let strategy = json!({
            "fail-fast": state.fail_fast, "job-index": index, "job-total": total, "max-parallel": max_parallel,
        });
        scope
            .set("matrix", matrix.clone())
            .set("strategy", strategy);
        scope
    }

    /// Everything a step may see, except `env`.
    pub(super) fn step_scope<'a>(&self, job: usize, leg: usize, secrets: &Secrets) -> Scope<'a> {
        let state = self.leg(job, leg);
        let mut scope = self.leg_scope(job, leg, &state.matrix, self.job_state(job).legs.len());
        scope.set("github", self.github(job, leg, secrets));
        scope.set("secrets", secrets.to_json());
        scope.set("steps", self.steps_context(job, leg, secrets));
        let status = match (state.cancelled.is_some(), state.failed) {
            (true, _) => "cancelled",
            (_, true) => "failure",
            _ => "success",
        };
        scope.set("job", json!({ "status": status }));
        scope.set("runner", runner(state));
        scope
    }

    pub(super) fn github(&self, job: usize, leg: usize, secrets: &Secrets) -> Value {
        let mut github = self.state.start.github.clone();
        let state = self.leg(job, leg);
        if let Value::Object(github) = &mut github {
            github.insert("job".to_owned(), self.job(job).id.as_str().into());
            if let Some(token) = secrets.get("GITHUB_TOKEN") {
                github.insert("token".to_owned(), token.into());
            }
            if let Some(place) = &state.place {
                github.insert("workspace".to_owned(), place.workspace.as_str().into());
                github.insert(
                    "event_path".to_owned(),
                    format!("{}/_github_workflow/event.json", place.temp).into(),
                );
            }
            let step = state
                .current_step()
                .and_then(|index| self.job(job).steps.get(index));
            if let Some(step) = step {
                github.insert("action".to_owned(), step.id.as_str().into());
            }
        }
        github
    }

    fn steps_context(&self, job: usize, leg: usize, secrets: &Secrets) -> Value {
        let mut context = Map::new();
        for (step, state) in self.job(job).steps.iter().zip(&self.leg(job, leg).steps) {
            if state.phase != StepPhase::Done || !step.is_published() {
                continue;
            }
            let outputs = state
                .outputs
                .iter()
                .map(|(name, value)| (name.clone(), secrets.unseal(value).into()));
            let word = |it: Option<Conclusion>| it.map_or_else(String::new, |it| it.to_string());
            let shown = json!({
                "outputs": outputs.collect::<Map<String, Value>>(),
                "outcome": word(state.outcome),
                "conclusion": word(state.conclusion),
            });
            context.insert(step.id.clone(), shown);
        }
        Value::Object(context)
    }

    /// The environment that workflow, job and earlier steps set, before the step's own.
    pub(super) fn global_env(
        &self,
        job: usize,
        leg: usize,
        outside: &dyn Outside,
    ) -> Result<Env, EvalError> {
        let secrets = outside.secrets(&self.key(job, leg));
        let scope = self.step_scope(job, leg, secrets);
        let mut env = Env::default();
        extend(&mut env, &self.workflow.env, &scope)?;
        let mut own = Env::default();
        extend(&mut own, &self.job(job).env, &scope)?;
        for (name, value) in own.0 {
            env.set(&name, value);
        }
        for (name, value) in &self.leg(job, leg).env {
            env.set(name, secrets.unseal(value));
        }
        Ok(env)
    }

    /// Whether a leg uses a slot of `max-parallel`.
    pub(super) fn active_legs(&self, job: usize) -> usize {
        let legs = &self.job_state(job).legs;
        legs.iter()
            .filter(|leg| matches!(leg.phase, LegPhase::Starting | LegPhase::Running))
            .count()
    }
}

/// Evaluates all before any is set: entries of one block do not see one another.
pub(super) fn extend(
    env: &mut Env,
    templates: &NamedTemplates,
    scope: &Scope<'_>,
) -> Result<(), EvalError> {
    let values = templates
        .iter()
        .map(|(name, template)| Ok((name, template.evaluate_text(scope)?)));
    for (name, value) in values.collect::<Result<Vec<_>, EvalError>>()? {
        env.set(name, value);
    }
    Ok(())
}

fn runner(state: &LegState) -> Value {
    let Some(place) = &state.place else {
        return json!({});
    };
    json!({
        "name": place.runner, "os": place.os, "arch": place.arch, "temp": place.temp,
        "tool_cache": place.tool_cache, "environment": "self-hosted",
        "workspace": std::path::Path::new(&place.workspace).parent().map(|it| it.to_string_lossy().into_owned()),
    })
}
