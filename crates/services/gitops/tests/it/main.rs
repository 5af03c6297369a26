//! The service against the API server of the cluster.

mod bad_input;
mod cost;
mod faults;
mod files;
mod seeds;
mod webhook;
mod world;
