//! `workflow_dispatch` and `repository_dispatch`: somebody asks for runs.

use access::Principal;
use names::{CommitId, ProjectName};
use repo::Repository;
use serde_json::{Map, Value, json};

use super::{
    contexts,
    start::{self, Hold, IntakeError, Occurrence, Outcome},
};
use crate::Ci;

/// Why a request starts nothing.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    #[error("there is no project `{0}` with commits")]
    NoProject(ProjectName),
    #[error("no ref found for: {0}")]
    NoRef(String),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

impl From<repo::GitError> for DispatchError {
    fn from(error: repo::GitError) -> Self {
        Self::Intake(error.into())
    }
}

/// A branch or tag of a project, and its commit.
async fn find_ref(repository: &Repository, wanted: &str) -> Result<Option<(String, CommitId)>, repo::GitError> {
    let full = [wanted.to_owned(), format!("refs/heads/{wanted}"), format!("refs/tags/{wanted}")];
    for name in full.into_iter().filter(|name| name.starts_with("refs/")) {
        if let Some(commit) = repository.resolve(&name).await? {
            return Ok(Some((name, commit)));
        }
    }
    Ok(None)
}

/// Starts one workflow with inputs, as `gh workflow run` asks.
pub async fn dispatch(
    ci: &Ci,
    project: &ProjectName,
    workflow: &str,
    wanted: Option<&str>,
    inputs: Map<String, Value>,
    who: &Principal,
    context: Vec<(&'static str, Value)>,
) -> Result<u64, DispatchError> {
    let repository = ci.repositories.find(project).ok_or_else(|| DispatchError::NoProject(project.clone()))?;
    let head = repository.head().await?;
    let wanted = wanted.unwrap_or(&head);
    let found = find_ref(&repository, wanted).await?;
    let (git_ref, commit) = found.ok_or_else(|| DispatchError::NoRef(wanted.to_owned()))?;
    // The event holds texts, whatever the types of the inputs are.
    let texts: Map<_, _> = inputs
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str().map_or_else(|| value.to_string(), str::to_owned))))
        .collect();
    let actor = who.to_string();
    let payload = json!({
        "inputs": texts, "ref": git_ref, "workflow": workflow,
        "repository": contexts::repository(ci, project, &head), "sender": {"login": actor},
    });
    let what = occurrence(project, "workflow_dispatch", payload, git_ref, commit, actor);
    let what = Occurrence { only: Some(workflow.to_owned()), context, ..what };
    let outcome = start::take_up(ci, &repository, &what).await?;
    started(outcome, workflow)
}

fn started(outcome: Outcome, workflow: &str) -> Result<u64, DispatchError> {
    if let Some(number) = outcome.runs.first() {
        return Ok(*number);
    }
    let mut why = outcome.errors;
    why.extend(outcome.notes);
    let why = if why.is_empty() { format!("there is no workflow `{workflow}` at this ref") } else { why.join("; ") };
    Err(DispatchError::Refused(why))
}

/// Starts every workflow that listens to an event of somebody's own making.
pub async fn repository_dispatch(
    ci: &Ci,
    project: &ProjectName,
    event_type: &str,
    client_payload: Value,
    who: &Principal,
) -> Result<Vec<u64>, DispatchError> {
    let repository = ci.repositories.find(project).ok_or_else(|| DispatchError::NoProject(project.clone()))?;
    let head = repository.head().await?;
    let commit = repository.resolve(&head).await?.ok_or_else(|| DispatchError::NoProject(project.clone()))?;
    let actor = who.to_string();
    let payload = json!({
        "action": event_type, "branch": contexts::short(&head), "client_payload": client_payload,
        "repository": contexts::repository(ci, project, &head), "sender": {"login": actor},
    });
    let what = occurrence(project, "repository_dispatch", payload, head, commit, actor);
    Ok(start::take_up(ci, &repository, &what).await?.runs)
}

fn occurrence(
    project: &ProjectName,
    event: &str,
    payload: Value,
    git_ref: String,
    commit: CommitId,
    actor: String,
) -> Occurrence {
    // Two requests are two, even if they ask for the same.
    let mut random = [0; 8];
    let cause = match getrandom::fill(&mut random) {
        Ok(()) => format!("{event} {:016x}", u64::from_le_bytes(random)),
        Err(_) => format!("{event} {}", store::now()),
    };
    Occurrence {
        project: project.clone(),
        event: event.to_owned(),
        payload,
        git_ref,
        commit,
        files_at: None,
        actor,
        subject: String::new(),
        changed: None,
        cause,
        push: 0,
        only: None,
        foreign: None,
        hold: Hold::No,
        selection: workflow::Selection::default(),
        context: Vec::new(),
    }
}
