//! What runs keep: artifacts for people and later jobs, caches for later runs.
//!
//! The bytes lie in a blob home of their own, because they are deleted when
//! their time is over; the registry's layers never are. A blob that several
//! entries share stays as long as one of them needs it.

mod artifacts;
mod caches;
mod holdings;
mod reach;
mod trees;

pub use artifacts::{ARTIFACT_BYTES_MAX, ArtifactError, Artifacts, NewArtifact, RETENTION, RETENTION_MAX, check_name, number};
pub use caches::{
    CACHE_AGE_MAX, CACHE_BYTES_MAX, CacheError, CacheName, Caches, ENTRY_BYTES_MAX, KEY_LENGTH_MAX, KEYS_MAX,
    PROJECT_BYTES_MAX, check_key,
};
pub use holdings::{Holdings, KeepError, upload_name};
pub use reach::Reach;
pub use trees::{SavedTree, TreeError, Trees};
