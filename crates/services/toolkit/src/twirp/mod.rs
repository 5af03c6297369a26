//! The Twirp protocol: one POST for each call, as JSON or as Protocol Buffers.

mod wire;

use std::sync::Arc;

use api::JobGrant;
use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Toolkit, artifacts,
    auth::{self, NoGrant},
    cache_v2,
    token::Purpose,
};

/// Calls are names and numbers; a larger body is no call.
const CALL_BYTES_MAX: usize = 1024 * 1024;

const CACHES: &str = "github.actions.results.api.v1.CacheService";
const ARTIFACTS: &str = "github.actions.results.api.v1.ArtifactService";

/// Why a call was not done, in the words of the protocol.
#[derive(Debug)]
pub struct Fault {
    code: Code,
    message: String,
}

/// The codes of the protocol that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    AlreadyExists,
    BadRoute,
    Internal,
    InvalidArgument,
    Malformed,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
}

impl Fault {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// What fails here may work later; the client tries again.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a call of a job failed");
        Self::new(Code::Internal, error.to_string())
    }
}

/// `POST /twirp/SERVICE/METHOD`.
pub async fn serve(
    State(toolkit): State<Arc<Toolkit>>,
    Path((service, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let form = Form::of(&headers);
    match call(&toolkit, &service, &method, form, &headers, body).await {
        Ok(response) => response,
        Err(fault) => fault.into_response(),
    }
}

/// How a call and its answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    ProtocolBuffers,
}

impl Form {
    fn of(headers: &HeaderMap) -> Self {
        let text = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        if text.starts_with("application/protobuf") { Self::ProtocolBuffers } else { Self::Json }
    }
}

async fn call(
    toolkit: &Toolkit,
    service: &str,
    method: &str,
    form: Form,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let grant = auth::grant(toolkit, headers, Purpose::Results).await?;
    let bytes = axum::body::to_bytes(body, CALL_BYTES_MAX)
        .await
        .map_err(|error| Fault::new(Code::Malformed, format!("the call could not be read: {error}")))?;
    let Some(shape) = wire::shape(service, method) else {
        return Err(Fault::new(Code::BadRoute, format!("there is no method `{method}` of `{service}` here")));
    };
    let malformed = |error: String| Fault::new(Code::Malformed, error);
    let request = match form {
        Form::Json => serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?,
        Form::ProtocolBuffers => wire::read(shape.request, &bytes).map_err(|error| malformed(error.to_string()))?,
    };
    let answer = answer(toolkit, &grant, service, method, request).await?;
    Ok(match form {
        Form::Json => answered("application/json", answer.to_string().into()),
        Form::ProtocolBuffers => answered("application/protobuf", wire::write(shape.answer, &answer).into()),
    })
}

async fn answer(
    toolkit: &Toolkit,
    grant: &JobGrant,
    service: &str,
    method: &str,
    request: Value,
) -> Result<Value, Fault> {
    match (service, method) {
        (CACHES, "CreateCacheEntry") => cache_v2::create(toolkit, grant, parse(request)?).await,
        (CACHES, "FinalizeCacheEntryUpload") => cache_v2::finish(toolkit, grant, parse(request)?).await,
        (CACHES, "GetCacheEntryDownloadURL") => cache_v2::find(toolkit, grant, parse(request)?).await,
        (ARTIFACTS, "CreateArtifact") => artifacts::create(toolkit, grant, parse(request)?).await,
        (ARTIFACTS, "FinalizeArtifact") => artifacts::finish(toolkit, grant, parse(request)?).await,
        (ARTIFACTS, "ListArtifacts") => artifacts::list(toolkit, grant, parse(request)?).await,
        (ARTIFACTS, "GetSignedArtifactURL") => artifacts::address(toolkit, grant, parse(request)?).await,
        (ARTIFACTS, "DeleteArtifact") => artifacts::delete(toolkit, grant, parse(request)?).await,
        // The table of shapes names the same methods.
        _ => Err(Fault::new(Code::BadRoute, format!("there is no method `{method}` of `{service}` here"))),
    }
}

fn parse<T: DeserializeOwned>(request: Value) -> Result<T, Fault> {
    serde_json::from_value(request).map_err(|error| Fault::new(Code::InvalidArgument, error.to_string()))
}

/// Numbers of 64 bits are texts in this protocol's JSON; some clients send numbers.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no number"))),
    }
}

/// As [`number`], for one that may be left out.
pub fn optional_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "number")] u64);
    Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|it| it.0))
}

fn answered(media_type: &'static str, body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, media_type)], body).into_response()
}

impl From<NoGrant> for Fault {
    fn from(error: NoGrant) -> Self {
        match &error {
            NoGrant::NoToken | NoGrant::BadToken => Self::new(Code::Unauthenticated, error.to_string()),
            NoGrant::Store(_) => Self::internal(&error),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (code, status) = match self.code {
            Code::AlreadyExists => ("already_exists", StatusCode::CONFLICT),
            Code::BadRoute => ("bad_route", StatusCode::NOT_FOUND),
            Code::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
            Code::InvalidArgument => ("invalid_argument", StatusCode::BAD_REQUEST),
            Code::Malformed => ("malformed", StatusCode::BAD_REQUEST),
            Code::NotFound => ("not_found", StatusCode::NOT_FOUND),
            Code::PermissionDenied => ("permission_denied", StatusCode::FORBIDDEN),
            Code::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED),
            Code::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
        };
        // Faults are JSON in both forms.
        let body = serde_json::json!({ "code": code, "msg": self.message }).to_string();
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
