//! An event that somebody makes up, for runs without a push.

use names::{CommitId, ProjectName, RunId};
use serde_json::Value;
use workflow::Selection;

use super::start::{self, Hold, IntakeError, Occurrence};
use crate::Ci;

/// Something that shall count as having happened to a commit.
#[derive(Clone, Debug)]
pub struct LocalEvent {
    pub project: ProjectName,
    /// As `on` names it.
    pub event: String,
    /// The body of the webhook, as GitHub would send it.
    pub payload: Value,
    pub git_ref: String,
    /// What is checked out; the workflow files are read there, too.
    pub commit: CommitId,
    pub actor: String,
    /// Only this file is asked; its path, or its name alone.
    pub workflow: Option<String>,
    pub selection: Selection,
    /// Further entries of the `github` context, in place of those that it has.
    pub context: Vec<(&'static str, Value)>,
}

/// What an event led to.
#[derive(Clone, Debug, Default)]
pub struct Started {
    pub runs: Vec<RunId>,
    /// What is wrong in workflow files.
    pub errors: Vec<String>,
    /// Why workflows did not start, and warnings about their files.
    pub notes: Vec<String>,
}

/// Starts every workflow that listens to the event.
pub async fn start(ci: &Ci, event: LocalEvent) -> Result<Started, IntakeError> {
    let LocalEvent { project, event, payload, git_ref, commit, actor, workflow, selection, context } = event;
    let Some(repository) = ci.repositories.find(&project) else { return Ok(Started::default()) };
    let what = Occurrence {
        project: project.clone(),
        event,
        payload,
        git_ref,
        commit,
        files_at: None,
        actor,
        subject: String::new(),
        changed: None,
        cause: format!("local {}", store::now()),
        push: 0,
        only: workflow,
        foreign: None,
        hold: Hold::No,
        selection,
        context,
    };
    let outcome = start::take_up(ci, &repository, &what).await?;
    let runs = outcome.runs.into_iter().map(|number| RunId { project: project.clone(), number }).collect();
    Ok(Started { runs, errors: outcome.errors, notes: outcome.notes })
}
