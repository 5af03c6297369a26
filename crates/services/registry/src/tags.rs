//! Lists of tags and repositories, page by page.

use std::collections::BTreeSet;

use api::{ImageManifest, ImageTag};
use axum::{
    http::{StatusCode, Uri, header},
    response::Response,
};
use serde_json::json;

use crate::{
    Registry,
    answer::{self, Code, Refusal, insert},
    upload::query,
};

/// Of one page; a larger `n` gets this many and a link to the rest.
const MAX_PAGE: usize = 1000;

pub async fn list(registry: &Registry, name: &str, uri: &Uri) -> Result<Response, Refusal> {
    let tags: Vec<ImageTag> = store::list(&*registry.records, &format!("{name}:")).await?;
    if tags.is_empty() {
        let manifests: Vec<ImageManifest> = store::list(&*registry.records, &format!("{name}@")).await?;
        if manifests.is_empty() {
            let message = format!("there is no repository `{name}`");
            return Err(Refusal::new(StatusCode::NOT_FOUND, Code::NameUnknown, message));
        }
    }
    let tags = tags.into_iter().map(|tag| tag.tag.to_string()).collect();
    let (page, more) = page(tags, uri)?;
    let body = json!({ "name": name, "tags": page });
    Ok(listed(&body, &format!("/v2/{name}/tags/list"), &page, more))
}

pub async fn catalog(registry: &Registry, uri: &Uri) -> Result<Response, Refusal> {
    let manifests: Vec<ImageManifest> = store::list(&*registry.records, "").await?;
    let names = manifests.into_iter().map(|manifest| manifest.repository).collect();
    let (page, more) = page(names, uri)?;
    Ok(listed(&json!({ "repositories": page }), "/v2/_catalog", &page, more))
}

enum More {
    Yes,
    No,
}

/// What comes after `last`, at most `n`.
fn page(all: BTreeSet<String>, uri: &Uri) -> Result<(Vec<String>, More), Refusal> {
    let limit = match query(uri, "n") {
        Some(text) => text.parse::<usize>().map_err(|_| {
            Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, format!("`{text}` is no number of results"))
        })?,
        None => MAX_PAGE,
    };
    let limit = limit.min(MAX_PAGE);
    let last = query(uri, "last").unwrap_or_default();
    let mut rest = all.into_iter().filter(|it| last.is_empty() || **it > *last);
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let more = if limit > 0 && rest.next().is_some() { More::Yes } else { More::No };
    Ok((page, more))
}

fn listed(body: &serde_json::Value, path: &str, page: &[String], more: More) -> Response {
    let mut response = answer::json(StatusCode::OK, "application/json", body.to_string().into_bytes());
    if let (More::Yes, Some(last)) = (more, page.last()) {
        let link = format!("<{path}?n={}&last={last}>; rel=\"next\"", page.len());
        insert(&mut response, header::LINK, &link);
    }
    response
}
