//! Turns a job whose condition holds into legs.

use std::time::Duration;

use api::Conclusion;
use serde_json::Value;

use super::{Reason, Run, is_true, leg_state::LegState, state::JobPhase, step_state::StepState};
use crate::{
    Environment,
    expr::{self, EvalError, Scope, Template},
    matrix::{self, Leg},
};

/// GitHub's limits when a job does not say.
const JOB_TIMEOUT_MINUTES: f64 = 360.0;
const CANCEL_TIMEOUT_MINUTES: f64 = 5.0;

/// `environment`, evaluated.
pub(super) struct EnvironmentUse {
    pub name: String,
    pub url: Option<String>,
    pub records_deployment: bool,
}

pub(super) fn broken(key: &'static str) -> impl Fn(EvalError) -> String {
    move |error| format!("`{key}` has no value: {error}")
}

impl Run {
    pub(super) fn expand(&mut self, job: usize) -> Result<(), String> {
        let (legs, fail_fast, max_parallel) = self.read_strategy(job)?;
        let state = self.job_state_mut(job);
        state.fail_fast = fail_fast;
        state.max_parallel = max_parallel;
        if legs.is_empty() {
            let reason = Reason::new("its matrix has no combination left");
            self.end_job(job, Conclusion::Skipped, Some(reason));
            return Ok(());
        }
        let total = legs.len();
        let legs = legs
            .iter()
            .enumerate()
            .map(|(index, leg)| self.new_leg(job, index, leg, total));
        let legs = legs.collect::<Result<Vec<_>, _>>()?;
        let state = self.job_state_mut(job);
        state.legs = legs;
        state.phase = JobPhase::Expanded;
        Ok(())
    }

    fn read_strategy(&self, job: usize) -> Result<(Vec<Leg>, bool, Option<usize>), String> {
        let scope = self.needs_scope(job);
        let strategy = &self.job(job).strategy;
        let whole = strategy.whole.as_ref().map(|it| it.evaluate(&scope));
        let whole = whole.transpose().map_err(broken("strategy"))?;
        let whole = whole.map(|it| it.to_json()).unwrap_or_default();
        let matrix = match &strategy.matrix {
            Some(matrix) => Some(matrix.0.evaluate(&scope).map_err(broken("matrix"))?),
            None => whole.get("matrix").cloned(),
        };
        let mut legs = match matrix.filter(|it| !it.is_null()) {
            None => vec![Leg::default()],
            Some(value) => matrix::expand(&value).map_err(|error| error.to_string())?,
        };
        // Only the run's own file has legs that somebody can name.
        if self.job_state(job).frame == 0 {
            legs.retain(|leg| self.state.ground.start.selection.takes_leg(&leg.values));
        }
        let fail_fast = strategy.fail_fast.as_ref().map(|it| it.evaluate(&scope));
        let fail_fast = match fail_fast.transpose().map_err(broken("fail-fast"))? {
            Some(value) => Some(value),
            None => whole.get("fail-fast").map(expr::Value::from),
        };
        let most =
            number(strategy.max_parallel.as_ref(), &scope).map_err(broken("max-parallel"))?;
        let most = most.or_else(|| whole.get("max-parallel")?.as_f64());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts saturate"
        )]
        let most = most.filter(|it| *it >= 1.0).map(|it| it as usize);
        Ok((legs, fail_fast.is_none_or(|it| is_true(&it)), most))
    }

    fn new_leg(
        &self,
        job: usize,
        index: usize,
        leg: &Leg,
        total: usize,
    ) -> Result<LegState, String> {
        let file = self.job(job);
        let scope = self.matrix_scope(job, index, &leg.values, total);
        let minutes =
            number(file.timeout_minutes.as_ref(), &scope).map_err(broken("timeout-minutes"))?;
        let cancel_minutes = number(file.cancel_timeout_minutes.as_ref(), &scope)
            .map_err(broken("cancel-timeout-minutes"))?;
        let environment = file.environment.as_ref().map(|it| it.name_in(&scope));
        let environment = environment.transpose()?.filter(|it| !it.is_empty());
        let given_name = file.name.as_ref().map(|it| it.evaluate_text(&scope));
        let given_name = given_name.transpose().map_err(broken("name"))?;
        let varies = file.name.as_ref().is_some_and(|it| {
            it.expressions()
                .any(|(it, _)| it.contexts().iter().any(|(name, _)| *name == "matrix"))
        });
        let name = match given_name.filter(|it| !it.is_empty()) {
            Some(name) if varies => name,
            name => matrix::display_name(&name.unwrap_or_else(|| file.id.clone()), leg),
        };
        let mut state = LegState {
            name: self.full_name(job, &name),
            matrix: leg.values.clone(),
            environment,
            timeout_secs: seconds(minutes.unwrap_or(JOB_TIMEOUT_MINUTES)),
            cancel_timeout_secs: seconds(cancel_minutes.unwrap_or(CANCEL_TIMEOUT_MINUTES)),
            run_attempt: self.state.run_attempt(),
            ..LegState::default()
        };
        if file.snapshot.is_some() {
            let note = "`snapshot` is left out: no image is made of this machine";
            state.notes.push(note.to_owned());
        }
        state.restart(StepState::of_file(&file.steps));
        Ok(state)
    }

    /// `caller / job` in a called workflow.
    pub(super) fn full_name(&self, job: usize, name: &str) -> String {
        match self.frame(job).caller {
            Some((caller, leg)) => format!("{} / {name}", self.leg(caller, leg).name),
            None => name.to_owned(),
        }
    }
}

impl Environment {
    /// Its name; one expression may also give a mapping of all its keys.
    fn name_in(&self, scope: &Scope<'_>) -> Result<String, String> {
        Ok(self.evaluate(scope)?.name)
    }

    /// All of it except its address, which is known at the end of the job only.
    pub(super) fn evaluate(&self, scope: &Scope<'_>) -> Result<EnvironmentUse, String> {
        let name = self.name.evaluate(scope).map_err(broken("environment"))?;
        if let expr::Value::Object(object) = &name {
            let text = |key: &str| object.get(key).map(expr::Value::to_text);
            return Ok(EnvironmentUse {
                name: text("name").unwrap_or_default(),
                url: text("url"),
                records_deployment: object.get("deployment").is_none_or(is_true),
            });
        }
        let deployment = self.deployment.as_ref().map(|it| it.evaluate(scope));
        let deployment = deployment.transpose().map_err(broken("deployment"))?;
        Ok(EnvironmentUse {
            name: name.to_text(),
            url: None,
            records_deployment: deployment.is_none_or(|it| is_true(&it)),
        })
    }
}

pub(super) fn seconds(minutes: f64) -> u64 {
    Duration::try_from_secs_f64(minutes * 60.0)
        .unwrap_or_default()
        .as_secs()
}

pub(super) fn number(
    template: Option<&Template>,
    scope: &Scope<'_>,
) -> Result<Option<f64>, EvalError> {
    let value = template.map(|it| it.evaluate(scope)).transpose()?;
    Ok(value.map(|it| it.to_number()).filter(|it| it.is_finite()))
}

/// The labels of an evaluated `runs-on`.
pub(super) fn labels(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(labels).collect(),
        Value::Object(map) => map.get("labels").map(labels).unwrap_or_default(),
        Value::String(text) => vec![text.clone()],
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
    }
}
