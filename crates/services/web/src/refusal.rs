//! Why a request gets no answer, as the API says it.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use store::{RecordsError, TypedError};

/// Why a request gets no answer.
#[derive(Debug)]
pub enum Refusal {
    /// Nobody asked, as far as we know.
    Nobody,
    Forbidden(access::Denied),
    /// The request says something that cannot be meant.
    Wrong(String),
    /// What was asked for is not there; `known` is nearest to it.
    Missing { message: String, known: Vec<String> },
    /// What was asked for could be several things.
    Ambiguous { message: String, known: Vec<String> },
    /// The store could not be read; the same request may succeed later.
    Unavailable(String),
}

impl Refusal {
    /// Nothing is known under `id`.
    pub fn missing(what: &str, id: impl std::fmt::Display, known: Vec<String>) -> Self {
        let hint = match known.as_slice() {
            [] => String::new(),
            known => format!("; nearest: {}", known.join(", ")),
        };
        Self::Missing { message: format!("there is no {what} `{id}`{hint}"), known }
    }

    /// Several things are known under `id`.
    pub fn ambiguous(id: &str, known: Vec<String>) -> Self {
        Self::Ambiguous { message: format!("`{id}` may be any of {}", known.join(", ")), known }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::Nobody => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::Missing { .. } => StatusCode::NOT_FOUND,
            Self::Ambiguous { .. } => StatusCode::CONFLICT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub fn message(&self) -> String {
        match self {
            Self::Nobody => "this needs the access token that `landfall status` shows".to_owned(),
            Self::Forbidden(denied) => denied.to_string(),
            Self::Wrong(message)
            | Self::Missing { message, .. }
            | Self::Ambiguous { message, .. }
            | Self::Unavailable(message) => message.clone(),
        }
    }

    /// The ids that could have been meant.
    pub fn known(&self) -> &[String] {
        match self {
            Self::Missing { known, .. } | Self::Ambiguous { known, .. } => known,
            Self::Nobody | Self::Forbidden(_) | Self::Wrong(_) | Self::Unavailable(_) => &[],
        }
    }
}

impl From<TypedError> for Refusal {
    fn from(error: TypedError) -> Self {
        tracing::error!(%error, "records could not be read");
        Self::Unavailable(error.to_string())
    }
}

impl From<RecordsError> for Refusal {
    fn from(error: RecordsError) -> Self {
        Self::from(TypedError::from(error))
    }
}

impl From<crate::job_log::LinesError> for Refusal {
    fn from(error: crate::job_log::LinesError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if matches!(self, Self::Nobody) {
            return identity::basic_challenge();
        }
        let mut body = json!({"apiVersion": crate::read_api::VERSION, "error": self.message()});
        if !self.known().is_empty() {
            body["known"] = self.known().into();
        }
        (self.status(), Json(body)).into_response()
    }
}
