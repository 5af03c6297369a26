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
    until_ok(what, || look().ok_or_else(String::new))
}

/// The same, where each look that finds nothing tells what was there instead.
#[track_caller]
pub fn until_ok<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) => assert!(began.elapsed() < PATIENCE, "not seen within {PATIENCE:?}: {what}\n{instead}"),
        }
        thread::sleep(LOOK);
    }
}
