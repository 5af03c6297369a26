//! The routes of the pipeline service.

mod environments;
mod runs;
mod values;

use access::{Action, Principal};
use axum::{
    Extension, Json, Router,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{delete, get, post, put},
};
use serde_json::json;
use store::TypedError;

use crate::Ci;

/// No payload of a webhook is larger on GitHub.
const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;

pub fn router(ci: Ci) -> Router {
    let project = "/landfall/v1/projects/{project}";
    let run = "/landfall/v1/runs/{project}/{number}";
    Router::new()
        .route(&format!("{run}/cancel"), post(runs::cancel))
        .route(&format!("{run}/rerun"), post(runs::rerun))
        .route(&format!("{run}/jobs/{{job}}/cancel"), post(runs::cancel_job))
        .route(&format!("{run}/approvals"), get(environments::approvals).post(environments::decide))
        .route(&format!("{project}/dispatches"), post(runs::repository_dispatch))
        .route(&format!("{project}/workflows/{{workflow}}/dispatches"), post(runs::dispatch))
        .route(&format!("{project}/secrets"), get(values::secrets))
        .route(&format!("{project}/secrets/{{name}}"), put(values::set_secret).delete(values::remove_secret))
        .route(&format!("{project}/variables"), get(values::variables))
        .route(&format!("{project}/variables/{{name}}"), put(values::set_variable).delete(values::remove_variable))
        .route(&format!("{project}/environments"), get(environments::list))
        .route(&format!("{project}/environments/{{environment}}"), put(environments::set).delete(environments::remove))
        .route(&format!("{project}/hook"), put(values::set_hook))
        .route(&format!("{project}/hook"), delete(values::remove_hook))
        .route("/landfall/v1/hooks/{project}", post(runs::hook))
        .merge(crate::caches::routes())
        .merge(crate::trust::routes())
        .merge(crate::tests::router())
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(ci)
}

/// Who asks, as the middleware found out.
pub(crate) type Asker = Option<Extension<Principal>>;

/// The principal, if it may do this; else the answer.
pub(crate) fn allowed(asker: Asker, action: &Action<'_>) -> Result<Principal, Box<Response>> {
    let Some(Extension(principal)) = asker else { return Err(Box::new(identity::basic_challenge())) };
    match access::check(&principal, action) {
        Ok(()) => Ok(principal),
        Err(denied) => Err(Box::new(refuse(StatusCode::FORBIDDEN, denied))),
    }
}

pub(crate) fn refuse(status: StatusCode, error: impl std::fmt::Display) -> Response {
    (status, Json(json!({"error": error.to_string()}))).into_response()
}

fn store_error(error: &TypedError) -> Response {
    match error {
        TypedError::NotFound { .. } => refuse(StatusCode::NOT_FOUND, error),
        TypedError::Records(_) | TypedError::Unreadable { .. } => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}
