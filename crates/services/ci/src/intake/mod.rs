//! Turns what happened into runs: pushes, dispatches, schedules, webhooks, the ends of other runs.

mod chained;
mod contexts;
mod dispatch;
mod hooks;
mod local;
mod numbers;
mod pushes;
mod rerun;
mod schedule;
mod start;

use crate::{Ci, drive::CiError};

pub use chained::{Listeners, run_is_over};
pub use dispatch::{DispatchError, dispatch, repository_dispatch};
pub use hooks::{Delivery, HookError, receive as receive_hook};
pub use local::{LocalEvent, Started, start as start_local};
pub use numbers::Numbers;
pub use start::IntakeError;
pub use rerun::{FinishedRun, RerunError, Wanted, again, rerun};

/// Takes up everything that may start runs, until the process ends.
pub async fn run(ci: Ci) -> Result<(), CiError> {
    tokio::try_join!(pushes::run(ci.clone()), schedule::run(ci))?;
    Ok(())
}
