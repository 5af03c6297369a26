//! Blobs: reading, also in parts, and forgetting.

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::Response,
};
use names::Digest;

use crate::{
    Registry,
    answer::{CONTENT_DIGEST, Code, Refusal, insert},
    empty, range,
};

pub async fn get(registry: &Registry, name: &str, digest: &Digest, request: &Parts) -> Result<Response, Refusal> {
    let digest = *digest;
    if !registry.visible.contains(registry, name, digest).await? {
        return Err(Refusal::no_blob(digest));
    }
    let size = registry.blobs.stat(digest).await?.ok_or_else(|| Refusal::no_blob(digest))?;
    if is_known(&request.headers, digest) {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        insert(&mut response, header::ETAG, &etag(digest));
        return Ok(response);
    }
    let asked = request.headers.get(header::RANGE).and_then(|it| it.to_str().ok());
    let (status, part) = match range::parse(asked, size) {
        range::Asked::Whole => (StatusCode::OK, 0..size),
        range::Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        range::Asked::Unsatisfiable => {
            let message = format!("the blob has {size} bytes");
            return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::SizeInvalid, message)
                .with(header::CONTENT_RANGE, format!("bytes */{size}")));
        }
    };
    let body = match request.method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(registry.blobs.get(digest, Some(part.clone())).await?),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    insert(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    insert(&mut response, header::CONTENT_LENGTH, &(part.end - part.start).to_string());
    insert(&mut response, header::ACCEPT_RANGES, "bytes");
    insert(&mut response, header::ETAG, &etag(digest));
    insert(&mut response, CONTENT_DIGEST, &digest.to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let shown = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        insert(&mut response, header::CONTENT_RANGE, &shown);
    }
    Ok(response)
}

/// The repository no longer shows the blob; its bytes may belong to others and stay.
pub async fn delete(registry: &Registry, name: &str, digest: &Digest) -> Result<Response, Refusal> {
    if !registry.visible.contains(registry, name, *digest).await? {
        return Err(Refusal::no_blob(*digest));
    }
    registry.visible.hide(name, *digest);
    Ok(empty(StatusCode::ACCEPTED))
}

pub fn etag(digest: Digest) -> String {
    format!("\"{digest}\"")
}

/// Whether the client says that it has just these bytes.
pub fn is_known(headers: &HeaderMap, digest: Digest) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim().trim_start_matches("W/");
        tag == "*" || tag.trim_matches('"') == digest.to_string()
    })
}
