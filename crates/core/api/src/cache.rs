//! Caches: what jobs keep for the jobs of later runs.

use names::{Digest, ProjectName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Record;

/// One cache entry. Once it is ready its content never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheEntry {
    pub project: ProjectName,
    /// The ref whose jobs saved it, e.g. `refs/heads/main`.
    pub scope: String,
    pub key: String,
    /// A digest of the paths and the way of packing: entries of other versions never match.
    pub version: String,
    pub content: CacheContent,
    pub size_bytes: u64,
    pub created: Timestamp,
    pub used: Timestamp,
}

/// Where the bytes of an entry are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CacheContent {
    /// On their way; whoever reserved the entry has until then.
    Reserved { upload: String, until: Timestamp },
    /// An archive, as GitHub's client packs it.
    Archive { digest: Digest },
    /// Folders that can be mounted, one for each path that was saved.
    Trees {
        trees: Vec<CachedTree>,
        packing: Packing,
        /// The same as an archive, once somebody wanted it so.
        #[serde(default)]
        archive: Option<Digest>,
    },
}

/// How GitHub's client packs archives of an entry; its version tells entries of two packings apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    Zstd,
    Gzip,
}

impl CacheContent {
    /// The blob with all that was saved, if there is one.
    pub fn archive(&self) -> Option<Digest> {
        match self {
            Self::Archive { digest } => Some(*digest),
            Self::Trees { archive, .. } => *archive,
            Self::Reserved { .. } => None,
        }
    }
}

/// One saved path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedTree {
    /// As archives name it: relative to the workspace, perhaps leading up.
    pub path: String,
    pub tree: Digest,
}

impl CacheEntry {
    /// Entries are unique by scope, key and version within a project.
    pub fn key_of(project: &ProjectName, scope: &str, key: &str, version: &str) -> String {
        let name = Digest::of([scope, key, version].join("\0").as_bytes());
        format!("{project}/{}", name.hex())
    }

    /// A number for interfaces that want one; small enough for JavaScript.
    pub fn number(&self) -> u64 {
        let hex = Digest::of(self.key().as_bytes()).hex();
        // Twelve hex digits are 48 bits.
        u64::from_str_radix(&hex[..12], 16).unwrap_or_default()
    }

    pub fn is_ready(&self) -> bool {
        match self.content {
            CacheContent::Reserved { .. } => false,
            CacheContent::Archive { .. } | CacheContent::Trees { .. } => true,
        }
    }
}

impl Record for CacheEntry {
    const KIND: &'static str = "cache";

    fn key(&self) -> String {
        Self::key_of(&self.project, &self.scope, &self.key, &self.version)
    }
}
