//! What an app that follows Git is to do: which revision it may choose, in which order
//! objects are written and deleted, how they do, and what differs.
//!
//! The words and rules are those of Argo CD, so that its `Application` files work as they are.

mod choice;
mod drift;
mod health;
mod kinds;
mod life;
mod prune;
mod read;
mod tasks;

pub use choice::{Choice, Standing, choose, next_retry, sync_state};
pub use drift::{drift, is_ignored};
pub use health::{health_of, worst};
pub use life::{
    NewDeployment, Wrote, ask_back, begin, fail, is_open, is_quarantined, is_taken_back_in_git, origin, release, replace_stuck, standing,
    succeed, written,
};
pub use prune::{PruneGuard, guard, to_prune};
pub use read::{Read, ReadError, read};
pub use tasks::{HookEnd, Next, Phase, Plan, Task, TaskState, Work, has_option, plan};
