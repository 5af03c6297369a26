//! The delivery suite once more, against a real Kubernetes whose pods Landfall's own node runs.
//!
//! `cargo xtask test` builds the control plane in `tests/real-cluster` and names
//! it by `LANDFALL_REAL_CLUSTER`. Each test gets a control plane of its own, on
//! an address of its own on the loopback link.

mod agent;
mod answers;
#[path = "../e2e/busybox.rs"]
mod busybox;
mod certificates;
mod control_plane;
#[path = "../e2e/drill.rs"]
mod drill;
#[path = "../e2e/evidence.rs"]
mod evidence;
#[path = "../e2e/gitops.rs"]
mod gitops;
mod home;
#[path = "../e2e/installation.rs"]
mod installation;
#[path = "../e2e/kubectl.rs"]
mod kubectl;
#[path = "../e2e/program.rs"]
mod program;
mod questions;
#[path = "../e2e/repository.rs"]
mod repository;
#[path = "../e2e/restart.rs"]
mod restart;
#[path = "../e2e/rollback.rs"]
mod rollback;
#[path = "../e2e/rollouts.rs"]
mod rollouts;
#[path = "../e2e/shop.rs"]
mod shop;
#[path = "../e2e/wait.rs"]
mod wait;
