//! Objects of any Kubernetes cluster as JSON: read, write, apply, and what kinds there are.
//!
//! Only the address of the cluster differs between the embedded one and any other.

mod discovery;
mod kube_api;
mod target;

pub use discovery::{Discovery, Served};
pub use kube_api::{ClusterError, DryRun, KubeApi, read};
pub use target::{Target, collection_of, is_write, path_of};
