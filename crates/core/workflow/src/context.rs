//! Which contexts and functions each key of the language may use: one set for each kind of place.

use std::ops::BitOr;

use crate::expr::Expression;

/// What expressions in one place may use; nothing where no expression may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access(u32);

/// In the order of messages; the position is the bit.
const CONTEXTS: &[&str] = &[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps", "job", "runner",
    "env", "jobs",
];
const HASH_FILES: Access = Access(1 << 16);
/// `success` and its kin; in a job they take the ids of other jobs.
const STATUS: Access = Access(1 << 17);
const STATUS_OF_JOBS: Access = Access(1 << 18);

const fn of(names: &[&str]) -> Access {
    let mut bits = 0;
    let mut at = 0;
    while at < names.len() {
        let mut position = 0;
        while position < CONTEXTS.len() {
            if equal(names[at].as_bytes(), CONTEXTS[position].as_bytes()) {
                bits |= 1 << position;
            }
            position += 1;
        }
        at += 1;
    }
    Access(bits)
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

impl Access {
    pub const NONE: Self = Self(0);
    /// `run-name`, `concurrency` of a workflow, defaults of inputs.
    pub const RUN: Self = of(&["github", "inputs", "vars"]);
    pub const WORKFLOW_ENV: Self = Self::RUN.and(of(&["secrets"]));
    /// The outputs of a callable workflow.
    pub const CALL_OUTPUT: Self = Self::RUN.and(of(&["jobs"]));
    pub const STRATEGY: Self = Self::RUN.and(of(&["needs"]));
    pub const JOB_IF: Self = Self::STRATEGY.and(STATUS).and(STATUS_OF_JOBS);
    /// `name`, `runs-on`, `container`, `services`, `environment`, `concurrency` … of a job.
    pub const JOB: Self = Self::STRATEGY.and(of(&["strategy", "matrix"]));
    /// `env` of a job, `secrets` of a call.
    pub const JOB_SECRETS: Self = Self::JOB.and(of(&["secrets"]));
    pub const JOB_DEFAULTS: Self = Self::JOB.and(of(&["env"]));
    pub const CREDENTIALS: Self = Self::RUN.and(of(&["secrets", "env"]));
    /// The address of an environment.
    pub const RUNNER: Self = Self::JOB.and(of(&["steps", "job", "runner", "env"]));
    /// Outputs of a job, `env` of a container.
    pub const RUNNER_SECRETS: Self = Self::RUNNER.and(of(&["secrets"]));
    pub const STEP: Self = Self::RUNNER_SECRETS.and(HASH_FILES);
    pub const STEP_IF: Self = Self::RUNNER.and(HASH_FILES).and(STATUS);

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn contexts(self) -> impl Iterator<Item = &'static str> {
        let bits = CONTEXTS.iter().enumerate();
        bits.filter(move |(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, name)| *name)
    }

    /// What keeps `expression` from standing here, in the order of its text.
    pub fn check(self, expression: &Expression) -> Vec<Objection> {
        let mut found = Vec::new();
        for (name, at) in expression.contexts() {
            if !self.contexts().any(|it| it == name) {
                let allowed: Vec<_> = self.contexts().map(|it| format!("`{it}`")).collect();
                found.push(Objection {
                    message: format!(
                        "context `{name}` is not available here, only {}",
                        allowed.join(", ")
                    ),
                    at,
                    length: name.len(),
                });
            }
        }
        for (name, arguments, at) in expression.calls() {
            let message = match name {
                "hashFiles" if !self.has(HASH_FILES) => {
                    format!("function `{name}` is not available here, only in steps")
                }
                "success" | "failure" | "cancelled" | "always" if !self.has(STATUS) => {
                    format!("function `{name}` is not available here, only in `if`")
                }
                "success" | "failure" if arguments > 0 && !self.has(STATUS_OF_JOBS) => {
                    format!("`{name}` takes no arguments in a step")
                }
                _ => continue,
            };
            found.push(Objection {
                message,
                at,
                length: name.len(),
            });
        }
        found.sort_by_key(|it| it.at);
        found
    }
}

impl BitOr for Access {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

/// A context or function that is not available, by bytes of the expression.
pub(crate) struct Objection {
    pub message: String,
    pub at: usize,
    pub length: usize,
}
