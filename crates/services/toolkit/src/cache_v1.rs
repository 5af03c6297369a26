//! The cache service that older clients use: reserve, send pieces, commit.

use std::sync::Arc;

use api::{CacheEntry, JobGrant};
use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use keep::{CacheError, CacheName, ENTRY_BYTES_MAX, Reach};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Toolkit,
    auth::{self, NoGrant},
    blobs,
    cache_v2::{FillError, fill},
    range,
    signed::Query,
    staging::StagingError,
    token::Purpose,
};

/// Requests hold a key, a version and a size.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reserve {
    key: String,
    version: String,
    #[serde(default)]
    cache_size: Option<u64>,
}

#[derive(Deserialize)]
struct Commit {
    size: u64,
}

/// Everything below `/_apis/artifactcache/`.
pub async fn serve(State(toolkit): State<Arc<Toolkit>>, Path(rest): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let grant = match auth::grant(&toolkit, &parts.headers, Purpose::Results).await {
        Ok(grant) => grant,
        Err(error @ (NoGrant::NoToken | NoGrant::BadToken)) => return refusal(StatusCode::UNAUTHORIZED, &error.to_string()),
        Err(error @ NoGrant::Store(_)) => return refusal(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    let query = Query::of(&parts.uri);
    let segments: Vec<&str> = rest.split('/').collect();
    let answer = match (parts.method.as_str(), segments.as_slice()) {
        ("GET", ["cache"]) => find(&toolkit, &grant, &query).await,
        ("GET", ["caches"]) => list(&toolkit, &grant, &query).await,
        ("POST", ["caches"]) => reserve(&toolkit, &grant, body).await,
        ("PATCH", ["caches", number]) => {
            let sent = parts.headers.get(header::CONTENT_RANGE).and_then(|it| it.to_str().ok());
            append(&toolkit, &grant, number, sent, body).await
        }
        ("POST", ["caches", number]) => commit(&toolkit, &grant, number, body).await,
        _ => Ok(refusal(StatusCode::NOT_FOUND, &format!("the cache service has no `{rest}`"))),
    };
    answer.unwrap_or_else(refused)
}

async fn find(toolkit: &Toolkit, grant: &JobGrant, query: &Query) -> Result<Response, FillError> {
    let keys: Vec<String> = query.get("keys").split(',').map(|key| key.trim().to_owned()).collect();
    let now = store::now();
    let found = toolkit.caches.find(grant.project(), &Reach::of(grant), &keys, query.get("version"), now).await?;
    let Some(found) = found else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let digest = toolkit.caches.archive(&found).await?;
    let CacheEntry { key, scope, version, created, .. } = found;
    let answer = json!({
        "archiveLocation": blobs::cache_address(toolkit, digest, now),
        "cacheKey": key, "scope": scope, "cacheVersion": version, "creationTime": created,
    });
    Ok(json_answer(StatusCode::OK, &answer))
}

async fn list(toolkit: &Toolkit, grant: &JobGrant, query: &Query) -> Result<Response, FillError> {
    let reach = Reach::of(grant);
    let mut all = toolkit.caches.list(grant.project()).await?;
    all.retain(|it| reach.read.contains(&it.scope) && it.key.starts_with(query.get("key")));
    let shown: Vec<Value> = all
        .iter()
        .map(|it| json!({ "cacheKey": it.key, "scope": it.scope, "cacheVersion": it.version, "creationTime": it.created }))
        .collect();
    Ok(json_answer(StatusCode::OK, &json!({ "totalCount": shown.len(), "artifactCaches": shown })))
}

async fn reserve(toolkit: &Toolkit, grant: &JobGrant, body: Body) -> Result<Response, FillError> {
    let Some(request) = read::<Reserve>(body).await else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "expected a key and a version as JSON"));
    };
    if let Some(size) = request.cache_size.filter(|size| *size > ENTRY_BYTES_MAX) {
        return Err(CacheError::TooLarge(size).into());
    }
    let name = CacheName { key: request.key, version: request.version };
    let reserved = toolkit.caches.reserve(grant.project(), &Reach::of(grant), &name, store::now()).await?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "cacheId": reserved.number() })))
}

async fn append(
    toolkit: &Toolkit,
    grant: &JobGrant,
    number: &str,
    sent: Option<&str>,
    body: Body,
) -> Result<Response, FillError> {
    let Some((offset, _)) = sent.and_then(range::sent) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "expected a `Content-Range` such as `bytes 0-99/*`"));
    };
    let (_, upload) = reserved(toolkit, grant, number).await?;
    toolkit.staging.put_piece(&upload, offset, body, ENTRY_BYTES_MAX).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn commit(toolkit: &Toolkit, grant: &JobGrant, number: &str, body: Body) -> Result<Response, FillError> {
    let Some(request) = read::<Commit>(body).await else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "expected the size as JSON"));
    };
    let (entry, upload) = reserved(toolkit, grant, number).await?;
    fill(toolkit, &entry, &upload, request.size).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The entry that this job's scope reserved under this number.
async fn reserved(toolkit: &Toolkit, grant: &JobGrant, number: &str) -> Result<(CacheEntry, String), CacheError> {
    let number = number.parse().map_err(|_| CacheError::NotReserved)?;
    toolkit.caches.reserved_by_number(grant.project(), &Reach::of(grant), number).await
}

async fn read<T: serde::de::DeserializeOwned>(body: Body) -> Option<T> {
    let bytes = axum::body::to_bytes(body, REQUEST_BYTES_MAX).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn refused(error: FillError) -> Response {
    let status = match &error {
        FillError::Cache(error) => match error {
            CacheError::Exists => StatusCode::CONFLICT,
            CacheError::WriteDenied(_) => StatusCode::FORBIDDEN,
            CacheError::BadKey(_) | CacheError::WrongSize { .. } | CacheError::TooLarge(_) => StatusCode::BAD_REQUEST,
            CacheError::NotReserved => StatusCode::NOT_FOUND,
            CacheError::Keep(_) => StatusCode::INTERNAL_SERVER_ERROR,
        },
        FillError::Staging(error) => match error {
            StagingError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            StagingError::TooManyBlocks | StagingError::NoBlock(_) | StagingError::Empty | StagingError::BrokenOff(_) => {
                StatusCode::BAD_REQUEST
            }
            StagingError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        },
    };
    if status.is_server_error() {
        tracing::error!(%error, "a cache request failed");
    }
    refusal(status, &error.to_string())
}

fn refusal(status: StatusCode, message: &str) -> Response {
    json_answer(status, &json!({ "message": message }))
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
