//! Commit statuses: one line of each tool.

use std::collections::BTreeMap;

use api::{CommitStatus, Permission, StatusState};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ask,
    answer::{Answer, Problem},
    git,
    page::Page,
    shape,
};

/// GitHub's own limit.
const STATUSES_OF_COMMIT_MAX: usize = 1000;
/// GitHub's own limit for the one line of a status.
const DESCRIPTION_LENGTH_MAX: usize = 140;

#[derive(Deserialize)]
struct New {
    state: StatusState,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    context: Option<String>,
}

/// `POST statuses/SHA`
pub async fn create(ask: &Ask<'_>, commit: &str) -> Result<Answer, Problem> {
    ask.need("statuses", Permission::Write)?;
    let new: New = ask.read()?;
    let commit = git::commit(&git::repository(ask)?, git::object(commit)?).await?;
    let prefix = CommitStatus::prefix_of(&ask.project, commit);
    if store::list::<CommitStatus>(&*ask.toolkit.records, &prefix).await?.len() >= STATUSES_OF_COMMIT_MAX {
        return Err(Problem::invalid(format!("a commit has at most {STATUSES_OF_COMMIT_MAX} statuses")));
    }
    let now = store::now();
    let status = CommitStatus {
        project: ask.project.clone(),
        commit,
        number: keep::number(now),
        context: new.context.filter(|it| !it.is_empty()).unwrap_or_else(|| "default".to_owned()),
        state: new.state,
        description: new.description.map(|it| it.chars().take(DESCRIPTION_LENGTH_MAX).collect()),
        target_url: new.target_url,
        creator: ask.caller.name().to_owned(),
        created: now,
    };
    store::put(&*ask.toolkit.records, &status).await?;
    Ok(Answer::created(shown(ask, &status)))
}

/// `GET commits/REF/statuses`: all, the newest first
pub async fn list(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("statuses", Permission::Read)?;
    let all: Vec<Value> = of_commit(ask, name).await?.1.iter().rev().map(|it| shown(ask, it)).collect();
    let page = Page::of(ask);
    let total = all.len();
    Ok(page.answer(ask, total, page.cut(all).into()))
}

/// `GET commits/REF/status`: the newest of each tool, and one word for all
pub async fn combined(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("statuses", Permission::Read)?;
    let (commit, all) = of_commit(ask, name).await?;
    let newest: BTreeMap<String, CommitStatus> = all.into_iter().map(|it| (it.context.clone(), it)).collect();
    let has = |state| newest.values().any(|it| it.state == state);
    let state = if has(StatusState::Failure) || has(StatusState::Error) {
        "failure"
    } else if newest.is_empty() || has(StatusState::Pending) {
        "pending"
    } else {
        "success"
    };
    let statuses: Vec<Value> = newest.values().map(|it| shown(ask, it)).collect();
    Ok(Answer::json(json!({
        "state": state, "sha": commit, "total_count": statuses.len(), "statuses": statuses,
        "repository": shape::repository(ask), "commit_url": ask.url(&format!("/commits/{commit}")),
    })))
}

async fn of_commit(ask: &Ask<'_>, name: &str) -> Result<(names::CommitId, Vec<CommitStatus>), Problem> {
    let commit = git::commit(&git::repository(ask)?, name).await?;
    let prefix = CommitStatus::prefix_of(&ask.project, commit);
    Ok((commit, store::list::<CommitStatus>(&*ask.toolkit.records, &prefix).await?))
}

fn shown(ask: &Ask<'_>, status: &CommitStatus) -> Value {
    json!({
        "id": status.number, "node_id": status.number.to_string(), "state": status.state, "context": status.context,
        "description": status.description, "target_url": status.target_url, "avatar_url": null,
        "creator": shape::user(&status.creator),
        "created_at": status.created.to_seconds_text(), "updated_at": status.created.to_seconds_text(),
        "url": ask.url(&format!("/statuses/{}", status.commit)),
    })
}
