//! `schedule`: the times of the workflows on each project's default branch.

use std::{collections::HashMap, time::Duration};

use api::{Push, Record as _};
use names::{CommitId, ProjectName, Timestamp};
use serde_json::json;
use store::{Change, Revision};
use workflow::Schedule;

use super::{
    contexts,
    start::{self, FOLDER, IntakeError, Occurrence},
};
use crate::{Ci, drive::CiError};

/// A clock that was set is noticed after this at the latest.
const LOOK: Duration = Duration::from_secs(60 * 60);

/// The times of one workflow file.
struct Timed {
    path: String,
    schedule: Schedule,
    due: Timestamp,
}

/// The times of one project, as of a commit.
#[derive(Default)]
struct Table {
    commit: Option<CommitId>,
    head: String,
    entries: Vec<Timed>,
}

/// Starts workflows at their times until the process ends.
pub async fn run(ci: Ci) -> Result<(), CiError> {
    let mut pushes = ci.records.watch(Push::KIND, Revision::LATEST).await?;
    let mut tables: HashMap<ProjectName, Table> = HashMap::new();
    for project in ci.repositories.projects().unwrap_or_default() {
        refresh(&ci, &mut tables, project).await;
    }
    loop {
        let next = tables.values().flat_map(|table| &table.entries).map(|it| it.due).min();
        let pause = next.map_or(LOOK, |due| due.since(store::now())).min(LOOK);
        tokio::select! {
            change = pushes.next() => {
                if let Change::Put(stored) = change?
                    && let Ok(push) = serde_json::from_slice::<Push>(&stored.value)
                {
                    refresh(&ci, &mut tables, push.project).await;
                }
            }
            () = tokio::time::sleep(pause) => fire(&ci, &mut tables).await,
        }
    }
}

async fn refresh(ci: &Ci, tables: &mut HashMap<ProjectName, Table>, project: ProjectName) {
    match read(ci, &project, tables.get(&project)).await {
        Ok(Some(table)) => drop(tables.insert(project, table)),
        Ok(None) => {}
        Err(error) => tracing::error!(%error, %project, "the schedules of a project could not be read"),
    }
}

/// `None` when nothing changed.
async fn read(ci: &Ci, project: &ProjectName, known: Option<&Table>) -> Result<Option<Table>, IntakeError> {
    let Some(repository) = ci.repositories.find(project) else { return Ok(None) };
    let head = repository.head().await?;
    let commit = repository.resolve(&head).await?;
    if known.is_some_and(|table| table.commit == commit && table.head == head) {
        return Ok(None);
    }
    let mut entries = Vec::new();
    if let Some(commit) = commit {
        let now = store::now();
        for file in repository.files_in(commit, FOLDER).await? {
            let source = String::from_utf8_lossy(&file.bytes);
            let Some(workflow) = workflow::parse(&source, &file.path).workflow else { continue };
            for schedule in &workflow.triggers.schedule {
                if let Some(due) = schedule.next_after(now) {
                    entries.push(Timed { path: file.path.clone(), schedule: schedule.clone(), due });
                }
            }
        }
    }
    Ok(Some(Table { commit, head, entries }))
}

async fn fire(ci: &Ci, tables: &mut HashMap<ProjectName, Table>) {
    let now = store::now();
    for (project, table) in tables.iter_mut() {
        let (Some(commit), head) = (table.commit, table.head.clone()) else { continue };
        for entry in table.entries.iter_mut().filter(|entry| entry.due <= now) {
            let due = entry.due;
            // Times that a sleeping machine missed are made up for once.
            match entry.schedule.next_after(now) {
                Some(next) => entry.due = next,
                None => continue,
            }
            if let Err(error) = start_one(ci, project, &head, commit, entry, due).await {
                tracing::error!(%error, %project, "a scheduled workflow could not be started");
            }
        }
    }
}

async fn start_one(
    ci: &Ci,
    project: &ProjectName,
    head: &str,
    commit: CommitId,
    entry: &Timed,
    due: Timestamp,
) -> Result<(), IntakeError> {
    let Some(repository) = ci.repositories.find(project) else { return Ok(()) };
    let payload = json!({
        "schedule": entry.schedule.cron.source(), "workflow": entry.path,
        "repository": contexts::repository(ci, project, head),
    });
    let what = Occurrence {
        project: project.clone(),
        event: "schedule".to_owned(),
        payload,
        git_ref: head.to_owned(),
        commit,
        files_at: None,
        actor: "landfall".to_owned(),
        subject: String::new(),
        changed: None,
        cause: format!("schedule {} {due}", entry.schedule.cron.source()),
        push: 0,
        only: Some(entry.path.clone()),
        foreign: None,
        selection: workflow::Selection::default(),
        context: Vec::new(),
    };
    start::take_up(ci, &repository, &what).await?;
    Ok(())
}
