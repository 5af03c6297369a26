//! The client for any Kubernetes API: requests, watches, kubeconfigs.
//!
//! Objects stay JSON: no kind's type is compiled in, so a client costs little to build and each
//! part reads from an object what it needs. The names are those of the `kube` crate where both
//! have the same thing.

pub mod api;
pub mod client;
pub mod config;
mod error;
mod object;
pub mod runtime;

pub use api::Api;
pub use client::Client;
pub use config::Config;
pub use error::{Error, Result, Status};

/// What objects and kinds are to the client.
pub mod core {
    pub use crate::object::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta};
}
