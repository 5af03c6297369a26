//! `workflow_run`: a run that is over may start others.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use api::{Conclusion, Run};
use names::{CommitId, ProjectName};
use repo::Repository;
use serde_json::{Value, json};

use super::{
    contexts,
    start::{self, Hold, IntakeError, Occurrence},
};
use crate::Ci;

/// Whether workflows of a project listen to the end of runs, as of the commit that was looked at last.
#[derive(Debug, Default)]
pub struct Listeners(Mutex<HashMap<ProjectName, (CommitId, bool)>>);

impl Listeners {
    async fn any(&self, project: &ProjectName, repository: &Repository, commit: CommitId) -> Result<bool, IntakeError> {
        let known = self.lock().get(project).filter(|(at, _)| *at == commit).map(|(_, any)| *any);
        if let Some(any) = known {
            return Ok(any);
        }
        let files = repository.files_in(commit, start::FOLDER).await?;
        // Reading a file tells for sure; most do not even have the word.
        let any = files.iter().any(|it| String::from_utf8_lossy(&it.bytes).contains("workflow_run"));
        self.lock().insert(project.clone(), (commit, any));
        Ok(any)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectName, (CommitId, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// GitHub starts no more than this many runs one after another.
const CHAIN_MAX: usize = 3;

/// Starts the workflows that listen to the end of `run`; asking twice starts them once.
pub async fn run_is_over(ci: &Ci, run: &Run, github: &Value, conclusion: Conclusion) -> Result<(), IntakeError> {
    let depth = run.cause.as_deref().unwrap_or_default().matches("workflow_run").count();
    if depth >= CHAIN_MAX {
        return Ok(());
    }
    let Some(repository) = ci.repositories.find(&run.id.project) else { return Ok(()) };
    let head = repository.head().await?;
    let Some(commit) = repository.resolve(&head).await? else { return Ok(()) };
    if !ci.listeners.any(&run.id.project, &repository, commit).await? {
        return Ok(());
    }
    let before = run.cause.as_deref().filter(|cause| cause.contains("workflow_run")).unwrap_or_default();
    let what = Occurrence {
        project: run.id.project.clone(),
        event: "workflow_run".to_owned(),
        payload: payload(ci, run, github, conclusion, &head),
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
        hold: Hold::No,
        selection: workflow::Selection::default(),
        context: Vec::new(),
    };
    start::take_up(ci, &repository, &what).await?;
    Ok(())
}

/// The pull request that a run was about, with its head.
fn pull_request<'a>(run: &Run, github: &'a Value) -> Option<&'a Value> {
    let is_about_one = run.event.starts_with("pull_request") && run.event != "pull_request_target";
    github.pointer("/event/pull_request").filter(|_| is_about_one)
}

fn payload(ci: &Ci, run: &Run, github: &Value, conclusion: Conclusion, head: &str) -> Value {
    let pull = pull_request(run, github);
    // A `run-name` is a title; others listen to the name of the workflow.
    let workflow = github.get("workflow").and_then(Value::as_str).unwrap_or(&run.name);
    let title = if run.name == workflow { &run.subject } else { &run.name };
    // As the forge calls it, whose names the pull request has.
    let given = github.pointer("/event/repository").filter(|_| pull.is_some());
    let repository = given.cloned().unwrap_or_else(|| contexts::repository(ci, &run.id.project, head));
    let of_pull = |pointer: &str| pull.and_then(|pull| pull.pointer(pointer)).cloned();
    let head_repository = of_pull("/head/repo").unwrap_or_else(|| repository.clone());
    let pulls = pull.map(|pull| json!({"number": pull["number"], "head": pull["head"], "base": pull["base"]}));
    json!({
        "action": "completed",
        "workflow_run": {
            "id": run.id.number, "run_number": run.id.number, "run_attempt": run.attempt,
            "name": workflow, "path": run.workflow, "event": run.event, "status": "completed",
            "conclusion": conclusion, "head_branch": of_pull("/head/ref").unwrap_or_else(|| contexts::short(&run.git_ref).into()),
            "head_sha": of_pull("/head/sha").unwrap_or_else(|| run.commit.to_string().into()),
            "display_title": title, "created_at": run.created,
            "html_url": format!("{}/{}/runs/{}", ci.config.url, run.id.project, run.id.number),
            "head_commit": {"id": run.commit, "message": run.subject, "author": {"name": run.author}},
            "repository": repository, "head_repository": head_repository,
            "pull_requests": pulls.into_iter().collect::<Vec<_>>(),
        },
        "workflow": {"name": workflow, "path": run.workflow, "state": "active"},
        "repository": repository,
        "sender": {"login": "landfall"},
    })
}
