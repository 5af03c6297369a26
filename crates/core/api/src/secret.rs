//! Secrets and variables of projects.

use names::{EnvironmentName, ProjectName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// A value that jobs may use and nobody can read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSecret {
    pub project: ProjectName,
    /// Only jobs of this environment get it.
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    /// In upper case.
    pub name: String,
    /// Sealed with the key of the installation, in base64.
    pub sealed: String,
    pub updated: Timestamp,
}

/// A value that jobs may use and everybody may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectVariable {
    pub project: ProjectName,
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    /// In upper case.
    pub name: String,
    pub value: String,
    pub updated: Timestamp,
}

/// Names of environments hold no dot, so values of the whole project never collide with theirs.
fn key_of(project: &ProjectName, environment: Option<&EnvironmentName>, name: &str) -> String {
    let environment = environment.map_or_else(|| ".".to_owned(), ToString::to_string);
    format!("{project}/{environment}/{name}")
}

impl ProjectSecret {
    pub fn key_of(project: &ProjectName, environment: Option<&EnvironmentName>, name: &str) -> String {
        key_of(project, environment, name)
    }
}

impl Record for ProjectSecret {
    const KIND: &'static str = "secret";

    fn key(&self) -> String {
        key_of(&self.project, self.environment.as_ref(), &self.name)
    }
}

impl ProjectVariable {
    pub fn key_of(project: &ProjectName, environment: Option<&EnvironmentName>, name: &str) -> String {
        key_of(project, environment, name)
    }
}

impl Record for ProjectVariable {
    const KIND: &'static str = "variable";

    fn key(&self) -> String {
        key_of(&self.project, self.environment.as_ref(), &self.name)
    }
}

/// The webhook by which another forge tells what happens to a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectHook {
    pub project: ProjectName,
    /// The secret that signs deliveries, sealed, in base64.
    pub sealed: String,
    /// Where commits are fetched; else the payload says.
    #[serde(default)]
    pub clone_url: Option<String>,
    #[serde(default)]
    pub forks: Forks,
}

/// What becomes of pull requests from forks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forks {
    /// They run at once, without secrets and rights.
    #[default]
    Run,
    /// They wait until somebody has looked at them.
    Held,
}

impl Record for ProjectHook {
    const KIND: &'static str = "hook";

    fn key(&self) -> String {
        self.project.to_string()
    }
}
