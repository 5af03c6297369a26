//! Takes up pushes: starts the workflows that listen, and tells the pusher what is wrong.

use api::{Push, Record as _};
use names::CommitId;
use repo::Repository;
use store::{Change, Revision, TypedError};

use super::{
    contexts,
    start::{self, FOLDER, Hold, IntakeError, Occurrence, Outcome, push_cause},
};
use crate::{Ci, drive::CiError, native};

/// Takes up every push that was not read yet.
pub async fn run(ci: Ci) -> Result<(), CiError> {
    let mut pushes = ci.records.watch(Push::KIND, Revision(0)).await?;
    loop {
        let Change::Put(stored) = pushes.next().await? else { continue };
        let Ok(push) = serde_json::from_slice::<Push>(&stored.value) else {
            tracing::error!(key = stored.key, "a push is not readable");
            continue;
        };
        if push.runs.is_some() {
            continue;
        }
        let outcome = take_up(&ci, &push).await.unwrap_or_else(|error| {
            tracing::error!(%error, push = push.key(), "a push could not be taken up");
            let told = format!("the workflows could not be read: {error}");
            Outcome { errors: vec![told], ..Outcome::default() }
        });
        finish(&ci, &push, &outcome).await?;
    }
}

async fn finish(ci: &Ci, push: &Push, outcome: &Outcome) -> Result<(), TypedError> {
    store::modify::<Push>(&*ci.records, &push.key(), |push| {
        push.errors.clone_from(&outcome.errors);
        push.notes.clone_from(&outcome.notes);
        push.runs = Some(outcome.runs.clone());
    })
    .await?;
    Ok(())
}

async fn take_up(ci: &Ci, push: &Push) -> Result<Outcome, IntakeError> {
    let repository = ci.repositories.find(&push.project).filter(|_| !push.after.is_zero());
    let Some(repository) = repository else { return Ok(Outcome::default()) };
    if push.is_by_job() {
        let note = format!("no workflow starts: {} pushed with the token of a job", push.pusher);
        return Ok(Outcome { notes: vec![note], ..Outcome::default() });
    }
    let what = occurrence(ci, push, &repository).await?;
    let mut outcome = start::take_up(ci, &repository, &what).await?;
    if outcome.files == 0 {
        outcome.notes.insert(0, format!("no workflow starts: there is no file in {FOLDER}"));
    }
    for found in lint(&repository, push.after).await? {
        if !outcome.errors.contains(&found) && !outcome.notes.contains(&found) {
            outcome.notes.push(found);
        }
    }
    Ok(outcome)
}

async fn occurrence(ci: &Ci, push: &Push, repository: &Repository) -> Result<Occurrence, IntakeError> {
    let summary = repository.summary(push.after).await?;
    let branch = repository.head().await?;
    let changed = repository.changed_paths(push.before, push.after).await?;
    Ok(Occurrence {
        project: push.project.clone(),
        event: "push".to_owned(),
        payload: contexts::push(ci, push, &summary, &branch),
        git_ref: push.git_ref.clone(),
        commit: push.after,
        files_at: None,
        actor: push.pusher.clone(),
        subject: push.subject.clone(),
        changed,
        cause: push_cause(push.number),
        push: push.number,
        only: None,
        foreign: None,
        hold: Hold::No,
        selection: workflow::Selection::default(),
        context: Vec::new(),
    })
}

/// What is wrong in the commit's workflows, Dockerfiles and manifests, as it is shown to people.
async fn lint(repository: &Repository, commit: CommitId) -> Result<Vec<String>, IntakeError> {
    let mut tree = lint::Tree::default();
    for (path, content) in repository.tree(commit, |path| lint::FileKind::of(path).is_read()).await? {
        let text = content.and_then(|bytes| String::from_utf8(bytes).ok());
        tree.add(path, text);
    }
    // Reading schemas takes a moment, and other runs must not wait for it.
    let checked = tokio::task::spawn_blocking(move || {
        let found = lint::check(&tree, &native::repositories());
        found.iter().map(|it| it.render(tree.text(&it.file).unwrap_or_default())).collect()
    });
    Ok(checked.await.unwrap_or_default())
}
