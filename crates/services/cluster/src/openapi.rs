//! Serves the OpenAPI documents, from which kubectl learns schemas.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use resource::openapi;

use crate::{answer, query::Query};

/// `/openapi/v3`
pub fn index() -> Response {
    answer::raw(StatusCode::OK, Bytes::from(openapi::index()))
}

/// `/openapi/v2`: a document without definitions, in the protobuf form that kubectl asks for.
///
/// kubectl looks here when the third version does not know a kind, and then says
/// rightly that there is no such kind; an error would look like a broken server.
pub fn second_version() -> Response {
    let content = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    // Field 1, the version of the specification, as text of three bytes.
    answer::with_type(StatusCode::OK, content, Body::from(Bytes::from_static(b"\x0a\x032.0")))
}

/// `/openapi/v3/PATH`
pub fn document(path: &str, query: &Query, headers: &HeaderMap) -> Option<Response> {
    let document = openapi::document(path)?;
    let takes_gzip = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .any(|it| {
            it.split(',')
                .any(|coding| coding.split(';').next().unwrap_or_default().trim() == "gzip")
        });
    let mut response = if takes_gzip {
        let mut response = answer::with_type(
            StatusCode::OK,
            "application/json",
            Body::from(document.gzip),
        );
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        answer::raw(StatusCode::OK, Bytes::from(document.inflate()))
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", document.hash)) {
        headers.insert(header::ETAG, tag);
    }
    // A URL with the hash of the document never means another document.
    let lasting = query.get("hash") == Some(document.hash.as_str());
    let cached = if lasting {
        "public, immutable, max-age=31536000"
    } else {
        "no-cache, private"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
    Some(response)
}
