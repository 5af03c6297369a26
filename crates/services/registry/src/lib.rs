//! The registry: the OCI distribution interface over the shared blobs and records.
//!
//! What is pushed here is what the node runs and the builder starts from; nothing
//! is copied in between. A blob is visible in a repository that holds a manifest
//! with it, or to which it was pushed or mounted; knowing a digest is not enough.

mod answer;
mod blob;
mod manifest;
mod range;
mod referrers;
mod route;
mod tags;
mod upload;
mod visibility;

use std::{io, path::PathBuf, sync::Arc};

use access::{Action, Principal};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use store::{Blobs, Records};

use crate::{
    answer::{Code, Refusal},
    route::Route,
};

/// The state behind the routes; one for the process.
pub struct Registry {
    records: Arc<dyn Records>,
    blobs: Arc<dyn Blobs>,
    uploads: upload::Sessions,
    visible: visibility::Visibility,
}

impl Registry {
    /// Opens the registry; `uploads` is a folder for blobs on their way in.
    pub fn open(records: Arc<dyn Records>, blobs: Arc<dyn Blobs>, uploads: PathBuf) -> io::Result<Self> {
        let uploads = upload::Sessions::open(uploads)?;
        Ok(Self { records, blobs, uploads, visible: visibility::Visibility::default() })
    }
}

/// The routes under `/v2/`; who asks comes as an extension of the request.
pub fn router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/v2", any(serve))
        .route("/v2/", any(serve))
        .route("/v2/{*path}", any(serve))
        .with_state(registry)
}

async fn serve(State(registry): State<Arc<Registry>>, request: Request) -> Response {
    let mut response = match answer(&registry, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    response
        .headers_mut()
        .insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    response
}

async fn answer(registry: &Registry, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let principal = parts.extensions.get::<Principal>().cloned().ok_or_else(Refusal::unauthorized)?;
    let route = Route::parse(parts.uri.path())?;
    allow(&principal, &route, &parts.method)?;
    match (&route, parts.method.as_str()) {
        (Route::Base, "GET" | "HEAD") => Ok(answer::json(StatusCode::OK, "application/json", b"{}".to_vec())),
        (Route::Catalog, "GET") => tags::catalog(registry, &parts.uri).await,
        (Route::Tags { name }, "GET") => tags::list(registry, name, &parts.uri).await,
        (Route::Referrers { name, digest }, "GET") => {
            referrers::list(registry, name, digest, &parts.uri).await
        }
        (Route::Manifest { name, reference }, "GET" | "HEAD") => {
            manifest::get(registry, name, reference, &parts).await
        }
        (Route::Manifest { name, reference }, "PUT") => {
            manifest::put(registry, name, reference, &principal, &parts, body).await
        }
        (Route::Manifest { name, reference }, "DELETE") => manifest::delete(registry, name, reference).await,
        (Route::Blob { name, digest }, "GET" | "HEAD") => blob::get(registry, name, digest, &parts).await,
        (Route::Blob { name, digest }, "DELETE") => blob::delete(registry, name, digest).await,
        (Route::Uploads { name }, "POST") => upload::begin(registry, name, &parts, body).await,
        (Route::Upload { name, session }, "GET") => upload::state(registry, name, session).await,
        (Route::Upload { name, session }, "PATCH") => upload::append(registry, name, session, &parts, body).await,
        (Route::Upload { name, session }, "PUT") => upload::finish(registry, name, session, &parts, body).await,
        (Route::Upload { name, session }, "DELETE") => upload::cancel(registry, name, session).await,
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, "this method is not supported here")),
    }
}

/// Whoever may push may also undo an upload of its own; deleting what others may use is an operator's act.
fn allow(principal: &Principal, route: &Route, method: &Method) -> Result<(), Refusal> {
    let action = match (route, method.as_str()) {
        (Route::Catalog, _) => Action::ReadRecords,
        (Route::Manifest { .. } | Route::Blob { .. }, "DELETE") => Action::Operate,
        (Route::Manifest { .. }, "PUT") | (Route::Uploads { .. } | Route::Upload { .. }, _) => Action::PushImage,
        _ => Action::PullImage,
    };
    access::check(principal, &action)
        .map_err(|denied| Refusal::new(StatusCode::FORBIDDEN, Code::Denied, denied.to_string()))
}

/// An answer without a body, for methods that want none.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}
