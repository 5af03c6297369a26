//! What a release is, whether it is healthy, why it failed, and how to go back.
//!
//! Everything here only decides. The deploy service observes a cluster, asks,
//! and carries out what it is told.

mod cause;
pub mod drill;
mod findings;
pub mod gitops;
mod health;
mod pin;
mod restore;
pub mod rollout;
mod sight;
mod thread;

pub use cause::{explain_code, CODES};
pub use health::{Verdict, judge};
pub use pin::{images_in, pin};
pub use restore::{Step, kept, plan};
pub use sight::Sight;
pub use thread::{Outcome, Thread};
