//! Follows objects: watches that survive broken connections.

pub mod utils;
pub mod watcher;

pub use self::{utils::WatchStreamExt, watcher::watcher};
