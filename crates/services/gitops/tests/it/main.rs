//! The service against the API server of the cluster.

mod files;
mod webhook;
mod world;
