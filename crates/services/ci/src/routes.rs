//! The routes of the pipeline service: ending a run.

use access::{Action, Principal};
use api::{Run, Status};
use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use names::{ProjectName, RunId};
use serde_json::json;
use store::TypedError;

use crate::Ci;

pub fn router(ci: Ci) -> Router {
    Router::new()
        .route("/landfall/v1/runs/{project}/{number}/cancel", post(cancel))
        .with_state(ci)
}

async fn cancel(
    State(ci): State<Ci>,
    Path((project, number)): Path<(ProjectName, u64)>,
    principal: Option<Extension<Principal>>,
) -> Response {
    let refuse = |status: StatusCode, error: String| (status, Json(json!({"error": error}))).into_response();
    let Some(Extension(principal)) = principal else { return identity::basic_challenge() };
    if let Err(denied) = access::check(&principal, &Action::Operate) {
        return refuse(StatusCode::FORBIDDEN, denied.to_string());
    }
    let key = Run::key_of(&RunId { project, number });
    let cancelled = store::modify::<Run>(&*ci.records, &key, |run| {
        if run.status != Status::Completed {
            run.cancel = true;
            run.reason = Some(format!("cancelled by {principal}"));
        }
    });
    match cancelled.await {
        Ok(run) => Json(json!({"id": run.id, "status": run.status})).into_response(),
        Err(error @ TypedError::NotFound { .. }) => refuse(StatusCode::NOT_FOUND, error.to_string()),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}
