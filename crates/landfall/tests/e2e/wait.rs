//! Waits for what must happen, and no longer.

use std::{
    thread,
    time::{Duration, Instant},
};

/// What has not happened by then will not; a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(25);

/// Looks again and again until there is something to give.
///
/// # Panics
///
/// If there is nothing after two minutes.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "not seen within {PATIENCE:?}: {what}");
        thread::sleep(LOOK);
    }
}
