//! Writes down what was pushed.

use names::{CommitId, ProjectName};
use repo::{GitError, Repository};
use store::{Records, TypedError};

use crate::{orphans, pkt_line::RefUpdate};

/// Two pushes may want the same number this often in a row before something is wrong.
const NUMBER_TRIES: u64 = 1000;

/// Why a push could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error("the pushes of `{0}` could not be numbered")]
    Numbering(ProjectName),
}

/// Makes a record of each update that Git carried out; gives their numbers.
pub async fn record(
    records: &dyn Records,
    project: &ProjectName,
    repository: &Repository,
    updates: &[RefUpdate],
    pusher: &str,
) -> Result<Vec<u64>, RecordError> {
    let known = api::Project { name: project.clone(), created: store::now() };
    store::create(records, &known).await?;
    let mut numbers = Vec::new();
    for update in updates {
        let (subject, author) = if update.after.is_zero() {
            (String::new(), String::new())
        } else {
            // A tag may name something that is no commit; then there is nothing to tell.
            match repository.summary(update.after).await {
                Ok(summary) => (summary.subject, summary.author),
                Err(GitError::Failed { .. }) => (String::new(), String::new()),
                Err(error) => return Err(error.into()),
            }
        };
        let push = api::Push {
            project: project.clone(),
            number: 0,
            git_ref: update.git_ref.clone(),
            before: update.before,
            after: update.after,
            subject,
            author,
            at: store::now(),
            pusher: pusher.to_owned(),
            errors: Vec::new(),
            notes: Vec::new(),
            runs: None,
        };
        numbers.push(create(records, push).await?);
    }
    Ok(numbers)
}

/// Gives the push the next free number of its project.
async fn create(records: &dyn Records, mut push: api::Push) -> Result<u64, RecordError> {
    let all = store::list::<api::Push>(records, &format!("{}/", push.project)).await?;
    let last = all.last().map_or(0, |push| push.number);
    for number in last + 1..last + NUMBER_TRIES {
        push.number = number;
        if store::create(records, &push).await? {
            return Ok(number);
        }
    }
    Err(RecordError::Numbering(push.project))
}

/// The branch of the first push becomes the one that clones check out, whatever it is called.
pub async fn point_head(repository: &Repository, updates: &[RefUpdate]) -> Result<(), GitError> {
    let head = repository.head().await?;
    if repository.resolve(&head).await?.is_some() {
        return Ok(());
    }
    let is_branch = |it: &&RefUpdate| it.git_ref.starts_with("refs/heads/") && !it.after.is_zero();
    match updates.iter().find(is_branch) {
        Some(update) => repository.set_head(&update.git_ref).await,
        None => Ok(()),
    }
}

/// Writes a push for every ref that stands elsewhere than its last record says.
pub async fn recover(
    records: &dyn Records,
    project: &ProjectName,
    repository: &Repository,
) -> Result<(), RecordError> {
    orphans::wait(repository).await.map_err(GitError::Io)?;
    let pushes = store::list::<api::Push>(records, &format!("{project}/")).await?;
    let known = |git_ref: &str| {
        let last = pushes.iter().rev().find(|push| push.git_ref == git_ref);
        last.map_or(CommitId::ZERO, |push| push.after)
    };
    let mut missed = Vec::new();
    for (git_ref, after) in repository.refs().await? {
        let before = known(&git_ref);
        if before != after {
            missed.push(RefUpdate { git_ref, before, after });
        }
    }
    if !missed.is_empty() {
        tracing::warn!(%project, count = missed.len(), "pushes that were cut off are taken up");
        point_head(repository, &missed).await?;
        record(records, project, repository, &missed, "admin").await?;
    }
    Ok(())
}
