//! Times as people read them in tables.

use names::{Timestamp, format_duration};

/// How long ago something was: `3m 5s ago`.
pub fn ago(at: Timestamp) -> String {
    format!("{} ago", format_duration(store::now().since(at)))
}

/// How long something took, or takes since it started; nothing if it has not.
pub fn took(started: Option<Timestamp>, finished: Option<Timestamp>) -> String {
    let Some(started) = started else { return String::new() };
    let span = finished.unwrap_or_else(store::now).since(started);
    let open = if finished.is_none() { "…" } else { "" };
    format!("{}{open}", format_duration(span))
}
