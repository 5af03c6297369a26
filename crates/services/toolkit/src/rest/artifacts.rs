//! Artifacts of a run or a repository, for jobs of other runs and for people.

use api::{Artifact, Permission, Run};
use serde_json::{Value, json};

use super::{
    Ask,
    answer::{Answer, Problem},
    page::Page,
    runs,
};
use crate::blobs;

/// `GET actions/artifacts`
pub async fn list(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let all = ask.toolkit.artifacts.of_project(&ask.project).await?;
    answer(ask, all).await
}

/// `GET actions/runs/NUMBER/artifacts`
pub async fn of_run(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let number = number.parse().map_err(|_| Problem::not_found())?;
    let run = names::RunId { project: ask.project.clone(), number };
    let mut all = ask.toolkit.artifacts.of_run(&run).await?;
    all.sort_by_key(|it| std::cmp::Reverse(it.number));
    answer(ask, all).await
}

async fn answer(ask: &Ask<'_>, mut all: Vec<Artifact>) -> Result<Answer, Problem> {
    let name = ask.query.get("name");
    all.retain(|it| name.is_empty() || it.name == name);
    let page = Page::of(ask);
    let total = all.len();
    let mut shown = Vec::new();
    for artifact in page.cut(all) {
        shown.push(of(ask, &artifact).await?);
    }
    Ok(page.answer(ask, total, json!({ "total_count": total, "artifacts": shown })))
}

/// `GET actions/artifacts/NUMBER`
pub async fn one(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    Ok(Answer::json(of(ask, &find(ask, number).await?).await?))
}

/// `GET actions/artifacts/NUMBER/zip`: where the bytes are, for a minute or an hour
pub async fn download(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let artifact = find(ask, number).await?;
    let address = blobs::artifact_address(ask.toolkit, &artifact, store::now());
    address.map(Answer::redirect).ok_or_else(Problem::not_found)
}

/// `DELETE actions/artifacts/NUMBER`
pub async fn delete(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Write)?;
    let artifact = find(ask, number).await?;
    ask.toolkit.artifacts.delete(&artifact).await?;
    Ok(runs::gone())
}

async fn find(ask: &Ask<'_>, number: &str) -> Result<Artifact, Problem> {
    let number: u64 = number.parse().map_err(|_| Problem::not_found())?;
    let all = ask.toolkit.artifacts.of_project(&ask.project).await?;
    all.into_iter().find(|it| it.number == number).ok_or_else(Problem::not_found)
}

async fn of(ask: &Ask<'_>, artifact: &Artifact) -> Result<Value, Problem> {
    let run = store::find::<Run>(&*ask.toolkit.records, &Run::key_of(&artifact.run)).await?;
    let url = ask.url(&format!("/actions/artifacts/{}", artifact.number));
    Ok(json!({
        "id": artifact.number, "node_id": artifact.number.to_string(), "name": artifact.name,
        "size_in_bytes": artifact.size_bytes, "digest": artifact.digest(), "expired": false,
        "created_at": artifact.created.to_seconds_text(), "updated_at": artifact.created.to_seconds_text(),
        "expires_at": artifact.expires.to_seconds_text(),
        "url": url, "archive_download_url": format!("{url}/zip"),
        "workflow_run": {
            "id": artifact.run.number, "repository_id": 1, "head_repository_id": 1,
            "head_branch": run.as_ref().map(|it| it.git_ref.trim_start_matches("refs/heads/")),
            "head_sha": run.as_ref().map(|it| it.commit),
        },
    }))
}
