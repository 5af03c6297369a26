//! An agent: makes the apps of one project in a cluster elsewhere follow Git.

use names::{ProjectName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// A cluster that an agent may come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterAgent {
    pub project: ProjectName,
    /// The name by which apps choose the cluster.
    pub cluster: String,
    /// When its latest token was made.
    pub since: Timestamp,
}

impl ClusterAgent {
    /// Under which key the agent of a project in a cluster is known.
    pub fn key_of(project: &str, cluster: &str) -> String {
        format!("{project}@{cluster}")
    }
}

impl Record for ClusterAgent {
    const KIND: &'static str = "agent";

    fn key(&self) -> String {
        Self::key_of(self.project.as_str(), &self.cluster)
    }
}
