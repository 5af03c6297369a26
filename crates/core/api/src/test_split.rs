//! What jobs need to share tests out: what is known of their times, and what one run was told.

use names::{Digest, ProjectName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// The newest reports of a project, from which times are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestHistory {
    pub project: ProjectName,
    /// The newest first; at most [`TestHistory::REPORTS_MAX`].
    pub reports: Vec<TestHistoryEntry>,
}

/// One report of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestHistoryEntry {
    /// As [`crate::Record::key`] of the report has it.
    pub report: String,
    pub cases: Digest,
    pub at: Timestamp,
}

impl TestHistory {
    /// A few runs of a job with many legs.
    pub const REPORTS_MAX: usize = 100;
}

impl Record for TestHistory {
    const KIND: &'static str = "test-history";

    fn key(&self) -> String {
        self.project.to_string()
    }
}

/// What was told to the jobs of one run that share their tests out; the same for all, also in a re-run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestSplit {
    pub run: RunId,
    /// JSON: the times by test.
    pub timings: Digest,
    /// Jobs that asked, without the number of their leg.
    pub jobs: Vec<String>,
}

impl TestSplit {
    pub fn key_of(run: &RunId) -> String {
        format!("{}/{:010}", run.project, run.number)
    }
}

impl Record for TestSplit {
    const KIND: &'static str = "test-split";

    fn key(&self) -> String {
        Self::key_of(&self.run)
    }
}

/// A re-run of a run that shall run only the tests that failed before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestRerun {
    pub run: RunId,
    /// The attempts at the whole run for which this holds.
    pub attempts: Vec<u32>,
}

impl Record for TestRerun {
    const KIND: &'static str = "test-rerun";

    fn key(&self) -> String {
        TestSplit::key_of(&self.run)
    }
}
