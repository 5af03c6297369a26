//! Signed addresses for bytes: uploads in Azure's manner, downloads in parts.
//!
//! GitHub's clients use Azure's storage library for uploads. It wants an
//! address of account, container and blob, sends large files as blocks and
//! names their order at the end.

use std::sync::Arc;

use api::Artifact;
use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use keep::{ARTIFACT_BYTES_MAX, ENTRY_BYTES_MAX};
use names::{Digest, Timestamp};

use crate::{
    Toolkit,
    range::{self, Asked},
    signed::{BadAddress, DOWNLOAD_LIFETIME, Query, Right, Shown, UPLOAD_LIFETIME},
    staging::StagingError,
};

/// The list of blocks: 50,000 names of up to 88 bytes and their tags.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where an upload of this kind goes.
pub fn upload_address(toolkit: &Toolkit, kind: &str, upload: &str, now: Timestamp) -> String {
    let path = format!("/_blobs/upload/{kind}-{upload}");
    toolkit.url_key.sign(&toolkit.config.url, &path, Right::Write, &Shown::default(), now + UPLOAD_LIFETIME)
}

/// Where an archive of the cache is.
pub fn cache_address(toolkit: &Toolkit, digest: Digest, now: Timestamp) -> String {
    download_address(toolkit, digest, &Shown::default(), now)
}

/// Where the bytes of an artifact are, under the name of its file; `None` while it is uploaded.
pub fn artifact_address(toolkit: &Toolkit, artifact: &Artifact, now: Timestamp) -> Option<String> {
    let file = artifact.file_name();
    let plain: String = file.chars().map(|c| if c.is_ascii_graphic() && c != '"' { c } else { '_' }).collect();
    let escaped = percent_encoding::utf8_percent_encode(&file, percent_encoding::NON_ALPHANUMERIC);
    let shown = Shown {
        disposition: format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{escaped}"),
        media_type: artifact.media_type.clone(),
    };
    Some(download_address(toolkit, artifact.digest()?, &shown, now))
}

fn download_address(toolkit: &Toolkit, digest: Digest, shown: &Shown, now: Timestamp) -> String {
    let path = format!("/_blobs/download/{}", digest.hex());
    toolkit.url_key.sign(&toolkit.config.url, &path, Right::Read, shown, now + DOWNLOAD_LIFETIME)
}

/// `PUT /_blobs/upload/NAME`: a block, the order of the blocks, or everything at once.
pub async fn upload(State(toolkit): State<Arc<Toolkit>>, Path(name): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(bad) = toolkit.url_key.check(&parts.uri, Right::Write, store::now()) {
        return bad_address(bad);
    }
    if parts.method != Method::PUT {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", "an upload takes PUT only");
    }
    let (limit, upload) = match name.split_once('-') {
        Some(("cache", upload)) => (ENTRY_BYTES_MAX, upload),
        Some(("artifact", upload)) => (ARTIFACT_BYTES_MAX, upload),
        _ => return refusal(StatusCode::NOT_FOUND, "BlobNotFound", "there is no such upload"),
    };
    let query = Query::of(&parts.uri);
    let taken = match query.get("comp") {
        "" => toolkit.staging.put_whole(upload, body, limit).await,
        "block" => toolkit.staging.put_block(upload, query.get("blockid"), body, limit).await,
        "blocklist" => match axum::body::to_bytes(body, LIST_BYTES_MAX).await {
            Ok(list) => toolkit.staging.put_order(upload, &blocks(&String::from_utf8_lossy(&list))).await,
            Err(error) => Err(StagingError::BrokenOff(error.to_string())),
        },
        other => {
            let text = format!("`comp={other}` is not supported; blocks and whole blobs are");
            return refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented", &text);
        }
    };
    match taken {
        Ok(()) => created(),
        Err(error) => not_taken(&error),
    }
}

/// The names in a list of blocks, in order. Which of Azure's lists a block is in does not matter here.
fn blocks(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = list;
    while let Some((_, tail)) = rest.split_once('<') {
        let Some((tag, tail)) = tail.split_once('>') else { break };
        rest = tail;
        if matches!(tag, "Latest" | "Uncommitted" | "Committed") {
            let Some((name, tail)) = tail.split_once('<') else { break };
            // Names are base64, so the one character that needs an escape never stands in them.
            names.push(name.trim().to_owned());
            rest = tail;
        }
    }
    names
}

/// `GET /_blobs/download/DIGEST`: the bytes, or a part of them.
pub async fn download(State(toolkit): State<Arc<Toolkit>>, Path(hex): Path<String>, request: Request) -> Response {
    let shown = match toolkit.url_key.check(request.uri(), Right::Read, store::now()) {
        Ok(shown) => shown,
        Err(bad) => return bad_address(bad),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", "a download takes GET and HEAD only");
    }
    let Ok(digest) = format!("sha256:{hex}").parse::<Digest>() else {
        return refusal(StatusCode::NOT_FOUND, "BlobNotFound", "there is no such blob");
    };
    match send(&toolkit, digest, &shown, request.method(), request.headers()).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "bytes could not be sent");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "the bytes cannot be read")
        }
    }
}

async fn send(
    toolkit: &Toolkit,
    digest: Digest,
    shown: &Shown,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, keep::KeepError> {
    let Some(size) = toolkit.holdings.size(digest).await? else {
        return Ok(refusal(StatusCode::NOT_FOUND, "BlobNotFound", "the time of these bytes is over"));
    };
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    // Azure's library has a header of its own for ranges.
    let asked = range::asked(text("x-ms-range").or_else(|| text("range")), size);
    let (status, part) = match asked {
        Asked::Whole => (StatusCode::OK, 0..size),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Asked::Unsatisfiable => {
            let mut response = refusal(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "nothing lies in this range");
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
    };
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(toolkit.holdings.get(digest, Some(part.clone())).await?),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let media_type = if shown.media_type.is_empty() { "application/octet-stream" } else { &shown.media_type };
    insert(&mut response, header::CONTENT_TYPE, media_type);
    insert(&mut response, header::CONTENT_LENGTH, &(part.end - part.start).to_string());
    insert(&mut response, header::ACCEPT_RANGES, "bytes");
    insert(&mut response, header::ETAG, &format!("\"{digest}\""));
    // What a job uploaded is never run by a browser under this server's name.
    insert(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    insert(&mut response, header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'");
    let disposition = if shown.disposition.is_empty() { "attachment" } else { &shown.disposition };
    insert(&mut response, header::CONTENT_DISPOSITION, disposition);
    insert(&mut response, HeaderName::from_static("x-ms-blob-type"), "BlockBlob");
    if status == StatusCode::PARTIAL_CONTENT {
        let shown = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        insert(&mut response, header::CONTENT_RANGE, &shown);
    }
    Ok(response)
}

fn created() -> Response {
    let mut response = StatusCode::CREATED.into_response();
    insert(&mut response, HeaderName::from_static("x-ms-request-server-encrypted"), "false");
    insert(&mut response, HeaderName::from_static("x-ms-version"), "2020-10-02");
    response
}

fn not_taken(error: &StagingError) -> Response {
    let text = error.to_string();
    match error {
        StagingError::TooLarge { .. } => refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestBodyTooLarge", &text),
        StagingError::TooManyBlocks => refusal(StatusCode::CONFLICT, "BlockCountExceedsLimit", &text),
        StagingError::NoBlock(_) | StagingError::Empty => refusal(StatusCode::BAD_REQUEST, "InvalidBlockList", &text),
        StagingError::BrokenOff(_) => refusal(StatusCode::BAD_REQUEST, "IncompleteBody", &text),
        StagingError::Io(error) => {
            tracing::error!(%error, "a part of an upload could not be kept");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", &text)
        }
    }
}

fn bad_address(bad: BadAddress) -> Response {
    refusal(StatusCode::FORBIDDEN, "AuthenticationFailed", &bad.to_string())
}

/// Azure's form, which its library shows to the user.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let mut response = (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response();
    insert(&mut response, HeaderName::from_static("x-ms-error-code"), code);
    response
}

/// Sets a header; a value that no header can hold is left out.
pub fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_lists_are_read_in_order() {
        let list = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><BlockList><Latest>AA==</Latest>\n <Uncommitted> BB== </Uncommitted><Committed>CC==</Committed></BlockList>";
        check(list, "AA== BB== CC==");
        check("<BlockList/>", "");
        check("<BlockList><Latest>AA", "");
        check("<Latest", "");
    }

    #[track_caller]
    fn check(list: &str, expected: &str) {
        assert_eq!(blocks(list).join(" "), expected);
    }
}
