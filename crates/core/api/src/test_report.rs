//! What the tests of one attempt at one job came to.

use names::{CommitId, Digest, ProjectName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Record, TestCase, TestCounts};

/// The test reports of one attempt at one job, read together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    pub run: RunId,
    pub commit: CommitId,
    /// The workflow file.
    pub workflow: String,
    /// As [`crate::Job::id`] has it.
    pub job: String,
    /// The attempt at the job; a later one of the same job takes its place.
    pub attempt: u32,
    /// Whether the code came from people who may change the project.
    pub trusted: bool,
    pub counts: TestCounts,
    /// The job was asked for tests that failed before, so the others may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The job took a share of the tests, so another leg may run a test the next time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub split: bool,
    /// The first of those that failed.
    #[serde(default)]
    pub failed: Vec<TestCase>,
    /// How many more failed than are told here.
    #[serde(default)]
    pub failed_more: u64,
    /// Those that failed and passed within the job.
    #[serde(default)]
    pub flaky: Vec<TestCase>,
    /// All cases, a JSON list of [`TestCase`].
    pub cases: Digest,
    /// What was read, with the time and size by which a change is seen.
    pub files: Vec<TestReportFile>,
    pub created: Timestamp,
}

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReportFile {
    /// Below the workspace.
    pub path: String,
    pub digest: Digest,
    /// Why not all of it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl TestReport {
    /// The keys of all reports of a commit begin with this.
    pub fn prefix_of(project: &ProjectName, commit: CommitId) -> String {
        format!("{project}/{commit}/")
    }

    /// The keys of all reports of a run begin with this.
    pub fn prefix_of_run(run: &RunId, commit: CommitId) -> String {
        format!("{}{:010}/", Self::prefix_of(&run.project, commit), run.number)
    }

    pub fn key_of(run: &RunId, commit: CommitId, job: &str, attempt: u32) -> String {
        format!("{}{job}/{attempt:06}", Self::prefix_of_run(run, commit))
    }

    /// The job without the number of its leg.
    pub fn job_base(&self) -> &str {
        match self.job.rsplit_once('.') {
            Some((base, leg)) if leg.bytes().all(|it| it.is_ascii_digit()) => base,
            _ => &self.job,
        }
    }

    /// What else must be the same for two outcomes of a test to be compared.
    pub fn variant(&self) -> String {
        let job = if self.split { self.job_base() } else { &self.job };
        format!("{} {job}", self.workflow)
    }
}

impl Record for TestReport {
    const KIND: &'static str = "test-report";

    fn key(&self) -> String {
        Self::key_of(&self.run, self.commit, &self.job, self.attempt)
    }
}
