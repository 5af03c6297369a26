//! The node agent: runs the pods that are bound to its node, purely against the Kubernetes API.
//!
//! [`plan`] decides what a pod needs next, a [`worker`] per pod carries it out in
//! sandboxes and tells the API how it goes. Everything that must outlive the process
//! is with the sandboxes, in the node's folder or in the pods' statuses, so an agent
//! that is started again takes over what runs.

mod actions;
mod addresses;
mod adopt;
mod agent;
mod api;
mod backoff;
mod care;
mod container;
mod context;
mod dns;
mod ending;
mod env;
mod events;
mod fault;
mod folders;
mod handler;
mod images;
mod kubelet;
mod launch;
mod links;
mod node;
mod plan;
mod pod;
mod pod_container;
mod pod_volume;
mod probe;
mod publisher;
mod quantity;
mod register;
mod seen;
mod sources;
mod status;
mod task;
mod volumes;
mod worker;

pub use actions::LONGEST_DRAIN;
pub use addresses::ParseRangeError;
pub use context::{Config, Drain};
pub use node::{Node, StartError};
