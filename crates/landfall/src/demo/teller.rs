//! Says what happens, with the time since the start in front.

use std::time::{Duration, Instant};

/// Tells progress on standard error, one line an event.
#[derive(Clone, Copy, Debug)]
pub struct Teller {
    began: Instant,
}

impl Teller {
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// Tells something about a stage, e.g. `push 1`.
    pub fn tell(&self, stage: &str, text: &str) {
        for line in text.lines() {
            eprintln!("[{:>5.1}s] {stage:<8}  {line}", self.began.elapsed().as_secs_f32());
        }
    }

    /// Tells that a check holds.
    pub fn holds(&self, stage: &str, text: &str) {
        self.tell(stage, &format!("ok    {text}"));
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
