//! OCI images as values: manifests, indexes, configs, platforms, whiteouts, local names.
//!
//! What a digest names are exact bytes, so nothing here writes a foreign
//! document again: it is read into a view, and the bytes travel beside it.
//! Fields nobody knows are kept when a config is carried on to a new image.

mod config;
mod descriptor;
mod document;
pub mod media;
mod naming;
mod platform;
pub mod whiteout;

pub use config::{Config, Healthcheck, History, RootFs, RunConfig};
pub use descriptor::Descriptor;
pub use document::{Document, Index, MAX_MANIFEST_BYTES, Manifest, ParseDocumentError};
pub use naming::{local_ref, local_repository};
pub use platform::{Platform, select};
