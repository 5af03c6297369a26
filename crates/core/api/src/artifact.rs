//! Artifacts: files that a run keeps for its later jobs and for people.

use names::{Digest, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// One artifact of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    pub run: RunId,
    /// Unique in the installation, and larger than those of older artifacts.
    pub number: u64,
    /// Unique within the attempt of the run.
    pub name: String,
    /// The job that made it.
    pub job: String,
    pub attempt: u32,
    /// E.g. `application/zip`; other types are single files that were not packed.
    pub media_type: String,
    pub content: ArtifactContent,
    pub size_bytes: u64,
    pub created: Timestamp,
    /// After this it is deleted.
    pub expires: Timestamp,
}

/// Where the bytes of an artifact are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ArtifactContent {
    Uploading { upload: String },
    Stored { digest: Digest },
}

impl Artifact {
    pub fn key_of(run: &RunId, attempt: u32, name: &str) -> String {
        format!("{}{attempt:04}/{name}", Self::prefix_of(run))
    }

    /// The keys of all artifacts of a run begin with this.
    pub fn prefix_of(run: &RunId) -> String {
        format!("{}/{:010}/", run.project, run.number)
    }

    /// The bytes, once they are all there.
    pub fn digest(&self) -> Option<Digest> {
        match self.content {
            ArtifactContent::Stored { digest } => Some(digest),
            ArtifactContent::Uploading { .. } => None,
        }
    }

    /// The name of the file that people download.
    pub fn file_name(&self) -> String {
        match self.media_type.as_str() {
            "application/zip" => format!("{}.zip", self.name),
            _ => self.name.clone(),
        }
    }
}

impl Record for Artifact {
    const KIND: &'static str = "artifact";

    fn key(&self) -> String {
        Self::key_of(&self.run, self.attempt, &self.name)
    }
}
