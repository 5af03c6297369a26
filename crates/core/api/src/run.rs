//! A run of a workflow, as people and other services see it.

use names::{CommitId, Digest, EnvironmentName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AnnotationLevel, Record};

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
    /// Jobs that somebody wants to end while the others go on.
    #[serde(default)]
    pub cancel_jobs: Vec<JobCancel>,
    /// Jobs that somebody wants to run again while the others go on.
    #[serde(default)]
    pub again: Vec<JobsAgain>,
    /// Runs of one project in one group follow each other.
    #[serde(default)]
    pub concurrency: Option<String>,
    /// Counts from 1; a run that is started again is the same run.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// The request that started it, for those that must not start twice.
    #[serde(default)]
    pub cause: Option<String>,
    /// The state machine of the run, opaque to all but the pipeline service.
    #[serde(default)]
    pub machine: serde_json::Value,
}

fn first_attempt() -> u32 {
    1
}

/// A job that is to end before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCancel {
    /// As in [`Job::id`].
    pub job: String,
    pub reason: String,
}

/// Jobs that are to run again while the run goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsAgain {
    /// As in [`Job::id`]; none are all that failed.
    #[serde(default)]
    pub job: Option<String>,
}

/// A remark that a step made, perhaps at a place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    pub level: AnnotationLevel,
    pub message: String,
    #[serde(default)]
    pub title: Option<String>,
    /// Relative to the top of the repository.
    #[serde(default)]
    pub file: Option<String>,
    #[serde(default)]
    pub line: Option<u64>,
    #[serde(default)]
    pub end_line: Option<u64>,
    #[serde(default)]
    pub column: Option<u64>,
    #[serde(default)]
    pub end_column: Option<u64>,
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
    /// Remarks about the job as a whole, such as a version of an action that moved.
    #[serde(default)]
    pub annotations: Vec<Annotation>,
    /// The whole log once the job is over; before that it is read live.
    #[serde(default)]
    pub log: Option<Digest>,
}

/// The number under which a job's log holds what comes before its first step.
pub const SET_UP_SECTION: u32 = u32::MAX - 1;

/// The number under which a job's log holds what comes after its last step.
pub const COMPLETE_SECTION: u32 = u32::MAX;

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    /// The number of the step in the job's log; without one it is its place among the steps.
    #[serde(default)]
    pub section: Option<u32>,
    /// How deep it lies inside other steps.
    #[serde(default)]
    pub depth: u32,
    pub status: Status,
    pub conclusion: Option<Conclusion>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub exit_code: Option<i32>,
    #[serde(default)]
    pub annotations: Vec<Annotation>,
    /// Markdown that the step wrote for people, secrets masked.
    #[serde(default)]
    pub summary: Option<Digest>,
    #[serde(default)]
    pub started: Option<Timestamp>,
    #[serde(default)]
    pub finished: Option<Timestamp>,
}

impl Job {
    /// The number under which the job's log holds the output of the step at `place`.
    pub fn section(&self, place: usize) -> u32 {
        let own = self.steps.get(place).and_then(|step| step.section);
        own.unwrap_or_else(|| u32::try_from(place).unwrap_or(u32::MAX))
    }
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
