//! Environments: their rules, and leave to use them.

use names::{EnvironmentName, ProjectName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// What a job must meet before it may use an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRules {
    pub project: ProjectName,
    pub environment: EnvironmentName,
    /// Whether somebody must approve each use.
    #[serde(default)]
    pub needs_approval: bool,
    /// How long a job waits once nothing else forbids it.
    #[serde(default)]
    pub wait_minutes: u32,
    /// Patterns of branches and tags that may use it; none allow all.
    #[serde(default)]
    pub branches: Vec<String>,
}

/// The wish of one job to use an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub run: RunId,
    /// As in [`crate::Job::id`].
    pub job: String,
    pub environment: EnvironmentName,
    pub state: ApprovalState,
    pub asked: Timestamp,
    #[serde(default)]
    pub by: Option<String>,
    #[serde(default)]
    pub comment: Option<String>,
}

/// Where a wish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    Waiting,
    Approved,
    Rejected,
}

impl EnvironmentRules {
    pub fn key_of(project: &ProjectName, environment: &EnvironmentName) -> String {
        format!("{project}/{environment}")
    }
}

impl Record for EnvironmentRules {
    const KIND: &'static str = "environment-rules";

    fn key(&self) -> String {
        Self::key_of(&self.project, &self.environment)
    }
}

impl Approval {
    /// In place of a job: the run as a whole, when code from a fork is held.
    pub const RUN: &'static str = "*";

    /// The keys of all approvals of a run begin with this.
    pub fn prefix_of(run: &RunId) -> String {
        format!("{}/{:010}/", run.project, run.number)
    }
}

impl Record for Approval {
    const KIND: &'static str = "approval";

    fn key(&self) -> String {
        format!("{}{}", Self::prefix_of(&self.run), self.job)
    }
}
