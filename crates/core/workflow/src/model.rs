//! A workflow as its file describes it; what has expressions keeps them unevaluated.

use std::{fmt, str::FromStr};

use serde_json::{Map, Value};

use crate::{
    expr::{EvalError, Expression, Scope, Template},
    trigger::Triggers,
};

/// Names with their texts, in the order of the file.
pub type NamedTemplates = Vec<(String, Template)>;

/// A checked workflow; it keeps its source.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// The file, e.g. `.github/workflows/ci.yml`.
    pub path: String,
    pub source: String,
    pub name: Option<String>,
    pub run_name: Option<Template>,
    pub triggers: Triggers,
    pub permissions: Permissions,
    pub concurrency: Option<Concurrency>,
    pub env: NamedTemplates,
    pub defaults: Defaults,
    /// In the order of the file; at least one has no `needs`, and there is no cycle.
    pub jobs: Vec<Job>,
}

impl Workflow {
    /// What people see: the name in the file, else the file.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.path)
    }

    pub fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|it| it.id.eq_ignore_ascii_case(id))
    }

    /// All jobs that must end before `id` starts, direct and indirect, in the order of the file.
    pub fn ancestors(&self, id: &str) -> Vec<&Job> {
        let mut found: Vec<&str> = Vec::new();
        let mut open: Vec<&str> = self
            .job(id)
            .map(|job| job.needs.iter().map(String::as_str).collect())
            .unwrap_or_default();
        while let Some(next) = open.pop() {
            if !found.iter().any(|it| it.eq_ignore_ascii_case(next)) {
                found.push(next);
                open.extend(
                    self.job(next)
                        .iter()
                        .flat_map(|job| job.needs.iter().map(String::as_str)),
                );
            }
        }
        self.jobs
            .iter()
            .filter(|job| found.iter().any(|it| it.eq_ignore_ascii_case(&job.id)))
            .collect()
    }
}

#[derive(Clone, Debug)]
pub struct Job {
    pub id: String,
    /// The line of the file where it stands.
    pub line: usize,
    pub name: Option<Template>,
    /// Ids of the jobs it waits for, as those jobs write them.
    pub needs: Vec<String>,
    /// As written; `None` stands for `success()`.
    pub condition: Option<Expression>,
    pub runs_on: Tree,
    pub strategy: Strategy,
    pub environment: Option<Environment>,
    pub permissions: Permissions,
    pub env: NamedTemplates,
    pub defaults: Defaults,
    pub outputs: NamedTemplates,
    pub timeout_minutes: Option<Template>,
    pub cancel_timeout_minutes: Option<Template>,
    pub continue_on_error: Option<Template>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// The id in the file, else one made from what it does (`__run`, `__actions_checkout_2`).
    pub id: String,
    pub line: usize,
    pub name: Option<Template>,
    /// As written; `None` stands for `success()`.
    pub condition: Option<Expression>,
    pub env: NamedTemplates,
    pub continue_on_error: Option<Template>,
    pub timeout_minutes: Option<Template>,
    pub action: StepAction,
}

#[derive(Clone, Debug)]
pub enum StepAction {
    Run {
        script: Template,
        shell: Option<Template>,
        working_directory: Option<Template>,
    },
    Uses {
        action: ActionRef,
        inputs: NamedTemplates,
    },
}

impl Step {
    /// Only steps that chose their id show their outputs in the `steps` context.
    pub fn is_published(&self) -> bool {
        !self.id.starts_with("__")
    }
}

/// `actions/checkout@v4`, or `actions/cache/save@v4` with a path inside the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRef {
    /// Owner and repository.
    pub repository: String,
    pub path: Option<String>,
    pub version: String,
}

/// Why a text names no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `owner/repository@version`, found `{0}`")]
pub struct ParseActionError(String);

impl FromStr for ActionRef {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseActionError(text.to_owned());
        let (name, version) = text.split_once('@').ok_or_else(wrong)?;
        let mut parts = name.splitn(3, '/');
        let (Some(owner), Some(repository)) = (parts.next(), parts.next()) else {
            return Err(wrong());
        };
        if owner.is_empty() || repository.is_empty() || version.is_empty() {
            return Err(wrong());
        }
        let path = parts.next().map(str::to_owned);
        Ok(Self {
            repository: format!("{owner}/{repository}"),
            path,
            version: version.to_owned(),
        })
    }
}

impl ActionRef {
    /// Owner, repository and path, without the version.
    pub fn name(&self) -> String {
        match &self.path {
            Some(path) => format!("{}/{path}", self.repository),
            None => self.repository.clone(),
        }
    }
}

impl fmt::Display for ActionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name(), self.version)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub shell: Option<Template>,
    pub working_directory: Option<Template>,
}

/// At most one run of a group at a time.
#[derive(Clone, Debug)]
pub struct Concurrency {
    pub group: Template,
    pub cancel_in_progress: Option<Template>,
}

#[derive(Clone, Debug)]
pub struct Environment {
    pub name: Template,
    pub url: Option<Template>,
}

/// What the token of a job may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Permissions {
    /// The file does not say.
    #[default]
    Unset,
    ReadAll,
    WriteAll,
    /// Scope and access (`read`, `write`, `none`); a scope that is not named has none.
    Scopes(Vec<(String, String)>),
}

#[derive(Clone, Debug, Default)]
pub struct Strategy {
    pub matrix: Option<Matrix>,
    pub fail_fast: Option<Template>,
    pub max_parallel: Option<Template>,
}

/// The matrix of a job, a mapping or one expression that gives it.
#[derive(Clone, Debug)]
pub struct Matrix(pub Tree);

/// A value of the file in which any text may have expressions.
#[derive(Clone, Debug)]
pub enum Tree {
    Value(Value),
    Template(Template),
    Sequence(Vec<Tree>),
    Mapping(Vec<(String, Tree)>),
}

impl Tree {
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Template(template) => template.evaluate(scope)?.to_json(),
            Self::Sequence(items) => Value::Array(
                items
                    .iter()
                    .map(|it| it.evaluate(scope))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Mapping(entries) => {
                let entries = entries
                    .iter()
                    .map(|(name, tree)| Ok((name.clone(), tree.evaluate(scope)?)));
                Value::Object(entries.collect::<Result<Map<_, _>, EvalError>>()?)
            }
        })
    }
}
