//! Actions as their `action.yml` describes them.
//!
//! [`Manifest::parse`] reads the file; what has expressions keeps them unevaluated.
//! The steps of a composite action are [`Step`]s, as in a workflow.

mod read;
mod steps;

use serde::{Deserialize, Serialize};
use yaml::Diagnostic;

use crate::{
    NamedTemplates, Step,
    expr::{Expression, Template},
};

/// Composite actions may stand inside one another this deep.
pub const COMPOSITE_DEPTH_MAX: usize = 9;

/// What an action takes, gives and does.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub name: Option<String>,
    pub description: Option<String>,
    /// In the order of the file.
    pub inputs: Vec<ActionInput>,
    /// The value is there for composite actions only.
    pub outputs: Vec<ActionOutput>,
    pub runs: Runs,
}

#[derive(Clone, Debug)]
pub struct ActionInput {
    pub name: String,
    pub description: Option<String>,
    pub required: bool,
    pub default: Option<Template>,
    /// Shown to whoever still uses the input.
    pub deprecation: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ActionOutput {
    pub name: String,
    pub description: Option<String>,
    pub value: Option<Template>,
}

/// What an action does.
#[derive(Clone, Debug)]
pub enum Runs {
    Node(NodeRuns),
    Docker(DockerRuns),
    Composite(Vec<Step>),
    /// Carried out by the executor itself; only its own manifests say so (`using: native`).
    Native(NativeRuns),
}

/// `using: node20`
#[derive(Clone, Debug)]
pub struct NodeRuns {
    pub version: u32,
    pub main: String,
    pub pre: Option<String>,
    pub post: Option<String>,
    pub conditions: PhaseConditions,
}

/// `using: docker`
#[derive(Clone, Debug)]
pub struct DockerRuns {
    pub image: DockerImage,
    pub entrypoint: Option<String>,
    pub pre_entrypoint: Option<String>,
    pub post_entrypoint: Option<String>,
    pub args: Vec<Template>,
    pub env: NamedTemplates,
    pub conditions: PhaseConditions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerImage {
    /// `docker://alpine:3`, without the prefix.
    Reference(String),
    /// Relative to the action's folder.
    Dockerfile(String),
}

/// `using: native`: the names by which the executor knows the phases.
#[derive(Clone, Debug)]
pub struct NativeRuns {
    pub main: String,
    pub pre: Option<String>,
    pub post: Option<String>,
    pub conditions: PhaseConditions,
}

/// `pre-if` and `post-if`; `None` stands for `always()`.
#[derive(Clone, Debug, Default)]
pub struct PhaseConditions {
    pub pre: Option<Expression>,
    pub post: Option<Expression>,
}

/// Where an action lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionHome {
    /// In the executor itself, which answers for it.
    Native,
    /// In this folder, absolute, as the job sees it.
    Folder(String),
}

/// What became of an `action.yml`.
#[derive(Clone, Debug)]
pub struct ParsedManifest {
    /// There only if no diagnostic is an error.
    pub manifest: Option<Manifest>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Manifest {
    /// Reads the `action.yml` in `source`; `path` names it in messages, `home` says whether it may be native.
    pub fn parse(source: &str, path: &str, home: &ActionHome) -> ParsedManifest {
        read::manifest(source, path, home)
    }

    pub fn input(&self, name: &str) -> Option<&ActionInput> {
        self.inputs
            .iter()
            .find(|it| it.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn conditions(&self) -> Option<&PhaseConditions> {
        match &self.runs {
            Runs::Node(NodeRuns { conditions, .. })
            | Runs::Docker(DockerRuns { conditions, .. })
            | Runs::Native(NativeRuns { conditions, .. }) => Some(conditions),
            Runs::Composite(_) => None,
        }
    }

    pub(crate) fn has_pre(&self) -> bool {
        match &self.runs {
            Runs::Node(it) => it.pre.is_some(),
            Runs::Docker(it) => it.pre_entrypoint.is_some(),
            Runs::Native(it) => it.pre.is_some(),
            Runs::Composite(_) => false,
        }
    }

    pub(crate) fn has_post(&self) -> bool {
        match &self.runs {
            Runs::Node(it) => it.post.is_some(),
            Runs::Docker(it) => it.post_entrypoint.is_some(),
            Runs::Native(it) => it.post.is_some(),
            Runs::Composite(_) => false,
        }
    }

    pub(crate) fn steps(&self) -> &[Step] {
        match &self.runs {
            Runs::Composite(steps) => steps,
            Runs::Node(_) | Runs::Docker(_) | Runs::Native(_) => &[],
        }
    }
}
