//! The pure half of the cluster's controllers: deployments, endpoints, scheduling, garbage.
//!
//! Each controller looks at objects and answers with a [`Plan`]: exact actions,
//! and when to look again. Plans print, carry no I/O, and take the time as an
//! argument; `services/workloads` carries them out.

mod amount;
mod meta;
mod ranking;

pub mod action;
pub mod cache;
pub mod deployment;
pub mod endpoints;
pub mod garbage;
pub mod namespace;
pub mod node;
pub mod pod;
pub mod replica_set;
pub mod schedule;
pub mod selector;

pub use action::{Action, Kind, Plan, Target};
pub use deployment::Deployment;
pub use meta::{Condition, Key, Labels, Meta, Object, OwnerReference, condition, is_true, whole_seconds};
pub use node::Node;
pub use pod::Pod;
pub use replica_set::ReplicaSet;
