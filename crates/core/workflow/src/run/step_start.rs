//! Describes a step to its executor down to the last byte.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::StepKey;
use crate::{ActionRef, action::ActionHome};

/// What a step is to do, with every expression evaluated. Never store it: it holds secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct StepStart {
    pub step: StepKey,
    /// What people see.
    pub name: String,
    pub phase: Phase,
    /// The step of a composite action (or `parallel`) inside which it runs.
    pub within: Option<usize>,
    /// Whether other steps run beside it.
    pub background: bool,
    pub work: StepWork,
    /// The whole environment; names come once.
    pub env: Env,
    /// Written before the step starts, folders made as needed; the script, the event, the empty command files.
    pub files: Vec<File>,
    /// Which of the files are read after the step.
    pub outputs: StepFiles,
    /// The run stops the step itself when this is over.
    pub timeout: Option<Duration>,
}

/// Which part of an action runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Pre,
    #[default]
    Main,
    Post,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pre => "pre",
            Self::Main => "main",
            Self::Post => "post",
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepWork {
    /// A `run` step.
    Command(CommandStep),
    /// An action that the executor carries out itself.
    Builtin(BuiltinStep),
    /// A JavaScript action. Like the next two it also gets the `ACTIONS_…` variables from the executor.
    Node(NodeStep),
    /// A Docker action.
    Container(ContainerStep),
}

#[derive(Clone, Debug, PartialEq)]
pub struct CommandStep {
    /// The program, found through `PATH` of the environment, and its arguments.
    pub argv: Vec<String>,
    /// Absolute.
    pub cwd: String,
    /// The script as the log shows it.
    pub script: String,
    /// The shell as the log shows it, e.g. `/bin/bash -e {0}`.
    pub shell: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BuiltinStep {
    pub action: ActionRef,
    /// What the manifest has at `runs.main`, `runs.pre` or `runs.post`.
    pub entry: String,
    /// Inputs by the name in the manifest, with defaults; unknown ones as written.
    pub inputs: Vec<(String, String)>,
    /// What earlier phases saved.
    pub state: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NodeStep {
    /// As the manifest says (`using: node20`): 12, 16, 20, 24. Versions below 24 run on 24 where there is no such node.
    pub version: u32,
    /// The script, absolute, as the job sees it.
    pub script: String,
    /// Absolute.
    pub cwd: String,
    pub inputs: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ContainerStep {
    pub image: ImageSource,
    pub entrypoint: Option<String>,
    pub args: Vec<String>,
    /// `/github/workspace`
    pub cwd: String,
    /// Folders of the job and where the container sees them; the environment is translated already.
    pub mounts: Vec<(String, String)>,
    pub inputs: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// Pull this.
    Reference(String),
    /// Build it; both paths are absolute, as the job sees them.
    Dockerfile { file: String, context: String },
}

/// Paths of the command files of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFiles {
    pub env: String,
    pub output: String,
    pub path: String,
    pub state: String,
    pub summary: String,
}

#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute.
    pub path: String,
    pub text: String,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({}, {} bytes)", self.path, self.text.len())
    }
}

/// Environment variables; printing shows their names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(pub Vec<(String, String)>);

impl Env {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(it, _)| it == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// An action as the executor made it ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedAction {
    /// The text of its `action.yml`. A folder with nothing but a `Dockerfile` has
    /// `runs: {using: docker, image: Dockerfile}`.
    pub manifest: String,
    pub home: ActionHome,
    /// The commit that its version meant.
    pub commit: Option<String>,
}
