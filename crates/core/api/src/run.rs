//! A run of a workflow, as people and other services see it.

use names::{CommitId, Digest, EnvironmentName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// Where a run, a job or a step stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not started; the reason says what it waits for.
    #[default]
    Queued,
    Running,
    /// Over; the conclusion says how.
    Completed,
}

/// How a run, a job or a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    Success,
    Failure,
    Cancelled,
    Skipped,
}

impl std::fmt::Display for Conclusion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        })
    }
}

/// One run of one workflow file for one commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub id: RunId,
    /// The number of the push that started it.
    pub push: u64,
    /// The workflow file, e.g. `.github/workflows/ci.yml`.
    pub workflow: String,
    /// What the workflow calls itself, else its file.
    pub name: String,
    pub event: String,
    pub git_ref: String,
    pub commit: CommitId,
    pub subject: String,
    pub author: String,
    pub status: Status,
    pub conclusion: Option<Conclusion>,
    /// Why it waits, failed or was refused, in words.
    #[serde(default)]
    pub reason: Option<String>,
    pub jobs: Vec<Job>,
    pub created: Timestamp,
    #[serde(default)]
    pub started: Option<Timestamp>,
    #[serde(default)]
    pub finished: Option<Timestamp>,
    /// Set by whoever wants the run to end; the executor sees it and stops the jobs.
    #[serde(default)]
    pub cancel: bool,
    /// Runs of one project in one group follow each other.
    #[serde(default)]
    pub concurrency: Option<String>,
    /// The state machine of the run, opaque to all but the pipeline service.
    #[serde(default)]
    pub machine: serde_json::Value,
}

/// One job of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Unique within the run: the id in the file, with a suffix for a matrix leg.
    pub id: String,
    /// What people see.
    pub name: String,
    pub status: Status,
    pub conclusion: Option<Conclusion>,
    /// Why it waits, was skipped or failed, in words.
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default)]
    pub started: Option<Timestamp>,
    #[serde(default)]
    pub finished: Option<Timestamp>,
    pub steps: Vec<Step>,
    /// The whole log once the job is over; before that it is read live.
    #[serde(default)]
    pub log: Option<Digest>,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub status: Status,
    pub conclusion: Option<Conclusion>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub exit_code: Option<i32>,
    #[serde(default)]
    pub started: Option<Timestamp>,
    #[serde(default)]
    pub finished: Option<Timestamp>,
}

impl Run {
    pub fn key_of(id: &RunId) -> String {
        format!("{}/{:010}", id.project, id.number)
    }
}

impl Record for Run {
    const KIND: &'static str = "run";

    fn key(&self) -> String {
        Self::key_of(&self.id)
    }
}
