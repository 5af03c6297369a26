//! Other registries: pulling from them and pushing to them.

mod artifact;
mod auth;
mod client;
mod pull;
mod push;

pub use artifact::{Artifact, Part, tags as artifact_tags};
pub use client::{Client, RemoteError};
pub use pull::PullError;
pub use push::{Place, PushError, Pushed};
