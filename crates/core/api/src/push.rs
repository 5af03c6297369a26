//! What came in by Git.

use names::{CommitId, ProjectName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// A project: one repository of the Git host, one namespace of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    pub name: ProjectName,
    pub created: Timestamp,
}

impl Record for Project {
    const KIND: &'static str = "project";

    fn key(&self) -> String {
        self.name.to_string()
    }
}

/// One ref that a push moved, made or deleted; written once the objects are durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Push {
    pub project: ProjectName,
    /// Counts the pushes of the project from 1.
    pub number: u64,
    /// The full name of the ref, e.g. `refs/heads/main`.
    pub git_ref: String,
    /// [`CommitId::ZERO`] if the ref is new.
    pub before: CommitId,
    /// [`CommitId::ZERO`] if the ref is gone.
    pub after: CommitId,
    /// First line of the message of `after`.
    pub subject: String,
    pub author: String,
    pub at: Timestamp,
    /// Who pushed, e.g. `admin`.
    pub pusher: String,
    /// What is wrong in the workflow files of this commit, as it is shown to the pusher.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Why workflows of this commit did not start, in words.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The numbers of the runs that this push started; `None` until the workflows were read.
    #[serde(default)]
    pub runs: Option<Vec<u64>>,
}

impl Push {
    pub fn key_of(project: &ProjectName, number: u64) -> String {
        format!("{project}/{number:010}")
    }

    /// Whether a job pushed with its own token; such pushes start nothing, or they would never end.
    pub fn is_by_job(&self) -> bool {
        self.pusher.starts_with("job:")
    }
}

impl Record for Push {
    const KIND: &'static str = "push";

    fn key(&self) -> String {
        Self::key_of(&self.project, self.number)
    }
}
