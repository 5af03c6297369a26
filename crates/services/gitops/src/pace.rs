//! How long the service lets things rest between looks.

use std::time::Duration;

/// The default is for people; a test of a thousand stories takes less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// A failed look is taken again after this time.
    pub retry: Duration,
    /// A deadline is seen at most this late.
    pub glance: Duration,
    /// A Deployment may carry the verdict on its last state for so long, already under its new generation.
    pub settle: Duration,
    /// A commit that could not be written is tried again after this time.
    pub write_back: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { retry: seconds(5), glance: seconds(1), settle: seconds(5), write_back: seconds(10) }
    }
}
