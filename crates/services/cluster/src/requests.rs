//! Takes requests apart and hands them to whoever answers them.

use std::sync::Arc;

use access::Principal;
use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode};
use resource::status::{self, Status};

use crate::{
    answer,
    discovery::{self, Root},
    openapi, parts,
    path::{self, Target},
    prepare::Part,
    query::{FieldValidation, Query},
    read, review,
    rights::{self, Verb},
    server::Server,
    watch, write_requests,
};

/// Answers one request.
pub async fn answer(server: Arc<Server>, request: Request<Body>) -> Response {
    match route(&server, request).await {
        Ok(response) => response,
        Err(status) => answer::refusal(&status),
    }
}

async fn route(server: &Arc<Server>, request: Request<Body>) -> Result<Response, Status> {
    let Some(principal) = request.extensions().get::<Principal>().cloned() else {
        return Err(status::unauthorized());
    };
    let segments = path::segments(request.uri().path());
    let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let query = Query::parse(request.uri().query());
    if request.method() == Method::GET
        && let Some(response) = about_server(server, &texts, &query, request.headers())?
    {
        return Ok(response);
    }
    let target = Target::parse(&segments)?;
    let verb = verb(&target, request.method(), &query)?;
    rights::check(&principal, verb, &target)?;
    tracing::debug!(%principal, verb = verb.as_str(), path = request.uri().path(), "request");
    if !verb.reads() && !server.store.is_healthy() {
        return Err(status::service_unavailable(
            "the cluster's database cannot be written; is the disk full?",
        ));
    }
    if !target.kind.is_stored() {
        return review(server, &principal, &target, request).await;
    }
    if let Some(subresource) = target.subresource.clone() {
        return parts::answer(server, &target, &subresource, &query, request).await;
    }
    if !target.kind.verbs.contains(&verb.as_str()) {
        return Err(status::method_not_allowed());
    }
    match verb {
        Verb::Get => read::get(server, &target, &query, request.headers()),
        Verb::List => read::list(server, &target, &query, request.headers()),
        Verb::Watch => watch::watch(server, &target, &query, request.headers()),
        Verb::Create => write_requests::create(server, &target, &query, request).await,
        Verb::Update => write_requests::update(server, &target, Part::Main, &query, request).await,
        Verb::Patch => write_requests::change(server, &target, Part::Main, &query, request).await,
        Verb::Delete => write_requests::delete(server, &target, &query, request).await,
        Verb::DeleteCollection => {
            write_requests::delete_collection(server, &target, &query, request).await
        }
    }
}

/// Discovery, documents and health.
fn about_server(
    server: &Server,
    path: &[&str],
    query: &Query,
    headers: &http::HeaderMap,
) -> Result<Option<Response>, Status> {
    let missing = status::no_such_resource;
    let address = server.config.server_address.to_string();
    let response = match path {
        ["version"] => discovery::version(),
        ["healthz" | "livez" | "readyz", ..] if server.store.is_healthy() => discovery::healthy(),
        ["healthz" | "livez" | "readyz", ..] => {
            return Err(status::internal_error(
                "the cluster's database cannot be written",
            ));
        }
        ["api"] => discovery::root(Root::Core, headers, &address),
        ["apis"] => discovery::root(Root::Groups, headers, &address),
        ["api", version] => discovery::resources("", version).ok_or_else(missing)?,
        ["apis", group] => discovery::group(group).unwrap_or_else(discovery::no_such_page),
        ["apis", group, version] => discovery::resources(group, version).unwrap_or_else(discovery::no_such_page),
        ["apis", group, version, ..] if !discovery::serves(group, version) => discovery::no_such_page(),
        ["openapi", "v2"] => openapi::second_version(),
        ["openapi", "v3"] => openapi::index(),
        ["openapi", "v3", rest @ ..] => {
            openapi::document(&rest.join("/"), query, headers).ok_or_else(missing)?
        }
        _ => return Ok(None),
    };
    Ok(Some(response))
}

fn verb(target: &Target, method: &Method, query: &Query) -> Result<Verb, Status> {
    let named = target.name.is_some();
    match *method {
        Method::GET if query.is_set("watch") && target.subresource.is_none() => Ok(Verb::Watch),
        Method::GET if named => Ok(Verb::Get),
        Method::GET => Ok(Verb::List),
        Method::POST if !named || target.subresource.is_some() => Ok(Verb::Create),
        Method::PUT if named => Ok(Verb::Update),
        Method::PATCH if named => Ok(Verb::Patch),
        Method::DELETE if named => Ok(Verb::Delete),
        Method::DELETE => Ok(Verb::DeleteCollection),
        _ => Err(status::method_not_allowed()),
    }
}

async fn review(
    server: &Server,
    principal: &Principal,
    target: &Target,
    request: Request<Body>,
) -> Result<Response, Status> {
    if request.method() != Method::POST {
        return Err(status::method_not_allowed());
    }
    let sent = write_requests::sent(request).await?;
    let (question, _) = sent.object(target.kind, FieldValidation::Ignore)?;
    let answered = review::answer(server, principal, target.kind, question)?;
    Ok(answer::json(StatusCode::CREATED, &answered))
}
