//! How long a broken watch waits before it is taken up again.

use std::time::Duration;

use kube::runtime::streams::Backoff;

/// A server that went away is usually back at once: it lives in the same process.
const FIRST: Duration = Duration::from_millis(20);
const LAST: Duration = Duration::from_secs(10);

/// Doubling waits that start anew after a success.
#[derive(Debug)]
pub struct Reconnect {
    next: Duration,
}

impl Reconnect {
    pub fn new() -> Self {
        Self { next: FIRST }
    }
}

impl Iterator for Reconnect {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next;
        self.next = (wait * 2).min(LAST);
        Some(wait)
    }
}

impl Backoff for Reconnect {
    fn reset(&mut self) {
        self.next = FIRST;
    }
}
