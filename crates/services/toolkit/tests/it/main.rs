//! Jobs with GitHub's own client libraries against these services, over real HTTP.

mod artifacts;
mod blobs;
mod caches;
mod identity;
mod rest;
mod stage;
