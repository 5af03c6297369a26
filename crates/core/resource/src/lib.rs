//! Kubernetes objects: kinds, schemas, patches, selectors, quantities, tables and the protobuf form.
//!
//! Everything here decides and nothing acts: an object is a [`serde_json::Value`] that comes in and
//! goes out, time is an argument. The words of messages are those of Kubernetes 1.34, because
//! people and scripts read them.

pub mod defaults;
pub mod kinds;
pub mod openapi;
pub mod ownership;
pub mod patch;
pub mod proto;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod status;
pub mod table;
pub mod validate;

pub use kinds::Kind;
