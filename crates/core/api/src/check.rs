//! Verdicts on a commit that tools report through the interface GitHub has for it.

use names::{CommitId, ProjectName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// What one tool thinks of a commit, in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitStatus {
    pub project: ProjectName,
    pub commit: CommitId,
    /// Unique in the installation, and larger than those of older statuses.
    pub number: u64,
    /// Names the tool; the newest status of a context counts.
    pub context: String,
    pub state: StatusState,
    pub description: Option<String>,
    pub target_url: Option<String>,
    pub creator: String,
    pub created: Timestamp,
}

/// The states of a [`CommitStatus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusState {
    Error,
    Failure,
    Pending,
    Success,
}

/// What one tool found in a commit, with places in files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRun {
    pub project: ProjectName,
    pub commit: CommitId,
    /// Unique in the installation, and larger than those of older check runs.
    pub number: u64,
    pub name: String,
    pub status: CheckStatus,
    /// There once it is completed.
    pub conclusion: Option<CheckConclusion>,
    pub details_url: Option<String>,
    pub external_id: Option<String>,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub text: Option<String>,
    pub annotations: Vec<CheckAnnotation>,
    /// The run whose job reported it.
    pub run: Option<RunId>,
    pub started: Timestamp,
    #[serde(default)]
    pub completed: Option<Timestamp>,
}

/// Where a check run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Queued,
    InProgress,
    Completed,
}

/// How a check run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckConclusion {
    ActionRequired,
    Cancelled,
    Failure,
    Neutral,
    Skipped,
    Stale,
    Success,
    TimedOut,
}

/// A remark at some lines of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckAnnotation {
    pub path: String,
    pub start_line: u64,
    pub end_line: u64,
    #[serde(default)]
    pub start_column: Option<u64>,
    #[serde(default)]
    pub end_column: Option<u64>,
    pub annotation_level: AnnotationLevel,
    pub message: String,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub raw_details: Option<String>,
}

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    Notice,
    Warning,
    Failure,
}

impl CommitStatus {
    /// The keys of all statuses of a commit begin with this.
    pub fn prefix_of(project: &ProjectName, commit: CommitId) -> String {
        format!("{project}/{commit}/")
    }
}

impl Record for CommitStatus {
    const KIND: &'static str = "commit-status";

    fn key(&self) -> String {
        format!("{}{:020}", Self::prefix_of(&self.project, self.commit), self.number)
    }
}

impl CheckRun {
    pub fn key_of(project: &ProjectName, number: u64) -> String {
        format!("{project}/{number:020}")
    }
}

impl Record for CheckRun {
    const KIND: &'static str = "check-run";

    fn key(&self) -> String {
        Self::key_of(&self.project, self.number)
    }
}
