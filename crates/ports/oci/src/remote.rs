//! Other registries: pulling from them and pushing to them.

mod auth;
mod client;
mod pull;
mod push;

pub use client::{Client, RemoteError};
pub use pull::PullError;
pub use push::{Place, PushError, Pushed};
