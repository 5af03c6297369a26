//! The style sheet, the script and the icon: small files of our own, part of the binary.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use names::Digest;

const STYLE: &str = include_str!("../../assets/landfall.css");
const SCRIPT: &str = include_str!("../../assets/landfall.js");
const ICON: &str = include_str!("../../assets/icon.svg");

pub async fn style(headers: HeaderMap) -> Response {
    answer(&headers, STYLE, "text/css; charset=utf-8")
}

pub async fn script(headers: HeaderMap) -> Response {
    answer(&headers, SCRIPT, "text/javascript; charset=utf-8")
}

pub async fn icon(headers: HeaderMap) -> Response {
    answer(&headers, ICON, "image/svg+xml")
}

/// Browsers keep the file and ask whether it is still the same.
fn answer(asked: &HeaderMap, text: &'static str, media_type: &'static str) -> Response {
    let tag = format!("\"{}\"", Digest::of(text.as_bytes()).short());
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let fresh = known.is_some_and(|known| known.split(',').any(|it| it.trim() == tag));
    let headers = [
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::ETAG, tag),
    ];
    if fresh {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, text).into_response()
}
