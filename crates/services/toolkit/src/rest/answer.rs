//! Answers and refusals in GitHub's form.

use api::Permission;
use axum::{
    body::Body,
    http::{HeaderName, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::blobs::insert;

/// What a job may ask in an hour, in words that clients read; nothing counts.
pub const RATE_LIMIT: u32 = 5000;

/// What was asked for.
pub struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    media_type: &'static str,
    headers: Vec<(HeaderName, String)>,
}

impl Answer {
    pub fn json(value: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body: value.to_string().into_bytes(),
            media_type: "application/json; charset=utf-8",
            headers: Vec::new(),
        }
    }

    pub fn created(value: Value) -> Self {
        Self { status: StatusCode::CREATED, ..Self::json(value) }
    }

    pub fn empty(status: StatusCode) -> Self {
        Self { status, body: Vec::new(), ..Self::json(Value::Null) }
    }

    pub fn accepted() -> Self {
        Self { status: StatusCode::ACCEPTED, ..Self::json(json!({})) }
    }

    /// Bytes as they are, for clients that ask for just them.
    pub fn raw(body: Vec<u8>) -> Self {
        Self { body, media_type: "application/vnd.github.raw; charset=utf-8", ..Self::json(Value::Null) }
    }

    pub fn redirect(to: String) -> Self {
        Self::empty(StatusCode::FOUND).with(header::LOCATION, to)
    }

    pub fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let is_empty = self.body.is_empty();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        if !is_empty {
            insert(&mut response, header::CONTENT_TYPE, self.media_type);
        }
        for (name, value) in self.headers {
            insert(&mut response, name, &value);
        }
        tell_limits(&mut response);
        response
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    message: String,
    /// What would have been needed.
    accepted: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), accepted: None }
    }

    /// GitHub gives no reason, so that nobody learns what is there.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Bad credentials: this needs the token of a running job")
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub fn too_large(limit_bytes: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a request has at most {limit_bytes} bytes"))
    }

    /// GitHub has it, and this server does not.
    pub fn unsupported(what: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, format!("Landfall does not support {what}"))
    }

    pub fn unknown(method: &Method, path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("Not Found: Landfall has no `{method} {path}`"))
    }

    /// GitHub's words, which actions look for, and what to write in the workflow.
    pub fn forbidden(scope: &str, permission: Permission) -> Self {
        let level = match permission {
            Permission::None | Permission::Read => "read",
            Permission::Write => "write",
        };
        let message = format!("Resource not accessible by integration: the job needs `permissions: {scope}: {level}`");
        let accepted = Some(format!("{}={level}", scope.replace('-', "_")));
        Self { status: StatusCode::FORBIDDEN, message, accepted }
    }

    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request of a job failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<store::TypedError> for Problem {
    fn from(error: store::TypedError) -> Self {
        Self::internal(&error)
    }
}

impl From<repo::GitError> for Problem {
    fn from(error: repo::GitError) -> Self {
        match &error {
            // What a caller names may be missing; what Git says of it stays here.
            repo::GitError::Failed { .. } => Self::not_found(),
            repo::GitError::TooLarge { .. } => Self::invalid(error.to_string()),
            repo::GitError::Missing | repo::GitError::Io(_) => Self::internal(&error),
        }
    }
}

impl From<keep::ArtifactError> for Problem {
    fn from(error: keep::ArtifactError) -> Self {
        Self::internal(&error)
    }
}

impl From<keep::CacheError> for Problem {
    fn from(error: keep::CacheError) -> Self {
        Self::internal(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "message": self.message, "status": self.status.as_str() });
        let mut answer = Answer { status: self.status, ..Answer::json(body) };
        if let Some(accepted) = self.accepted {
            answer = answer.with(HeaderName::from_static("x-accepted-github-permissions"), accepted);
        }
        answer.into_response()
    }
}

fn tell_limits(response: &mut Response) {
    let reset = crate::token::seconds(store::now()) + 3600;
    let limit = RATE_LIMIT.to_string();
    for (name, value) in [
        ("x-ratelimit-limit", limit.as_str()),
        ("x-ratelimit-remaining", limit.as_str()),
        ("x-ratelimit-used", "0"),
        ("x-ratelimit-resource", "core"),
        ("x-ratelimit-reset", &reset.to_string()),
        ("x-github-media-type", "github.v3; format=json"),
    ] {
        insert(response, HeaderName::from_static(name), value);
    }
}
