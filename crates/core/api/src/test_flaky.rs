//! Tests that passed and failed with the same commit.

use names::{CommitId, Digest, ProjectName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// A test that is known to be flaky, with what proves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlakyTest {
    pub project: ProjectName,
    /// As [`crate::TestCase::id`] has it.
    pub id: String,
    /// The workflow and the job that it runs in.
    pub variant: String,
    #[serde(default)]
    pub file: Option<String>,
    #[serde(default)]
    pub line: Option<u64>,
    /// How many commits prove it.
    pub commits: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The newest first; at most [`FlakyTest::EVIDENCE_MAX`].
    pub evidence: Vec<FlakyEvidence>,
}

/// One commit with which a test had both outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlakyEvidence {
    pub commit: CommitId,
    pub failed: TestedBy,
    pub passed: TestedBy,
    /// Why it failed, cut to a length.
    #[serde(default)]
    pub message: String,
    pub at: Timestamp,
}

/// One attempt at one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestedBy {
    pub run: RunId,
    pub job: String,
    pub attempt: u32,
}

impl std::fmt::Display for TestedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} attempt {}", self.run, self.job, self.attempt)
    }
}

impl FlakyTest {
    /// Enough to see a habit.
    pub const EVIDENCE_MAX: usize = 10;

    pub fn prefix_of(project: &ProjectName) -> String {
        format!("{project}/")
    }

    pub fn key_of(project: &ProjectName, variant: &str, id: &str) -> String {
        let name = Digest::of([variant, id].join("\0").as_bytes());
        format!("{}{}", Self::prefix_of(project), name.hex())
    }
}

impl Record for FlakyTest {
    const KIND: &'static str = "flaky-test";

    fn key(&self) -> String {
        Self::key_of(&self.project, &self.variant, &self.id)
    }
}
