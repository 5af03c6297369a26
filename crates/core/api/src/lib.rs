//! The records that services exchange, one file per kind.
//!
//! A record is what a service knows and others may watch. It is stored as JSON
//! under its kind and key; fields are only ever added.

mod image;
mod push;
mod release;
mod run;

pub use image::{BuildStep, ImageManifest, ImageTag};
pub use push::{Project, Push};
pub use release::{
    Cause, Change, ObjectRef, Release, ReleaseState, ReleasedImage, ServiceAddress, WorkloadStatus,
};
pub use run::{Conclusion, Job, Run, Status, Step};

/// A kind of record: where it is stored and under which key.
pub trait Record: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind in the store.
    const KIND: &'static str;

    /// The key of this record; keys of one kind sort as their records should be listed.
    fn key(&self) -> String;
}
