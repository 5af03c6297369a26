//! The time that apps live by: the real one, or a faster one for tests of long stories.

use std::time::{Duration, Instant};

use names::Timestamp;

/// Where times and pauses come from.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Timestamp,
    since: Instant,
    haste: u32,
}

impl Clock {
    pub fn real() -> Self {
        Self::hastened(1)
    }

    /// Time passes so many times as fast.
    pub fn hastened(haste: u32) -> Self {
        Self { began: store::now(), since: Instant::now(), haste: haste.max(1) }
    }

    pub fn now(&self) -> Timestamp {
        // The wall clock may be set while the process runs; a hastened one has to count by itself.
        if self.haste == 1 { store::now() } else { self.began + self.since.elapsed() * self.haste }
    }

    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span / self.haste).await;
    }
}
