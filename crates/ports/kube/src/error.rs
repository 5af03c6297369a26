//! Why a request had no good answer.

use serde::Deserialize;

/// What a request gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause from below, kept whole so that its own causes can be looked at.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The API server's account of a failure.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Status {
    pub code: u16,
    pub message: String,
    pub reason: String,
}

/// Why a request had no good answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server's own words.
    #[error("{}", if .0.message.is_empty() { &.0.reason } else { &.0.message })]
    Api(Box<Status>),
    /// The server could not be reached.
    #[error("{}", innermost(&**.0))]
    Service(#[source] BoxError),
    #[error("the API server's answer broke off: {}", innermost(&**.0))]
    Body(#[source] BoxError),
    #[error("the request is none: {0}")]
    HttpError(#[source] http::Error),
    #[error("the API server's answer is not readable: {0}")]
    SerdeError(#[source] serde_json::Error),
    #[error("no client can be made from this configuration: {0}")]
    Configuration(#[source] BoxError),
    #[error(transparent)]
    Credentials(#[from] crate::config::CredentialsError),
}

/// The last of the causes, which says most.
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost
}
