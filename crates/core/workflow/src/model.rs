//! A workflow as its file describes it; what has expressions keeps them unevaluated.

use crate::{
    expr::{Expression, Template},
    reference::{Uses, WorkflowRef},
    trigger::Triggers,
    tree::{Mapping, NamedTemplates, Tree},
};

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
    pub env: Mapping,
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
    /// Labels (a text or a sequence), or a mapping of `group` and `labels`; null for a job that calls a workflow.
    pub runs_on: Tree,
    pub strategy: Strategy,
    pub concurrency: Option<Concurrency>,
    pub environment: Option<Environment>,
    /// An image, or a mapping of `image`, `credentials`, `env`, `ports`, `volumes`, `options`.
    pub container: Option<Tree>,
    /// Containers by their id; beside the keys of `container` they have `entrypoint` and `command`.
    pub services: Option<Tree>,
    pub snapshot: Option<Snapshot>,
    pub permissions: Permissions,
    pub env: Mapping,
    pub defaults: Defaults,
    pub outputs: NamedTemplates,
    pub timeout_minutes: Option<Template>,
    pub cancel_timeout_minutes: Option<Template>,
    pub continue_on_error: Option<Template>,
    /// Empty for a job that calls a workflow.
    pub steps: Vec<Step>,
    /// The workflow that is called in place of steps.
    pub call: Option<Call>,
}

/// A job that is another workflow.
#[derive(Clone, Debug)]
pub struct Call {
    pub workflow: WorkflowRef,
    /// `with`; the values keep their types.
    pub inputs: Vec<(String, Tree)>,
    pub secrets: CallSecrets,
}

/// The secrets that a called workflow sees.
#[derive(Clone, Debug, Default)]
pub enum CallSecrets {
    #[default]
    None,
    /// All that the caller has.
    Inherit,
    Named(NamedTemplates),
}

/// An image made of the machine after the job.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub image_name: Template,
    pub version: Option<Template>,
    pub condition: Option<Expression>,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// The id in the file, else one made from what it does (`__run`, `__actions_checkout_2`).
    pub id: String,
    pub line: usize,
    pub name: Option<Template>,
    /// As written; `None` stands for `success()`.
    pub condition: Option<Expression>,
    pub env: Mapping,
    pub continue_on_error: Option<Template>,
    pub timeout_minutes: Option<Template>,
    /// Whether later steps start while it runs; always so inside `parallel`.
    pub background: bool,
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
        action: Uses,
        inputs: Mapping,
    },
    /// Waits for background steps, by their ids.
    Wait(Vec<String>),
    /// Waits for all background steps so far.
    WaitAll,
    /// Ends a background step, by its id.
    Cancel(String),
    /// Runs steps side by side and waits for all of them.
    Parallel(Vec<Step>),
}

impl Step {
    /// Only steps that chose their id show their outputs in the `steps` context.
    pub fn is_published(&self) -> bool {
        !self.id.starts_with("__")
    }
}

#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub shell: Option<Template>,
    pub working_directory: Option<Template>,
    /// One expression that gives the whole of `run`, in place of the two above.
    pub run: Option<Template>,
}

/// At most one run of a group at a time.
#[derive(Clone, Debug)]
pub struct Concurrency {
    /// A text; an expression may also give a mapping of all three keys.
    pub group: Template,
    pub cancel_in_progress: Option<Template>,
    pub queue: Queue,
}

/// How many wait for a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queue {
    /// One; a newer takes its place.
    #[default]
    Single,
    /// Up to a hundred, first come first served.
    Max,
}

#[derive(Clone, Debug)]
pub struct Environment {
    /// A text; an expression may also give a mapping of all three keys.
    pub name: Template,
    pub url: Option<Template>,
    /// False: its secrets and approvals apply, but no deployment is recorded.
    pub deployment: Option<Template>,
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
    /// One expression that gives the whole of it, in place of the three below.
    pub whole: Option<Template>,
    pub matrix: Option<Matrix>,
    pub fail_fast: Option<Template>,
    pub max_parallel: Option<Template>,
}

/// The matrix of a job, a mapping or one expression that gives it.
#[derive(Clone, Debug)]
pub struct Matrix(pub Tree);
