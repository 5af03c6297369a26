//! Requests to parts of objects: which subresource answers which method.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode};
use resource::status::{self, Status};

use crate::{
    answer,
    author::Author,
    patch::Patch,
    path::Target,
    prepare::Part,
    query::Query,
    read,
    server::Server,
    subresource,
    write::{self, Origin},
    write_requests::{change, sent, update},
};

/// Answers a request to a part of an object.
pub async fn answer(
    server: &Arc<Server>,
    target: &Target,
    subresource: &str,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    match (subresource, request.method().as_str()) {
        ("status" | "finalize", "GET") => read::get(server, target, query, request.headers()),
        ("status", "PUT") => update(server, target, Part::Status, query, request).await,
        ("status", "PATCH") => change(server, target, Part::Status, query, request).await,
        ("finalize", "PUT") => update(server, target, Part::Finalizers, query, request).await,
        ("scale", "GET") => {
            let workload = server.get(
                target.kind,
                target.namespace.as_deref().unwrap_or_default(),
                target.name(),
            )?;
            Ok(answer::json(
                StatusCode::OK,
                &subresource::scale::of(&workload.value),
            ))
        }
        ("scale", "PUT" | "PATCH") => scale(server, target, query, request).await,
        ("binding", "POST") => {
            let binding = sent(request).await?.value()?.unwrap_or_default();
            subresource::pods::bind(server, target, &binding, query.mode()?).await
        }
        ("eviction", "POST") => {
            let eviction = sent(request).await?.value()?.unwrap_or_default();
            subresource::pods::evict(server, target, &eviction, query).await
        }
        ("token", "POST") => {
            let wanted = sent(request).await?.value()?.unwrap_or_default();
            subresource::token::create(server, target, &wanted)
        }
        ("log", "GET") | ("exec" | "attach", "GET" | "POST") => {
            subresource::kubelet::forward(server, target, query, request).await
        }
        ("portforward", _) => Err(status::bad_request(
            "port-forward is not served; reach pods through a Service or by their own address",
        )),
        _ => Err(status::method_not_allowed()),
    }
}

async fn scale(
    server: &Server,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    let mode = query.mode()?;
    let author = Author::of(query, &request, "scale");
    let is_patch = request.method() == Method::PATCH;
    let sent = sent(request).await?;
    let patch = if is_patch {
        Some(Patch::read(&sent)?)
    } else {
        None
    };
    let whole = if is_patch { None } else { sent.value()? };
    let changed = write::change(server, target, Part::Main, Origin::Written(&author), mode, |old| {
        let shown = subresource::scale::of(old);
        let wanted = match (&patch, &whole) {
            (Some(patch), _) => patch.apply_untyped(&shown)?,
            (None, Some(whole)) => whole.clone(),
            (None, None) => return Err(status::bad_request("the body of the request was empty")),
        };
        Ok((
            subresource::scale::onto(old, &wanted)?,
            Vec::<String>::new(),
        ))
    })
    .await?;
    Ok(answer::json(
        StatusCode::OK,
        &subresource::scale::of(&changed.object.value),
    ))
}
