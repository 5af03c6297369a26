//! What the expressions of one step of one job see.

use std::borrow::Cow;

use api::Conclusion;
use serde_json::{Map, Value, json};

use super::{
    Env, Outside, Run, Secrets, StopReason, conditions::JobSoFar, leg_state::LegState,
    start_step::step_files, step_state::Part,
};
use crate::expr::{EvalError, Scope};

type HashFiles<'a> = Box<dyn Fn(&[String]) -> Result<String, String> + 'a>;

/// The eyes of a step, or of the job itself where there is no step.
pub(super) struct Sight<'a> {
    pub run: &'a Run,
    pub job: usize,
    pub leg: usize,
    pub step: Option<usize>,
    pub secrets: Cow<'a, Secrets>,
    status: JobSoFar,
    hash: HashFiles<'a>,
}

impl Run {
    pub(super) fn sight<'a>(
        &'a self,
        job: usize,
        leg: usize,
        step: Option<usize>,
        outside: &'a dyn Outside,
    ) -> Sight<'a> {
        let key = self.key(job, leg);
        Sight {
            run: self,
            job,
            leg,
            step,
            secrets: self.secrets(job, leg, outside),
            status: self.status_of(job, leg, step),
            hash: Box::new(move |patterns| outside.hash_files(&key, patterns)),
        }
    }

    /// Main steps of a composite action look at that action; all others at the job.
    fn status_of(&self, job: usize, leg: usize, step: Option<usize>) -> JobSoFar {
        let state = self.leg(job, leg);
        let composite = step
            .and_then(|it| state.steps.get(it))
            .filter(|it| it.part == Part::Main)
            .and_then(|it| state.steps.get(it.scope?));
        match composite {
            Some(action) => JobSoFar {
                failed: action.failed,
                cancelled: state.cancelled.is_some()
                    || matches!(
                        action.stop,
                        Some(StopReason::Cancelled | StopReason::CancelStep)
                    ),
            },
            None => JobSoFar {
                failed: state.failed,
                cancelled: state.cancelled.is_some(),
            },
        }
    }
}

impl Sight<'_> {
    pub fn state(&self) -> &LegState {
        self.run.leg(self.job, self.leg)
    }

    pub fn status(&self) -> &JobSoFar {
        &self.status
    }

    /// The main part of the composite action that has the step.
    fn composite(&self) -> Option<usize> {
        let step = self.state().steps.get(self.step?)?;
        step.scope
    }

    /// Everything except `env`.
    pub fn scope(&self) -> Scope<'_> {
        let composite = self.composite();
        let mut scope = self.run.leg_scope(self.job, self.leg);
        if let Some(action) = composite {
            scope
                .set("needs", Value::Null)
                .set("vars", Value::Null)
                .set_lazy("inputs", move || self.action_inputs(action));
        } else {
            scope.set_lazy("secrets", || self.secrets.to_json());
            if let Some(place) = self.state().place.as_ref().filter(|it| !it.vars.is_empty()) {
                scope.set_lazy("vars", || self.vars(&place.vars));
            }
        }
        scope
            .set_lazy("github", || self.github())
            .set_lazy("steps", move || self.steps_context(composite))
            .set_lazy("job", || self.job_context())
            .set_lazy("runner", || self.runner())
            .set_status(&self.status)
            .set_hash_files(&*self.hash);
        scope
    }

    /// The variables of the repository, hidden by those of the environment.
    fn vars(&self, own: &[(String, String)]) -> Value {
        let shared = self.run.state.ground.start.vars.as_object();
        let is_own = |name: &str| own.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let shared = shared.into_iter().flatten().filter(|(name, _)| !is_own(name));
        let shared = shared.map(|(name, value)| (name.clone(), value.clone()));
        let own = own.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        Value::Object(shared.chain(own).collect())
    }

    /// Everything with `env` as given.
    pub fn scope_with(&self, env: &Env) -> Scope<'_> {
        let mut scope = self.scope();
        scope.set_env(env.pairs());
        scope
    }

    /// The environment that workflow, job and earlier steps set, before the step's own.
    pub fn global_env(&self) -> Result<Env, EvalError> {
        let mut env = Env::default();
        {
            let scope = self.scope();
            for block in [&self.run.file(self.job).env, &self.run.job(self.job).env] {
                // Entries of one block do not see one another.
                for (name, value) in block.evaluate(&scope)? {
                    env.set(&name, value);
                }
            }
        }
        let state = self.state();
        for (name, value) in &state.env {
            env.set(name, self.secrets.unseal(value));
        }
        // What a background step wrote is its own until someone waits for it.
        if let Some(root) = self.background_root().and_then(|it| state.steps.get(it)) {
            for (name, value) in &root.held.env {
                env.set(name, self.secrets.unseal(value));
            }
        }
        // What the callers of composite actions set goes on inside them, the innermost last.
        let mut callers = Vec::new();
        let mut composite = self.composite();
        while let Some(action) = composite.and_then(|it| state.steps.get(it)) {
            callers.push(&action.env);
            composite = action.scope;
        }
        for (name, value) in callers.into_iter().rev().flatten() {
            env.set(name, self.secrets.unseal(value));
        }
        Ok(env)
    }

    /// The background step that this one is, or inside which it runs.
    pub fn background_root(&self) -> Option<usize> {
        self.state().background_root(self.step?)
    }

    /// What the `env` context of the step holds, and what of it the step itself sets.
    pub fn env(&self) -> Result<(Env, Vec<(String, String)>), String> {
        let mut env = self
            .global_env()
            .map_err(|error| format!("`env` of the job has no value: {error}"))?;
        let mut own = Vec::new();
        if let Some(step) = self
            .step
            .and_then(|it| self.run.file_step(self.job, self.leg, it))
        {
            let scope = self.scope_with(&env);
            own = step
                .env
                .evaluate(&scope)
                .map_err(|error| format!("`env` has no value: {error}"))?;
        }
        for (name, value) in &own {
            env.set(name, value.as_str());
        }
        Ok((env, own))
    }

    fn action_inputs(&self, action: usize) -> Value {
        let inputs = self
            .state()
            .steps
            .get(action)
            .map(|it| it.inputs.as_slice());
        inputs
            .unwrap_or_default()
            .iter()
            .map(|(name, value)| (name.clone(), self.secrets.unseal(value).into()))
            .collect::<Map<String, Value>>()
            .into()
    }

    /// The `github` context as the step sees it.
    pub fn github(&self) -> Value {
        let mut github = self.run.state.ground.start.github.clone();
        if let Value::Object(map) = &mut github {
            map.extend(self.own_github());
            if let Some(token) = self.secrets.get(super::outside::TOKEN) {
                map.insert("token".to_owned(), token.into());
            }
        }
        github
    }

    /// What the step sees in `github` in place of, or beside, what the run was started with.
    pub fn own_github(&self) -> Map<String, Value> {
        let mut map = Map::new();
        let state = self.state();
        let mut set = |name: &str, value: &str| {
            map.insert(name.to_owned(), value.into());
        };
        set("job", &self.run.job(self.job).id);
        set("run_attempt", &state.run_attempt.to_string());
        if let Some(place) = &state.place {
            set("workspace", &place.workspace);
            set("event_path", &event_path(&place.temp));
        }
        let Some(index) = self.step else {
            return map;
        };
        if let Some(step) = self.run.file_step(self.job, self.leg, index) {
            set("action", &step.id);
        }
        if let Some(place) = &state.place {
            let files = step_files(place, state.attempt, index);
            set("env", &files.env);
            set("output", &files.output);
            set("path", &files.path);
            set("state", &files.state);
            set("step_summary", &files.summary);
        }
        let composite = self.composite();
        if let Some(action) = composite {
            set("action_status", self.status.word());
            if let Some(folder) = self.run.action_folder(self.job, self.leg, action) {
                set("action_path", folder);
            }
        }
        let named = |it| self.run.action_reference(self.job, self.leg, it);
        if let Some(reference) = named(index).or_else(|| named(composite?)) {
            set("action_repository", &reference.repository);
            set("action_ref", &reference.version);
        }
        map
    }

    fn steps_context(&self, composite: Option<usize>) -> Value {
        let mut context = Map::new();
        for (index, state) in self.state().steps.iter().enumerate() {
            if state.part != Part::Main || state.scope != composite || !state.shows() {
                continue;
            }
            let Some(step) = self.run.file_step(self.job, self.leg, index) else {
                continue;
            };
            if !step.is_published() {
                continue;
            }
            let outputs = state
                .outputs
                .iter()
                .map(|(name, value)| (name.clone(), self.secrets.unseal(value).into()));
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

    fn job_context(&self) -> Value {
        let state = self.state();
        let mut context = json!({ "status": JobSoFar::of(state).word() });
        let frame = self.run.frame(self.job);
        let path = &self.run.file(self.job).path;
        let home = &frame.home;
        if let Value::Object(map) = &mut context {
            let workflow = [
                (
                    "workflow_ref",
                    format!("{}/{path}@{}", home.repository, home.git_ref),
                ),
                ("workflow_sha", home.commit.clone()),
                ("workflow_repository", home.repository.clone()),
                ("workflow_file_path", path.clone()),
            ];
            for (name, value) in workflow {
                map.insert(name.to_owned(), value.into());
            }
            let Some(place) = &state.place else {
                return context;
            };
            if let Some(container) = &place.container {
                let shown = json!({ "id": container.id, "network": container.network });
                map.insert("container".to_owned(), shown);
            }
            let services = place.services.iter().map(|service| {
                let ports = service.ports.iter();
                let ports: Map<_, _> = ports
                    .map(|(inner, outer)| (inner.clone(), Value::from(outer.as_str())))
                    .collect();
                let shown = json!({ "id": service.id, "network": service.network, "ports": ports });
                (service.name.clone(), shown)
            });
            let services: Map<_, _> = services.collect();
            if !services.is_empty() {
                map.insert("services".to_owned(), services.into());
            }
        }
        context
    }

    fn runner(&self) -> Value {
        let Some(place) = &self.state().place else {
            return json!({});
        };
        let parent = place.workspace.trim_end_matches('/').rsplit_once('/');
        let mut runner = json!({
            "name": place.runner, "os": place.os, "arch": place.arch, "temp": place.temp,
            "tool_cache": place.tool_cache, "environment": "self-hosted",
            "workspace": parent.map(|(parent, _)| parent),
        });
        if self.debugs()
            && let Value::Object(map) = &mut runner
        {
            map.insert("debug".to_owned(), "1".into());
        }
        runner
    }

    /// Whether `::debug::` lines are shown.
    pub fn debugs(&self) -> bool {
        const SWITCH: &str = "ACTIONS_STEP_DEBUG";
        let vars = &self.run.state.ground.start.vars;
        let named = |it: &&String| it.eq_ignore_ascii_case(SWITCH);
        let var = vars.as_object().and_then(|vars| {
            let name = vars.keys().find(named)?;
            vars.get(name)?.as_str()
        });
        self.secrets.get(SWITCH).or(var) == Some("true")
    }
}

/// Where steps find the payload of the event.
pub(super) fn event_path(temp: &str) -> String {
    format!("{temp}/_github_workflow/event.json")
}
