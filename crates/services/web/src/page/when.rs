//! Times and spans in words.

use std::time::Duration;

use names::{Timestamp, format_duration};

/// A point in time, exact for machines and in words for people.
#[derive(Clone, Debug)]
pub struct Moment {
    /// RFC 3339.
    pub exact: String,
    /// How long ago, e.g. `3 minutes ago`.
    pub words: String,
}

impl Moment {
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { exact: at.to_seconds_text(), words: ago(now.since(at)) }
    }
}

fn ago(span: Duration) -> String {
    let seconds = span.as_secs();
    let (count, unit) = match seconds {
        0..5 => return "just now".to_owned(),
        5..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// How long something took, or has taken so far.
pub fn took(started: Option<Timestamp>, finished: Option<Timestamp>, now: Timestamp) -> String {
    started.map(|from| format_duration(finished.unwrap_or(now).since(from))).unwrap_or_default()
}

/// The time of day, in UTC: `10:00:03`.
pub fn time_of_day(at: Timestamp) -> String {
    at.to_seconds_text().chars().skip(11).take(8).collect()
}
