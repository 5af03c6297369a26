//! Decides whether something that happened starts a workflow, and says why not.

mod decide;
mod filter;
mod input;

pub use decide::{Decision, Happening};
pub use filter::{Filters, PushEvent};
pub use input::{CallInput, CallInterface, CallSecret, DispatchInput, InputKind, told_inputs};

use crate::cron::Schedule;

/// What a workflow listens to.
#[derive(Clone, Debug, Default)]
pub struct Triggers {
    /// In the order of the file.
    pub events: Vec<Trigger>,
    pub schedule: Vec<Schedule>,
    pub workflow_dispatch: Option<Vec<DispatchInput>>,
    pub workflow_call: Option<CallInterface>,
}

/// One event with its filters.
#[derive(Clone, Debug, Default)]
pub struct Trigger {
    /// `push`, `pull_request`, …
    pub event: String,
    /// The activity types it names; empty for those the event has by default.
    pub types: Vec<String>,
    pub filters: Filters,
    /// Of `workflow_run`: the names of the workflows that count.
    pub workflows: Vec<String>,
    /// Of `image_version`.
    pub names: Vec<String>,
    /// Of `image_version`.
    pub versions: Vec<String>,
}

impl Triggers {
    /// The entry of an event.
    pub fn event(&self, name: &str) -> Option<&Trigger> {
        self.events.iter().find(|it| it.event == name)
    }
}
