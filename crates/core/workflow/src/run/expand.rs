//! Turns a job whose condition holds into legs, and a leg into the order to start it.

use std::time::Duration;

use api::Conclusion;
use serde_json::Value;

use super::{
    Effect, JobStart, Reason, Run, Unbuildable, is_true,
    state::{Given, JobPhase, LegPhase, LegState, StepState},
    steps::static_name,
};
use crate::{
    expr::{EvalError, Scope, Template},
    matrix::{self, Leg},
};

/// GitHub's limits when a job does not say.
const JOB_TIMEOUT_MINUTES: f64 = 360.0;
const CANCEL_TIMEOUT_MINUTES: f64 = 5.0;

impl Run {
    pub(super) fn expand(&mut self, job: usize) -> Result<(), String> {
        let scope = self.needs_scope(job);
        let strategy = &self.job(job).strategy;
        let broken =
            |key: &'static str| move |error: EvalError| format!("`{key}` has no value: {error}");
        let legs = match &strategy.matrix {
            None => vec![Leg::default()],
            Some(matrix) => {
                let value = matrix.0.evaluate(&scope).map_err(broken("matrix"))?;
                matrix::expand(&value).map_err(|error| error.to_string())?
            }
        };
        let fail_fast = strategy
            .fail_fast
            .as_ref()
            .map(|it| it.evaluate(&scope))
            .transpose()
            .map_err(broken("fail-fast"))?;
        let max_parallel =
            number(strategy.max_parallel.as_ref(), &scope).map_err(broken("max-parallel"))?;
        let state = self.job_state_mut(job);
        state.fail_fast = fail_fast.is_none_or(|it| is_true(&it));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts saturate"
        )]
        if let Some(most) = max_parallel.filter(|it| *it >= 1.0) {
            state.max_parallel = most as usize;
        }
        if legs.is_empty() {
            self.end_job(
                job,
                Conclusion::Skipped,
                Some(Reason::new("its matrix has no combination left")),
            );
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

    fn new_leg(
        &self,
        job: usize,
        index: usize,
        leg: &Leg,
        total: usize,
    ) -> Result<LegState, String> {
        let file = self.job(job);
        let scope = self.leg_scope(job, index, &leg.values, total);
        let broken =
            |key: &'static str| move |error: EvalError| format!("`{key}` has no value: {error}");
        let minutes =
            number(file.timeout_minutes.as_ref(), &scope).map_err(broken("timeout-minutes"))?;
        let cancel_minutes = number(file.cancel_timeout_minutes.as_ref(), &scope)
            .map_err(broken("cancel-timeout-minutes"))?;
        let environment = file
            .environment
            .as_ref()
            .map(|it| it.name.evaluate_text(&scope));
        let environment = environment
            .transpose()
            .map_err(broken("environment"))?
            .filter(|it| !it.is_empty());
        let given_name = file
            .name
            .as_ref()
            .map(|it| it.evaluate_text(&scope))
            .transpose()
            .map_err(broken("name"))?;
        let varies = file.name.as_ref().is_some_and(|it| {
            it.expressions()
                .any(|(it, _)| it.contexts().iter().any(|(name, _)| *name == "matrix"))
        });
        let name = match given_name.filter(|it| !it.is_empty()) {
            Some(name) if varies => name,
            name => matrix::display_name(&name.unwrap_or_else(|| file.id.clone()), leg),
        };
        let steps = file.steps.iter().map(|step| StepState {
            name: static_name(step),
            ..StepState::default()
        });
        Ok(LegState {
            name,
            matrix: leg.values.clone(),
            environment,
            environment_url: None,
            timeout_secs: seconds(minutes.unwrap_or(JOB_TIMEOUT_MINUTES)),
            cancel_timeout_secs: seconds(cancel_minutes.unwrap_or(CANCEL_TIMEOUT_MINUTES)),
            attempt: 0,
            phase: LegPhase::Queued,
            failed: false,
            cancelled: None,
            overdue: false,
            tolerated: false,
            conclusion: None,
            reason: None,
            notes: Vec::new(),
            place: None,
            env: Vec::new(),
            path: Vec::new(),
            steps: steps.collect(),
            started: None,
            finished: None,
            deadline: None,
            cancel_deadline: None,
            closed: false,
            given: Given::default(),
        })
    }

    /// The effect for a leg that is to start.
    pub(super) fn start_job(&mut self, job: usize, leg: usize) -> Result<Effect, Unbuildable> {
        let state = self.leg(job, leg);
        let scope = self.leg_scope(job, leg, &state.matrix, self.job_state(job).legs.len());
        let labels = match self.job(job).runs_on.evaluate(&scope) {
            Ok(value) => labels(&value),
            Err(error) => {
                self.end_leg(
                    job,
                    leg,
                    Conclusion::Failure,
                    Some(Reason::new(format!("`runs-on` has no value: {error}"))),
                );
                return Err(Unbuildable);
            }
        };
        let own = &self.job(job).permissions;
        let unset = *own == crate::Permissions::Unset;
        let permissions = if unset {
            self.workflow.permissions.clone()
        } else {
            own.clone()
        };
        Ok(Effect::StartJob(JobStart {
            job: self.key(job, leg),
            attempt: state.attempt,
            name: state.name.clone(),
            labels,
            environment: state.environment.clone(),
            permissions,
            timeout: Duration::from_secs(state.timeout_secs),
        }))
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

fn labels(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(labels).collect(),
        Value::Object(map) => map.get("labels").map(labels).unwrap_or_default(),
        Value::String(text) => vec![text.clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
    }
}
