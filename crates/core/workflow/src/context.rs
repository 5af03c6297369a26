//! Which contexts and functions each key of the language may use.

use crate::expr::Expression;

/// A place where expressions may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    RunName,
    Concurrency,
    WorkflowEnv,
    JobIf,
    Strategy,
    /// `name`, `runs-on`, `environment`, `timeout-minutes`, `continue-on-error` of a job.
    Job,
    JobEnv,
    JobDefaults,
    JobOutputs,
    EnvironmentUrl,
    StepIf,
    /// Everything else in a step.
    Step,
}

const RUN: &[&str] = &["github", "inputs", "vars"];
const WORKFLOW_ENV: &[&str] = &["github", "inputs", "vars", "secrets"];
const NEEDS: &[&str] = &["github", "inputs", "vars", "needs"];
const JOB: &[&str] = &["github", "inputs", "vars", "needs", "strategy", "matrix"];
const JOB_ENV: &[&str] = &[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets",
];
const JOB_DEFAULTS: &[&str] = &[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "env",
];
const STEP_IF: &[&str] = &[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "steps", "job", "runner", "env",
];
const STEP: &[&str] = &[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps", "job", "runner",
    "env",
];

impl Site {
    pub fn contexts(self) -> &'static [&'static str] {
        match self {
            Self::RunName | Self::Concurrency => RUN,
            Self::WorkflowEnv => WORKFLOW_ENV,
            Self::JobIf | Self::Strategy => NEEDS,
            Self::Job => JOB,
            Self::JobEnv => JOB_ENV,
            Self::JobDefaults => JOB_DEFAULTS,
            Self::StepIf | Self::EnvironmentUrl => STEP_IF,
            Self::JobOutputs | Self::Step => STEP,
        }
    }

    /// What keeps `expression` from standing here: a message and the byte offset and length of the culprit.
    pub fn check(self, expression: &Expression) -> Vec<(String, usize, usize)> {
        let mut found = Vec::new();
        for (name, at) in expression.contexts() {
            if !self.contexts().contains(&name) {
                let allowed: Vec<_> = self.contexts().iter().map(|it| format!("`{it}`")).collect();
                found.push((
                    format!(
                        "context `{name}` is not available here, only {}",
                        allowed.join(", ")
                    ),
                    at,
                    name.len(),
                ));
            }
        }
        for (name, arguments, at) in expression.calls() {
            let problem = match name {
                "hashFiles" => (!matches!(self, Self::StepIf | Self::Step))
                    .then(|| format!("function `{name}` is not available here, only in steps")),
                "success" | "failure" if self == Self::StepIf && arguments > 0 => {
                    Some(format!("`{name}` takes no arguments in a step"))
                }
                "success" | "failure" | "cancelled" | "always" => {
                    (!matches!(self, Self::StepIf | Self::JobIf))
                        .then(|| format!("function `{name}` is not available here, only in `if`"))
                }
                _ => None,
            };
            found.extend(problem.map(|message| (message, at, name.len())));
        }
        found
    }
}
