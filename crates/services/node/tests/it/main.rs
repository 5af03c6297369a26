//! The node agent with a real API server, real sandboxes and a busybox image.
//!
//! Needs root and busybox; each test has a bridge, an address range and a spawner of its own.

mod adoption;
mod failures;
mod pods;
mod streams;
mod world;

sandbox::act_as_spawner!();
