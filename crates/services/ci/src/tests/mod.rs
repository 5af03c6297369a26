//! Tests as records: reports read after steps, flaky tests found, tests shared out, re-runs of what failed,
//! and jobs left out whose inputs did not change.

mod collect;
mod failed;
mod find;
mod keep;
mod old;
mod reuse;
mod routes;
mod times;

pub use collect::{after_step, wanted};
pub use find::{FILES_MAX, Root};
pub use failed::{ask_for_failed, forget_failed, prepare as prepare_failed, variables};
pub use old::forget_old;
pub use reuse::{Claimed, Reused, claim, prove};
pub use routes::router;
