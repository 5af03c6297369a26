//! Runs and their jobs.

use api::{Conclusion, Job, Permission, Record as _, Run, Status};
use names::RunId;
use serde_json::{Value, json};

use super::{
    Ask, NO_CONTENT,
    answer::{Answer, Problem},
    page::Page,
    shape, workflows,
};

/// More jobs than any run has: a job's number is that of its run with its place behind.
const JOBS_OF_RUN: u64 = 100_000;

/// `GET actions/runs`
pub async fn list(ask: &Ask<'_>) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    answer(ask, all(ask).await?)
}

/// `GET actions/workflows/WORKFLOW/runs`
pub async fn of_workflow(ask: &Ask<'_>, name: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let path = workflows::find(ask, name).await?.path;
    let mut runs = all(ask).await?;
    runs.retain(|run| run.workflow == path);
    answer(ask, runs)
}

/// The runs of the project, the newest first.
pub async fn all(ask: &Ask<'_>) -> Result<Vec<Run>, Problem> {
    let mut all = store::list::<Run>(&*ask.toolkit.records, &format!("{}/", ask.project)).await?;
    all.reverse();
    Ok(all)
}

fn answer(ask: &Ask<'_>, mut all: Vec<Run>) -> Result<Answer, Problem> {
    let filters = [("branch", 0), ("event", 1), ("head_sha", 2), ("actor", 3)].map(|(name, at)| (ask.query.get(name), at));
    all.retain(|run| {
        let facts = [branch(run), run.event.clone(), run.commit.to_string(), run.author.clone()];
        filters.iter().all(|(wanted, at)| wanted.is_empty() || facts.get(*at).is_some_and(|fact| fact == wanted))
    });
    // One word for both, as GitHub has it.
    let status = ask.query.get("status");
    all.retain(|run| status.is_empty() || status_of(run.status) == status || conclusion(run.conclusion) == *status);
    let page = Page::of(ask);
    let total = all.len();
    let shown: Vec<Value> = page.cut(all).iter().map(|run| shown(ask, run)).collect();
    Ok(page.answer(ask, total, json!({ "total_count": total, "workflow_runs": shown })))
}

/// `GET actions/runs/NUMBER`
pub async fn one(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    Ok(Answer::json(shown(ask, &find(ask, number).await?)))
}

/// `GET actions/runs/NUMBER/jobs`
pub async fn jobs(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let run = find(ask, number).await?;
    let all: Vec<Value> = run.jobs.iter().enumerate().map(|(place, job)| of_job(ask, &run, place, job)).collect();
    let page = Page::of(ask);
    let total = all.len();
    Ok(page.answer(ask, total, json!({ "total_count": total, "jobs": page.cut(all) })))
}

/// `GET actions/jobs/NUMBER`
pub async fn job(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Read)?;
    let number: u64 = number.parse().map_err(|_| Problem::not_found())?;
    let run = find(ask, &(number / JOBS_OF_RUN).to_string()).await?;
    let place = usize::try_from(number % JOBS_OF_RUN).unwrap_or(usize::MAX);
    let job = run.jobs.get(place).ok_or_else(Problem::not_found)?;
    Ok(Answer::json(of_job(ask, &run, place, job)))
}

/// `POST actions/runs/NUMBER/cancel`
pub async fn cancel(ask: &Ask<'_>, number: &str) -> Result<Answer, Problem> {
    ask.need("actions", Permission::Write)?;
    let run = find(ask, number).await?;
    if run.status == Status::Completed {
        return Err(Problem::new(axum::http::StatusCode::CONFLICT, "Cannot cancel a workflow run that is completed."));
    }
    store::modify::<Run>(&*ask.toolkit.records, &run.key(), |run| run.cancel = true).await?;
    Ok(Answer::accepted())
}

/// The run of this number; run numbers of a project are its run ids.
pub async fn find(ask: &Ask<'_>, number: &str) -> Result<Run, Problem> {
    let number = number.parse().map_err(|_| Problem::not_found())?;
    let id = RunId { project: ask.project.clone(), number };
    store::find::<Run>(&*ask.toolkit.records, &Run::key_of(&id)).await?.ok_or_else(Problem::not_found)
}

fn shown(ask: &Ask<'_>, run: &Run) -> Value {
    let (number, commit) = (run.id.number, run.commit.to_string());
    let url = ask.url(&format!("/actions/runs/{number}"));
    json!({
        "id": number, "node_id": run.id, "name": run.name, "display_title": run.subject, "path": run.workflow,
        "head_branch": branch(run), "head_sha": commit, "run_number": number, "run_attempt": run.attempt,
        "workflow_id": workflows::number(&run.workflow),
        "workflow_url": ask.url(&format!("/actions/workflows/{}", workflows::number(&run.workflow))),
        "event": run.event, "status": status_of(run.status), "conclusion": conclusion(run.conclusion),
        "created_at": run.created.to_seconds_text(),
        "run_started_at": run.started.unwrap_or(run.created).to_seconds_text(),
        "updated_at": run.finished.or(run.started).unwrap_or(run.created).to_seconds_text(),
        "actor": shape::user(&run.author), "triggering_actor": shape::user(&run.author),
        "pull_requests": [],
        "head_commit": { "id": commit, "message": run.subject, "author": { "name": run.author } },
        "repository": shape::repository(ask), "head_repository": shape::repository(ask),
        "url": url, "html_url": page_of(ask, run),
        "jobs_url": format!("{url}/jobs"), "artifacts_url": format!("{url}/artifacts"), "cancel_url": format!("{url}/cancel"),
    })
}

fn of_job(ask: &Ask<'_>, run: &Run, place: usize, job: &Job) -> Value {
    let number = run.id.number * JOBS_OF_RUN + place as u64;
    let time = |time: Option<names::Timestamp>| time.map(names::Timestamp::to_seconds_text);
    let steps: Vec<Value> = job
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            json!({
                "name": step.name, "number": index + 1, "status": status_of(step.status),
                "conclusion": conclusion(step.conclusion),
                "started_at": time(step.started), "completed_at": time(step.finished),
            })
        })
        .collect();
    json!({
        "id": number, "run_id": run.id.number, "run_attempt": run.attempt, "node_id": job.id, "name": job.name,
        "workflow_name": run.name, "head_sha": run.commit, "head_branch": branch(run),
        "status": status_of(job.status), "conclusion": conclusion(job.conclusion),
        "created_at": run.created.to_seconds_text(), "started_at": time(job.started), "completed_at": time(job.finished),
        "steps": steps, "labels": [], "runner_name": "landfall",
        "url": ask.url(&format!("/actions/jobs/{number}")), "html_url": page_of(ask, run),
        "run_url": ask.url(&format!("/actions/runs/{}", run.id.number)),
    })
}

fn page_of(ask: &Ask<'_>, run: &Run) -> String {
    format!("{}/runs/{}/{}", ask.toolkit.config.url, run.id.project, run.id.number)
}

fn branch(run: &Run) -> String {
    let name = run.git_ref.strip_prefix("refs/heads/").or_else(|| run.git_ref.strip_prefix("refs/tags/"));
    name.unwrap_or(&run.git_ref).to_owned()
}

fn status_of(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running => "in_progress",
        Status::Completed => "completed",
    }
}

fn conclusion(conclusion: Option<Conclusion>) -> Value {
    conclusion.map_or(Value::Null, |it| it.to_string().into())
}

/// What a deletion answers.
pub fn gone() -> Answer {
    Answer::empty(NO_CONTENT)
}
