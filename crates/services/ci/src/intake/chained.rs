//! `workflow_run`: a run that is over may start others.

use api::{Conclusion, Run};
use serde_json::{Value, json};

use super::{
    contexts,
    start::{self, IntakeError, Occurrence},
};
use crate::Ci;

/// GitHub starts no more than this many runs one after another.
const CHAIN_MAX: usize = 3;

/// Starts the workflows that listen to the end of `run`; asking twice starts them once.
pub async fn run_is_over(ci: &Ci, run: &Run, conclusion: Conclusion) -> Result<(), IntakeError> {
    let depth = run.cause.as_deref().unwrap_or_default().matches("workflow_run").count();
    if depth >= CHAIN_MAX {
        return Ok(());
    }
    let Some(repository) = ci.repositories.find(&run.id.project) else { return Ok(()) };
    let head = repository.head().await?;
    let Some(commit) = repository.resolve(&head).await? else { return Ok(()) };
    let before = run.cause.as_deref().filter(|cause| cause.contains("workflow_run")).unwrap_or_default();
    let what = Occurrence {
        project: run.id.project.clone(),
        event: "workflow_run".to_owned(),
        payload: payload(ci, run, conclusion, &head),
        git_ref: head,
        commit,
        files_at: None,
        actor: "landfall".to_owned(),
        subject: String::new(),
        changed: None,
        cause: format!("{before} workflow_run {} attempt {}", run.id.number, run.attempt).trim_start().to_owned(),
        push: 0,
        only: None,
        foreign: None,
        selection: workflow::Selection::default(),
        context: Vec::new(),
    };
    start::take_up(ci, &repository, &what).await?;
    Ok(())
}

fn payload(ci: &Ci, run: &Run, conclusion: Conclusion, head: &str) -> Value {
    json!({
        "action": "completed",
        "workflow_run": {
            "id": run.id.number, "run_number": run.id.number, "run_attempt": run.attempt,
            "name": run.name, "path": run.workflow, "event": run.event, "status": "completed",
            "conclusion": conclusion, "head_branch": contexts::short(&run.git_ref), "head_sha": run.commit,
            "display_title": run.subject, "created_at": run.created,
            "html_url": format!("{}/{}/runs/{}", ci.config.url, run.id.project, run.id.number),
            "head_commit": {"id": run.commit, "message": run.subject, "author": {"name": run.author}},
            "repository": contexts::repository(ci, &run.id.project, head),
            "head_repository": contexts::repository(ci, &run.id.project, head),
            "pull_requests": [],
        },
        "workflow": {"name": run.name, "path": run.workflow, "state": "active"},
        "repository": contexts::repository(ci, &run.id.project, head),
        "sender": {"login": "landfall"},
    })
}
