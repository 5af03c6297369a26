//! Concurrency groups: one holder at a time.

use names::{Digest, ProjectName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// Who holds a group of a project, and who wants it next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConcurrencyGroup {
    pub project: ProjectName,
    /// In lower case: groups are compared without regard to case.
    pub name: String,
    pub holder: Option<GroupMember>,
    /// The next first.
    pub waiting: Vec<GroupMember>,
}

/// A run, or a part of one, that holds or wants a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    pub run: RunId,
    /// Empty for the run as a whole, else `job ID` or `called ID`.
    pub holder: String,
    pub since: Timestamp,
}

impl ConcurrencyGroup {
    pub fn key_of(project: &ProjectName, name: &str) -> String {
        // Groups are named by any text; the digest is safe as a key.
        format!("{project}/{}", Digest::of(name.as_bytes()).hex())
    }
}

impl Record for ConcurrencyGroup {
    const KIND: &'static str = "concurrency-group";

    fn key(&self) -> String {
        Self::key_of(&self.project, &self.name)
    }
}
