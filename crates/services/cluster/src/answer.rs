//! Answers as HTTP responses.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use resource::status::Status;
use serde_json::Value;

/// Texts for `Warning` headers.
pub type Warnings = Vec<String>;

pub fn json(code: StatusCode, value: &Value) -> Response {
    raw(code, Bytes::from(value.to_string()))
}

/// JSON that is already text.
pub fn raw(code: StatusCode, bytes: Bytes) -> Response {
    with_type(code, "application/json", Body::from(bytes))
}

pub fn with_type(code: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

pub fn refusal(status: &Status) -> Response {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(code, &status.to_value());
    let retry_after = status
        .details
        .as_ref()
        .and_then(|it| it.get("retryAfterSeconds"))
        .and_then(Value::as_u64);
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Adds the warnings that kubectl shows to people.
pub fn warn(mut response: Response, warnings: &Warnings) -> Response {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(header) = HeaderValue::try_from(format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, header);
        }
    }
    response
}
