//! Answers in the form registries give them.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// The error codes of the distribution specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    TagInvalid,
    Unauthorized,
    Denied,
    Unsupported,
    Unknown,
}

/// Why a request was not done.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: Code,
    message: String,
    headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Asks for the token in the one way that every client knows.
    pub fn unauthorized() -> Self {
        let message = "log in with any user name and the access token as password";
        Self::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message)
            .with(header::WWW_AUTHENTICATE, "Basic realm=\"Landfall\"")
    }

    pub fn bad_digest(error: &names::ParseDigestError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, error.to_string())
    }

    pub fn no_blob(digest: names::Digest) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::BlobUnknown, format!("no blob `{digest}` in this repository"))
    }

    pub fn no_manifest(name: &str, reference: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::ManifestUnknown, format!("no manifest `{reference}` in `{name}`"))
    }

    fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a registry request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, error.to_string())
    }
}

impl From<store::BlobError> for Refusal {
    fn from(error: store::BlobError) -> Self {
        match &error {
            store::BlobError::NotFound(digest) => Self::no_blob(*digest),
            store::BlobError::TooLarge { .. } | store::BlobError::Unavailable(_) => Self::internal(&error),
        }
    }
}

impl From<store::TypedError> for Refusal {
    fn from(error: store::TypedError) -> Self {
        Self::internal(&error)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<oci::TagError> for Refusal {
    fn from(error: oci::TagError) -> Self {
        match &error {
            oci::TagError::Immutable { .. } => Self::new(StatusCode::CONFLICT, Code::Denied, error.to_string()),
            oci::TagError::NoTag(_) | oci::TagError::Image(_) | oci::TagError::Store(_) => Self::internal(&error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "errors": [{ "code": self.code.as_str(), "message": self.message, "detail": null }]
        });
        let mut response = json(self.status, "application/json", body.to_string().into_bytes());
        for (name, value) in self.headers {
            insert(&mut response, name, &value);
        }
        response
    }
}

impl Code {
    fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A whole JSON answer.
pub fn json(status: StatusCode, content_type: &str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    insert(&mut response, header::CONTENT_TYPE, content_type);
    response
}

/// Sets a header; a value that no header can hold is left out.
pub fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The header by which registries name what they talk about.
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
