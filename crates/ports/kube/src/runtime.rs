//! Follows objects: watches that survive broken connections.

pub mod streams;
pub mod watcher;

pub use self::{streams::WatchStreamExt, watcher::watcher};
