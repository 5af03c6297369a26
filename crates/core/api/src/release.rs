//! A release: what one environment was asked to run, and how that went.

use std::fmt;

use names::{CommitId, Digest, EnvironmentName, ProjectName, ReleaseId, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// Everything that the jobs of one run deployed to one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    pub id: ReleaseId,
    pub run: RunId,
    pub commit: CommitId,
    /// The jobs of the run that deployed; the release is judged when all of them are over.
    pub jobs: Vec<String>,
    pub state: ReleaseState,
    /// In the order in which the objects were first touched.
    pub changes: Vec<Change>,
    /// Every image that was asked for, and what it was pinned to.
    pub images: Vec<ReleasedImage>,
    pub workloads: Vec<WorkloadStatus>,
    /// Where the Services of the release answer.
    pub addresses: Vec<ServiceAddress>,
    /// Why it failed, if it did.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// The release that was brought back instead of this one.
    #[serde(default)]
    pub rolled_back_to: Option<ReleaseId>,
    /// What could not be restored or deleted while going back; empty if all went well.
    #[serde(default)]
    pub leftovers: Vec<String>,
    pub created: Timestamp,
    /// When a workload was last applied; the patience with it counts from here.
    pub applied: Timestamp,
    #[serde(default)]
    pub finished: Option<Timestamp>,
}

/// Where a release stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// Applied, not yet judged.
    Deploying,
    Healthy,
    /// Bad, and the objects are as it left them: there was nothing to go back to.
    Failed,
    /// Bad; the objects are being restored.
    RollingBack,
    /// Bad, and everything is again as before it.
    RolledBack,
    /// A newer release replaced it before it was judged.
    Superseded,
}

impl ReleaseState {
    /// Whether nothing will change any more by itself.
    pub fn is_final(self) -> bool {
        match self {
            Self::Deploying | Self::RollingBack => false,
            Self::Healthy | Self::Failed | Self::RolledBack | Self::Superseded => true,
        }
    }
}

impl fmt::Display for ReleaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deploying => "deploying",
            Self::Healthy => "healthy",
            Self::Failed => "failed",
            Self::RollingBack => "rolling back",
            Self::RolledBack => "rolled back",
            Self::Superseded => "superseded",
        })
    }
}

/// Names one object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Group and version, e.g. `apps/v1`.
    pub api_version: String,
    pub kind: String,
    /// The name of the kind in paths, e.g. `deployments`.
    pub plural: String,
    #[serde(default)]
    pub namespace: Option<String>,
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// What a release did to one object: digests of the object as JSON, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub object: ObjectRef,
    /// `None` if the release made the object.
    pub before: Option<Digest>,
    /// `None` if the release deleted it.
    pub after: Option<Digest>,
}

/// An image as it was written and what it was pinned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedImage {
    /// As the manifest had it, e.g. `shop:latest`.
    pub reference: String,
    pub digest: Digest,
}

/// How far a workload of the release is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadStatus {
    pub object: ObjectRef,
    pub desired: u32,
    pub updated: u32,
    pub ready: u32,
    /// In words, e.g. `2 of 3 ready`.
    pub message: String,
}

/// Where a Service answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAddress {
    pub service: String,
    /// E.g. `http://10.96.0.14:80`.
    pub url: String,
}

/// Why a release failed, as far as it could be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// A stable code such as `LF-D0101`; `landfall explain CODE` says more.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// What was seen: events, exit codes, last lines of output.
    pub evidence: Vec<String>,
    /// Commands or edits that lead on.
    pub help: Vec<String>,
}

impl Release {
    pub fn key_of(id: &ReleaseId) -> String {
        format!("{}{:010}", Self::prefix_of(&id.project, &id.environment), id.number)
    }

    /// The keys of all releases of an environment begin with this.
    pub fn prefix_of(project: &ProjectName, environment: &EnvironmentName) -> String {
        format!("{project}/{environment}/")
    }
}

impl Record for Release {
    const KIND: &'static str = "release";

    fn key(&self) -> String {
        Self::key_of(&self.id)
    }
}
