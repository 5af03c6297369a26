//! The routes of the deploy service: what runs where, and the way back.

use access::{Action, Principal};
use axum::{
    Extension, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use names::{EnvironmentName, ProjectName};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Deliver, drill, environments,
    rollback::{self, RequestError},
};

pub fn router(deliver: Deliver) -> Router {
    Router::new()
        .route("/landfall/v1/environments", get(list))
        .route("/landfall/v1/rollbacks", post(roll_back))
        .route("/landfall/v1/environments/{project}/{environment}/drills", post(drill::begin))
        .with_state(deliver)
}

pub fn refuse(status: StatusCode, message: impl std::fmt::Display) -> Response {
    (status, Json(json!({"error": message.to_string()}))).into_response()
}

pub fn allow(principal: Option<Extension<Principal>>, action: &Action<'_>) -> Result<Principal, Response> {
    let Some(Extension(principal)) = principal else { return Err(identity::basic_challenge()) };
    match access::check(&principal, action) {
        Ok(()) => Ok(principal),
        Err(denied) => Err(refuse(StatusCode::FORBIDDEN, denied)),
    }
}

async fn list(State(deliver): State<Deliver>, principal: Option<Extension<Principal>>) -> Response {
    if let Err(refusal) = allow(principal, &Action::ReadRecords) {
        return refusal;
    }
    match environments::all(&deliver).await {
        Ok(environments) => Json(json!({"apiVersion": "landfall/v1", "items": environments})).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

#[derive(Deserialize)]
struct RollbackRequest {
    project: ProjectName,
    environment: Option<EnvironmentName>,
}

async fn roll_back(
    State(deliver): State<Deliver>,
    principal: Option<Extension<Principal>>,
    Json(request): Json<RollbackRequest>,
) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    let environment = request.environment.unwrap_or_else(EnvironmentName::production);
    match rollback::request(&deliver, &request.project, &environment).await {
        Ok(release) => Json(release).into_response(),
        Err(error @ RequestError::NoRelease { .. }) => refuse(StatusCode::NOT_FOUND, error),
        Err(error @ (RequestError::NoWayBack(_) | RequestError::Underway(_))) => {
            refuse(StatusCode::CONFLICT, error)
        }
        Err(error @ RequestError::Store(_)) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}
