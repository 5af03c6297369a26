//! The routes of apps: make, show, sync, go back.

use access::{Action, Principal};
use api::{App, AppRequest, AppSpec};
use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use crate::{GitOps, adopt, agents, declared, drill, webhook};

pub fn router(service: GitOps) -> Router {
    Router::new()
        .route("/landfall/v1/apps", get(list).post(create))
        .route("/landfall/v1/apps/{name}", get(show).delete(delete))
        .route("/landfall/v1/apps/{name}/request", post(request))
        .route("/landfall/v1/apps/{name}/drills", post(drill::begin))
        .route("/landfall/v1/apps/{name}/adoptions", post(adopt::adopt))
        .route(webhook::PATH, get(webhook::show).post(webhook::receive))
        .with_state(service)
}

pub fn refuse(status: StatusCode, message: impl std::fmt::Display) -> Response {
    (status, Json(json!({"error": message.to_string()}))).into_response()
}

#[expect(clippy::result_large_err, reason = "the refusal is the answer itself, made once per refused request")]
pub fn allow(principal: Option<Extension<Principal>>, action: &Action<'_>) -> Result<(), Response> {
    let Some(Extension(principal)) = principal else { return Err(identity::basic_challenge()) };
    access::check(&principal, action).map_err(|denied| refuse(StatusCode::FORBIDDEN, denied))
}

/// The app with this name, or the answer to who asked for it.
#[expect(clippy::result_large_err, reason = "the refusal is the answer itself, made once per refused request")]
pub async fn find(service: &GitOps, name: &str) -> Result<App, Response> {
    match store::find::<App>(&*service.records, name).await {
        Ok(Some(app)) => Ok(app),
        Ok(None) => Err(refuse(StatusCode::NOT_FOUND, format!("there is no app `{name}`"))),
        Err(error) => Err(refuse(StatusCode::SERVICE_UNAVAILABLE, error)),
    }
}

async fn list(State(service): State<GitOps>, principal: Option<Extension<Principal>>) -> Response {
    if let Err(refusal) = allow(principal, &Action::ReadRecords) {
        return refusal;
    }
    match store::list::<App>(&*service.records, "").await {
        Ok(apps) => Json(json!({"apiVersion": "landfall/v1", "items": apps})).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

async fn show(State(service): State<GitOps>, principal: Option<Extension<Principal>>, Path(name): Path<String>) -> Response {
    if let Err(refusal) = allow(principal, &Action::ReadRecords) {
        return refusal;
    }
    find(&service, &name).await.map_or_else(|refusal| refusal, |app| Json(app).into_response())
}

/// The text of a file with one or more `Application` documents.
#[derive(Deserialize)]
struct Source {
    file: String,
    text: String,
}

async fn create(State(service): State<GitOps>, principal: Option<Extension<Principal>>, Json(source): Json<Source>) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    let read = match delivery::gitops::read(&source.text, &source.file) {
        Ok(read) => read,
        Err(error) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, yaml::render_all(&error.0, &source.text)),
    };
    for app in &read {
        match agents::check(&service, &app.spec).await {
            Ok(None) => {}
            Ok(Some(unknown)) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, unknown),
            Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, error),
        }
    }
    let mut names = Vec::new();
    for app in read {
        if let Err(error) = put(&service, app.name.clone(), app.spec).await {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, error);
        }
        names.push(app.name);
    }
    Json(json!({"apps": names})).into_response()
}

/// Makes an app, or changes it to this.
pub async fn put(service: &GitOps, name: String, spec: AppSpec) -> Result<(), store::TypedError> {
    let fresh = declared::fresh(name.clone(), spec.clone());
    if store::create(&*service.records, &fresh).await? {
        return Ok(());
    }
    store::modify::<App>(&*service.records, &name, |app| {
        if app.spec != spec {
            app.spec = spec.clone();
            app.generation += 1;
        }
    })
    .await
    .map(drop)
}

#[derive(Deserialize)]
struct Deletion {
    /// Delete what the app brought to the cluster as well.
    #[serde(default)]
    cascade: bool,
}

async fn delete(
    State(service): State<GitOps>,
    principal: Option<Extension<Principal>>,
    Path(name): Path<String>,
    Query(deletion): Query<Deletion>,
) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    let app = match find(&service, &name).await {
        Ok(app) => app,
        Err(refusal) => return refusal,
    };
    if let (true, Some(cluster)) = (deletion.cascade, &app.spec.cluster) {
        // Only its agent reaches what the app brought.
        let asked = store::modify::<App>(&*service.records, &name, |app| {
            app.request = Some(AppRequest::Remove);
            app.generation += 1;
        });
        return match asked.await {
            Ok(_) => Json(json!({"asked": cluster, "left": []})).into_response(),
            Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
        };
    }
    // The record goes first, so that its actor does not bring back what is deleted.
    if let Err(error) = store::remove::<App>(&*service.records, &name).await {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, error);
    }
    let left = if deletion.cascade { service.delete_objects(&app).await } else { Vec::new() };
    Json(json!({"deleted": name, "left": left})).into_response()
}

impl GitOps {
    /// Deletes what an app brought; tells what could not be deleted.
    pub async fn delete_objects(&self, app: &App) -> Vec<String> {
        let mut left = Vec::new();
        for object in crate::compare::inventory(app).iter().rev() {
            if let Err(error) = delete_object(self, object).await {
                left.push(format!("{object}: {error}"));
            }
        }
        left
    }
}

/// Deletes an object unless it asks to outlive its app.
async fn delete_object(service: &GitOps, object: &api::ObjectRef) -> Result<(), objects::ClusterError> {
    let live = service.cluster.find(object).await?;
    if live.is_some_and(|live| delivery::gitops::has_option(&live, "Delete=false")) {
        return Ok(());
    }
    service.cluster.delete(object).await
}

async fn request(
    State(service): State<GitOps>,
    principal: Option<Extension<Principal>>,
    Path(name): Path<String>,
    Json(request): Json<AppRequest>,
) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    let app = match find(&service, &name).await {
        Ok(app) => app,
        Err(refusal) => return refusal,
    };
    if let AppRequest::Rollback { deployment } = &request
        && !app.status.history.iter().any(|it| it.id == *deployment)
    {
        return refuse(StatusCode::NOT_FOUND, format!("`{name}` has no deployment {deployment} to go back to"));
    }
    if matches!(request, AppRequest::Sync { revision: Some(_), .. }) && app.spec.automated.is_some() {
        let message = format!("`{name}` follows its own revision by itself and would leave another one at once; turn `automated` off first");
        return refuse(StatusCode::CONFLICT, message);
    }
    if matches!(request, AppRequest::Promote { .. } | AppRequest::Abort) && app.status.rollout.is_none() {
        return refuse(StatusCode::CONFLICT, format!("no roll-out of `{name}` is under way"));
    }
    let changed = store::modify::<App>(&*service.records, &name, |app| {
        app.request = Some(request.clone());
        app.generation += 1;
    });
    match changed.await {
        Ok(app) => Json(app).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}
