//! The numbers of runs, and what started them, without reading all runs each time.

use std::collections::HashMap;

use api::{Record as _, Run};
use names::{ProjectName, RunId};
use serde::Deserialize;
use store::{Records, RecordsError};
use tokio::sync::Mutex;

/// What is known of the runs of each project.
#[derive(Default)]
pub struct Numbers {
    projects: Mutex<HashMap<ProjectName, Known>>,
}

#[derive(Default)]
struct Known {
    last: u64,
    /// What started a run (a push, a request, …) with the workflow, and its number.
    causes: HashMap<(String, String), u64>,
}

/// As much of a run as tells what started it.
#[derive(Deserialize)]
struct Glance {
    id: RunId,
    push: u64,
    workflow: String,
    #[serde(default)]
    cause: Option<String>,
}

/// How a push is named as a cause.
pub fn push_cause(number: u64) -> String {
    format!("push {number}")
}

impl Numbers {
    /// The run that `cause` started for `workflow`, or the next number.
    pub async fn find(
        &self,
        records: &dyn Records,
        project: &ProjectName,
        cause: &str,
        workflow: &str,
    ) -> Result<Found, RecordsError> {
        let mut projects = self.projects.lock().await;
        let known = match projects.entry(project.clone()) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(read(records, project).await?),
        };
        let key = (cause.to_owned(), workflow.to_owned());
        if let Some(number) = known.causes.get(&key) {
            return Ok(Found::Made(*number));
        }
        known.last += 1;
        known.causes.insert(key, known.last);
        Ok(Found::Next(known.last))
    }

    /// Gives a number back that was not used.
    pub async fn forget(&self, project: &ProjectName, cause: &str, workflow: &str) {
        if let Some(known) = self.projects.lock().await.get_mut(project) {
            known.causes.remove(&(cause.to_owned(), workflow.to_owned()));
        }
    }
}

/// What was found for a cause.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Made(u64),
    Next(u64),
}

async fn read(records: &dyn Records, project: &ProjectName) -> Result<Known, RecordsError> {
    let mut known = Known::default();
    for stored in records.list(Run::KIND, &format!("{project}/")).await? {
        let Ok(run) = serde_json::from_slice::<Glance>(&stored.value) else { continue };
        known.last = known.last.max(run.id.number);
        let cause = run.cause.unwrap_or_else(|| push_cause(run.push));
        known.causes.insert((cause, run.workflow), run.id.number);
    }
    Ok(known)
}
