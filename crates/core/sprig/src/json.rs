//! JSON as Go's `encoding/json` reads and writes it.

mod read;
mod write;

pub use read::{JsonError, read};
pub(crate) use write::text;
pub use write::{Escape, Form, Layout, write};
