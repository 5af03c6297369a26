//! Starting runs, ending them, starting them again.

use access::Action;
use api::{JobCancel, Run, Status};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use names::{ProjectName, RunId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Asker, allowed, refuse, store_error};
use crate::{
    Ci,
    intake::{self, Delivery, DispatchError, HookError, RerunError, Wanted},
};

pub async fn cancel(State(ci): State<Ci>, Path((project, number)): Path<(ProjectName, u64)>, asker: Asker) -> Response {
    let principal = match allowed(asker, &Action::Operate) {
        Ok(principal) => principal,
        Err(answer) => return *answer,
    };
    let key = Run::key_of(&RunId { project, number });
    let cancelled = store::modify::<Run>(&*ci.records, &key, |run| {
        if run.status != Status::Completed {
            run.cancel = true;
            run.reason = Some(format!("cancelled by {principal}"));
        }
    });
    match cancelled.await {
        Ok(run) => Json(json!({"id": run.id, "status": run.status})).into_response(),
        Err(error) => store_error(&error),
    }
}

pub async fn cancel_job(
    State(ci): State<Ci>,
    Path((project, number, job)): Path<(ProjectName, u64, String)>,
    asker: Asker,
) -> Response {
    let principal = match allowed(asker, &Action::Operate) {
        Ok(principal) => principal,
        Err(answer) => return *answer,
    };
    let key = Run::key_of(&RunId { project, number });
    let cancelled = store::modify::<Run>(&*ci.records, &key, |run| {
        let goes_on = run.jobs.iter().any(|it| it.id == job && it.status != Status::Completed);
        if goes_on && !run.cancel_jobs.iter().any(|it| it.job == job) {
            run.cancel_jobs.push(JobCancel { job: job.clone(), reason: format!("cancelled by {principal}") });
        }
    });
    match cancelled.await {
        Ok(run) if run.jobs.iter().any(|it| it.id == job) => {
            Json(json!({"id": run.id, "status": run.status})).into_response()
        }
        Ok(_) => refuse(StatusCode::NOT_FOUND, format!("the run has no job `{job}`")),
        Err(error) => store_error(&error),
    }
}

/// What of a run shall start again.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RerunBody {
    /// `all`, `failed`, or `failed-tests`: the failed jobs, which are told the tests that failed
    what: Option<String>,
    job: Option<String>,
}

pub async fn rerun(
    State(ci): State<Ci>,
    Path((project, number)): Path<(ProjectName, u64)>,
    asker: Asker,
    body: Option<Json<RerunBody>>,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let tests = if body.what.as_deref() == Some("failed-tests") { Tests::Failed } else { Tests::All };
    let wanted = match (body.what.as_deref(), body.job) {
        (None, Some(job)) => Wanted::Job(job),
        (Some("failed" | "failed-tests"), None) => Wanted::Failed,
        (Some("all") | None, None) => Wanted::All,
        (what, _) => {
            let found = what.unwrap_or_default();
            return refuse(StatusCode::BAD_REQUEST, format!("expected `what` as `all`, `failed` or `failed-tests`, or a `job`, found `{found}`"));
        }
    };
    let id = RunId { project, number };
    if let Err(error) = note_tests(&ci, &id, tests).await {
        return store_error(&error);
    }
    match intake::rerun(&ci, &id, &wanted).await {
        Ok(attempt) => (StatusCode::CREATED, Json(json!({"id": id, "attempt": attempt}))).into_response(),
        Err(error @ RerunError::NoRun(_)) => refuse(StatusCode::NOT_FOUND, error),
        Err(error @ (RerunError::NotOver | RerunError::Refused(_) | RerunError::Forgotten)) => {
            refuse(StatusCode::CONFLICT, error)
        }
        Err(error @ (RerunError::Store(_) | RerunError::Unstorable(_) | RerunError::Load(_))) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

/// Which tests of a job that runs again are wanted.
enum Tests {
    All,
    Failed,
}

/// Notes for the next attempt at a run which tests its jobs shall run.
async fn note_tests(ci: &Ci, id: &RunId, tests: Tests) -> Result<(), store::TypedError> {
    let Some(run) = store::find::<Run>(&*ci.records, &Run::key_of(id)).await? else { return Ok(()) };
    match tests {
        Tests::Failed => crate::tests::ask_for_failed(ci, id, run.attempt + 1).await,
        Tests::All => crate::tests::forget_failed(ci, id, run.attempt + 1).await,
    }
}

/// As GitHub's interface takes it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct DispatchBody {
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    inputs: Map<String, Value>,
    /// Whether jobs run whose inputs did not change; GitHub has no such thing.
    no_reuse: bool,
}

pub async fn dispatch(
    State(ci): State<Ci>,
    Path((project, workflow)): Path<(ProjectName, String)>,
    asker: Asker,
    body: Option<Json<DispatchBody>>,
) -> Response {
    let principal = match allowed(asker, &Action::Operate) {
        Ok(principal) => principal,
        Err(answer) => return *answer,
    };
    let DispatchBody { git_ref, inputs, no_reuse } = body.map(|Json(body)| body).unwrap_or_default();
    let context = if no_reuse { vec![("landfall_reuse", json!("never"))] } else { Vec::new() };
    match intake::dispatch(&ci, &project, &workflow, git_ref.as_deref(), inputs, &principal, context).await {
        Ok(number) => (StatusCode::CREATED, Json(json!({"id": RunId { project, number }}))).into_response(),
        Err(error) => dispatch_error(&error),
    }
}

fn dispatch_error(error: &DispatchError) -> Response {
    match error {
        DispatchError::NoProject(_) => refuse(StatusCode::NOT_FOUND, error),
        DispatchError::NoRef(_) | DispatchError::Refused(_) => refuse(StatusCode::UNPROCESSABLE_ENTITY, error),
        DispatchError::Intake(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

/// As GitHub's interface takes it.
#[derive(Deserialize)]
pub struct RepositoryDispatchBody {
    event_type: String,
    #[serde(default)]
    client_payload: Value,
}

pub async fn repository_dispatch(
    State(ci): State<Ci>,
    Path(project): Path<ProjectName>,
    asker: Asker,
    Json(body): Json<RepositoryDispatchBody>,
) -> Response {
    let principal = match allowed(asker, &Action::Operate) {
        Ok(principal) => principal,
        Err(answer) => return *answer,
    };
    match intake::repository_dispatch(&ci, &project, &body.event_type, body.client_payload, &principal).await {
        Ok(runs) => (StatusCode::CREATED, Json(json!({"runs": runs}))).into_response(),
        Err(error) => dispatch_error(&error),
    }
}

/// Anybody may knock; who does not know the secret is sent away.
pub async fn hook(State(ci): State<Ci>, Path(project): Path<ProjectName>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let delivery = Delivery {
        event: text("x-github-event"),
        id: text("x-github-delivery"),
        signature: text("x-hub-signature-256"),
        body: &body,
    };
    match intake::receive_hook(&ci, &project, &delivery).await {
        Ok(outcome) => {
            let told = json!({"runs": outcome.runs, "errors": outcome.errors, "notes": outcome.notes});
            (StatusCode::ACCEPTED, Json(told)).into_response()
        }
        Err(error @ (HookError::NoHook(_) | HookError::BadSignature)) => refuse(StatusCode::FORBIDDEN, error),
        Err(error @ (HookError::BadBody | HookError::Missing(_))) => refuse(StatusCode::BAD_REQUEST, error),
        Err(error @ HookError::Fetch(_)) => refuse(StatusCode::BAD_GATEWAY, error),
        Err(error @ (HookError::Intake(_) | HookError::Store(_))) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}
