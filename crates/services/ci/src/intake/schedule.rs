//! `schedule`: the times of the workflows on each project's default branch.

use std::{collections::HashMap, time::Duration};

use api::{Push, Record as _};
use names::{CommitId, ProjectName, Timestamp};
use serde_json::json;
use store::{Change, Revision};
use workflow::Schedule;

use super::{
    contexts,
    start::{self, FOLDER, Hold, IntakeError, Occurrence},
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
        for (at, due) in take_due(&mut table.entries, now) {
            let Some(entry) = table.entries.get(at) else { continue };
            if let Err(error) = start_one(ci, project, &head, commit, entry, due).await {
                tracing::error!(%error, %project, "a scheduled workflow could not be started");
            }
        }
    }
}

/// Which entries are due, and since when; each is moved to its next time.
///
/// Times that a sleeping machine missed are made up for once.
fn take_due(entries: &mut [Timed], now: Timestamp) -> Vec<(usize, Timestamp)> {
    let mut taken = Vec::new();
    for (at, entry) in entries.iter_mut().enumerate().filter(|(_, entry)| entry.due <= now) {
        let due = entry.due;
        // A schedule that has no next time is the last one of its kind.
        entry.due = entry.schedule.next_after(now).unwrap_or(Timestamp::from_micros(i64::MAX));
        taken.push((at, due));
    }
    taken
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
        hold: Hold::No,
        selection: workflow::Selection::default(),
        context: Vec::new(),
    };
    start::take_up(ci, &repository, &what).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(source: &str, now: &str) -> Vec<Timed> {
        let file = format!("on:\n  schedule:\n{source}jobs: {{a: {{runs-on: x, steps: [{{run: x}}]}}}}\n");
        let parsed = workflow::parse(&file, "ci.yml");
        let workflow = parsed.workflow.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        let now = now.parse().expect("a time");
        let timed = |schedule: &Schedule| {
            let due = schedule.next_after(now).expect("a time");
            Timed { path: "ci.yml".to_owned(), schedule: schedule.clone(), due }
        };
        workflow.triggers.schedule.iter().map(timed).collect()
    }

    /// Which lines start at each of the times, and for which time.
    #[track_caller]
    fn check(source: &str, start: &str, looks: &[(&str, &str)]) {
        let mut entries = entries(source, start);
        for (now, expected) in looks {
            let taken = take_due(&mut entries, now.parse().expect("a time"));
            let told: Vec<_> = taken.iter().map(|(at, due)| format!("{at} {due}")).collect();
            assert_eq!(told.join(", "), *expected, "at {now}");
        }
    }

    #[test]
    fn each_time_starts_once_and_missed_ones_start_one() {
        check(
            "    - cron: '30 5 * * 1-5'\n    - cron: '*/15 * * * *'\n",
            "2026-11-22T10:00:00Z",
            &[
                ("2026-11-22T10:14:59Z", ""),
                ("2026-11-22T10:15:00Z", "1 2026-11-22T10:15:00Z"),
                ("2026-11-22T10:15:01Z", ""),
                // Asleep until Tuesday: Monday's is made up for once, and so are all quarters together.
                ("2026-11-24T04:00:00Z", "0 2026-11-23T05:30:00Z, 1 2026-11-22T10:30:00Z"),
                ("2026-11-24T05:30:00Z", "0 2026-11-24T05:30:00Z, 1 2026-11-24T04:15:00Z"),
            ],
        );
    }

    #[test]
    fn a_time_zone_moves_with_its_summer() {
        check(
            "    - cron: '0 9 * * *'\n      timezone: Europe/Berlin\n",
            "2026-10-24T00:00:00Z",
            &[
                ("2026-10-24T07:00:00Z", "0 2026-10-24T07:00:00Z"),
                ("2026-10-25T07:59:59Z", ""),
                ("2026-10-25T08:00:00Z", "0 2026-10-25T08:00:00Z"),
            ],
        );
    }
}
