//! Images: what the registry knows of tags and manifests, and what a build step made.

use names::{CommitId, Digest, RunId, Tag, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// A tag of a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageTag {
    pub repository: String,
    pub tag: Tag,
    /// The manifest or index that the tag names.
    pub digest: Digest,
    pub pushed: Timestamp,
    /// The run whose job pushed it, and the commit of that run.
    #[serde(default)]
    pub run: Option<RunId>,
    #[serde(default)]
    pub commit: Option<CommitId>,
}

impl ImageTag {
    pub fn key_of(repository: &str, tag: &Tag) -> String {
        format!("{repository}:{tag}")
    }
}

impl Record for ImageTag {
    const KIND: &'static str = "image-tag";

    fn key(&self) -> String {
        Self::key_of(&self.repository, &self.tag)
    }
}

/// A manifest or index that is visible in a repository; its bytes are a blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageManifest {
    pub repository: String,
    pub digest: Digest,
    pub media_type: String,
    pub size_bytes: u64,
    /// The manifest that this one speaks about (signature, bill of materials).
    #[serde(default)]
    pub subject: Option<Digest>,
    pub pushed: Timestamp,
    #[serde(default)]
    pub run: Option<RunId>,
    #[serde(default)]
    pub commit: Option<CommitId>,
}

impl ImageManifest {
    pub fn key_of(repository: &str, digest: Digest) -> String {
        format!("{repository}@{digest}")
    }
}

impl Record for ImageManifest {
    const KIND: &'static str = "image-manifest";

    fn key(&self) -> String {
        Self::key_of(&self.repository, self.digest)
    }
}

/// What one step of a build made: the cache of the builder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildStep {
    /// The cache key of the step.
    pub step: Digest,
    /// The layer blob, its uncompressed digest and size; `None` for a step without changes.
    pub layer: Option<(Digest, Digest, u64)>,
    pub built: Timestamp,
}

impl Record for BuildStep {
    const KIND: &'static str = "build-step";

    fn key(&self) -> String {
        self.step.hex()
    }
}
