//! Secrets, variables and webhooks of projects.

use access::Action;
use api::{Forks, ProjectHook, ProjectSecret, ProjectVariable};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use names::{EnvironmentName, ProjectName};
use serde::Deserialize;
use serde_json::json;

use super::{Asker, allowed, refuse, store_error};
use crate::{Ci, secrets};

/// Of which environment a value is.
#[derive(Deserialize)]
pub struct Of {
    #[serde(default)]
    environment: Option<EnvironmentName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    value: String,
}

/// The names of the secrets; nobody reads their values back.
pub async fn secrets(State(ci): State<Ci>, Path(project): Path<ProjectName>, asker: Asker) -> Response {
    if let Err(answer) = allowed(asker, &Action::ReadRecords) {
        return *answer;
    }
    match store::list::<ProjectSecret>(&*ci.records, &format!("{project}/")).await {
        Ok(all) => {
            let items = all.into_iter().map(|it| json!({"name": it.name, "environment": it.environment, "updated": it.updated}));
            Json(json!({"items": items.collect::<Vec<_>>()})).into_response()
        }
        Err(error) => store_error(&error),
    }
}

pub async fn set_secret(
    State(ci): State<Ci>,
    Path((project, name)): Path<(ProjectName, String)>,
    Query(of): Query<Of>,
    asker: Asker,
    Json(body): Json<Value>,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    let secret = match secrets::seal(&ci.seal, &project, of.environment, &name, &body.value) {
        Ok(secret) => secret,
        Err(error) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, error),
    };
    match store::put(&*ci.records, &secret).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => store_error(&error),
    }
}

pub async fn remove_secret(
    State(ci): State<Ci>,
    Path((project, name)): Path<(ProjectName, String)>,
    Query(of): Query<Of>,
    asker: Asker,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    let key = ProjectSecret::key_of(&project, of.environment.as_ref(), &name.to_ascii_uppercase());
    match store::remove::<ProjectSecret>(&*ci.records, &key).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => store_error(&error),
    }
}

pub async fn variables(State(ci): State<Ci>, Path(project): Path<ProjectName>, asker: Asker) -> Response {
    if let Err(answer) = allowed(asker, &Action::ReadRecords) {
        return *answer;
    }
    match store::list::<ProjectVariable>(&*ci.records, &format!("{project}/")).await {
        Ok(items) => Json(json!({"items": items})).into_response(),
        Err(error) => store_error(&error),
    }
}

pub async fn set_variable(
    State(ci): State<Ci>,
    Path((project, name)): Path<(ProjectName, String)>,
    Query(of): Query<Of>,
    asker: Asker,
    Json(body): Json<Value>,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    let name = match secrets::name(&name) {
        Ok(name) => name,
        Err(error) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, error),
    };
    let variable =
        ProjectVariable { project, environment: of.environment, name, value: body.value, updated: store::now() };
    match store::put(&*ci.records, &variable).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => store_error(&error),
    }
}

pub async fn remove_variable(
    State(ci): State<Ci>,
    Path((project, name)): Path<(ProjectName, String)>,
    Query(of): Query<Of>,
    asker: Asker,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    let key = ProjectVariable::key_of(&project, of.environment.as_ref(), &name.to_ascii_uppercase());
    match store::remove::<ProjectVariable>(&*ci.records, &key).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => store_error(&error),
    }
}

/// The webhook of another forge.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookBody {
    secret: String,
    #[serde(default)]
    clone_url: Option<String>,
    #[serde(default)]
    forks: Forks,
}

pub async fn set_hook(
    State(ci): State<Ci>,
    Path(project): Path<ProjectName>,
    asker: Asker,
    Json(body): Json<HookBody>,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    let sealed = match ci.seal.seal(body.secret.as_bytes()) {
        Ok(sealed) => STANDARD.encode(sealed),
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    };
    let url = format!("{}/landfall/v1/hooks/{project}", ci.config.url);
    match store::put(&*ci.records, &ProjectHook { project, sealed, clone_url: body.clone_url, forks: body.forks }).await {
        Ok(_) => Json(json!({"url": url, "content_type": "application/json"})).into_response(),
        Err(error) => store_error(&error),
    }
}

pub async fn remove_hook(State(ci): State<Ci>, Path(project): Path<ProjectName>, asker: Asker) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    match store::remove::<ProjectHook>(&*ci.records, &project.to_string()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => store_error(&error),
    }
}
