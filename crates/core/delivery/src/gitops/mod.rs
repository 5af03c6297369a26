//! What an app that follows Git is to do: which revision it may choose, in which order
//! objects are written and deleted, how they do, and what differs.
//!
//! The words and rules are those of Argo CD, so that its `Application` files work as they are.

mod adopt;
mod choice;
mod drift;
mod health;
mod jq_path;
mod kinds;
mod life;
mod project_file;
mod prune;
mod read;
mod refusal;
mod respect;
mod tasks;
mod webhook;

pub use adopt::{AdoptError, Adopted, adopt};
pub use choice::{Choice, Standing, choose, next_retry, sync_state, sync_words};
pub use drift::drift;
pub use jq_path::{JqError, JqPath};
pub use health::{health_of, worst};
pub use life::{
    NewDeployment, Wrote, ask_back, begin, fail, irreversible_since, is_open, is_quarantined, is_taken_back_in_git, origin, release, replace_stuck, standing,
    succeed, written,
};
pub use project_file::{PROJECT_FILE, read_project_file};
pub use prune::{PruneGuard, guard, to_prune};
pub use refusal::refused;
pub use respect::respect;
pub use read::{Read, ReadError, read};
pub use tasks::{HookEnd, Next, Phase, Plan, Task, TaskState, Work, has_option, is_hook, is_task_of, plan, untouched};
pub use webhook::{Told, plain_address, told};
