//! The state machine of a run: events in, effects out.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and prints what it does not look at"
)]

mod actions;
mod background;
mod calls;
mod gates;
mod mixed;
mod printed;
mod reruns;
mod reuse;
mod runs;
mod stage;
