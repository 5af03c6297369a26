//! What a job that succeeded did with which inputs, so that a job with the same need not run.

use names::{CommitId, Digest, ProjectName, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// The proof that a job succeeded with some inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobProof {
    pub run: RunId,
    pub job: String,
    pub commit: CommitId,
    /// Of everything that the job depends on.
    pub key_digest: Digest,
    /// The digests of the parts, by their names, to tell what differs.
    pub parts: Vec<(String, Digest)>,
    /// The files with the ids of their content; those beyond [`JobProof::FILES_MAX`] are only counted.
    pub files: Vec<(String, String)>,
    pub file_count: u64,
    /// There once the job has succeeded.
    #[serde(default)]
    pub outcome: Option<JobProofOutcome>,
    pub created: Timestamp,
}

/// What the job left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobProofOutcome {
    pub outputs: Vec<(String, String)>,
    /// The keys of its artifacts.
    pub artifacts: Vec<String>,
}

impl JobProof {
    /// More files are not told one by one.
    pub const FILES_MAX: usize = 2000;

    pub fn key_of(project: &ProjectName, digest: Digest) -> String {
        format!("{project}/{}", digest.hex())
    }
}

impl Record for JobProof {
    const KIND: &'static str = "job-proof";

    fn key(&self) -> String {
        Self::key_of(&self.run.project, self.key_digest)
    }
}

/// What a job that runs will prove if it succeeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobClaim(pub JobProof);

impl JobClaim {
    pub fn key_of(run: &RunId, job: &str) -> String {
        format!("{}/{:010}/{job}", run.project, run.number)
    }
}

impl Record for JobClaim {
    const KIND: &'static str = "job-claim";

    fn key(&self) -> String {
        Self::key_of(&self.0.run, &self.0.job)
    }
}
