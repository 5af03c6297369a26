//! Names of the things Landfall handles: digests, image references, commits, projects, times.
//!
//! Text becomes a name only by parsing, so whoever holds one may use it in a
//! path, a URL or a record key without checking it again.

mod commit;
mod digest;
mod image_ref;
mod project;
mod run;
mod spelling;
mod time;

pub use commit::{CommitId, ParseCommitError};
pub use digest::{Digest, ParseDigestError};
pub use image_ref::{ImageRef, ParseImageRefError, Tag};
pub use project::{EnvironmentName, ParseNameError, ProjectName};
pub use run::{ParseRunIdError, ReleaseId, RunId};
pub use spelling::{edits, slips};
pub use time::{ParseDurationError, Timestamp, format_duration, parse_duration};

/// Implements serde through `Display` and `FromStr`, so a name is text in every format.
macro_rules! serde_as_text {
    ($($name:ty),+ $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

serde_as_text!(
    CommitId,
    Digest,
    EnvironmentName,
    ImageRef,
    ProjectName,
    ReleaseId,
    RunId,
    Tag,
    Timestamp,
);
