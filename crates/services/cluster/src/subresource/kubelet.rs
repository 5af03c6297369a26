//! Requests that the node of a pod answers: `log`, `exec`, `attach`.
//!
//! The request goes on to the node's own router with its upgrade, so a
//! WebSocket is spoken between the client and the node without a middleman.

use axum::{body::Body, response::Response};
use http::{Request, Uri, uri::PathAndQuery};
use resource::status::{self, Status};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{object, path::Target, query::Query, server::Server};

/// Forwards a request to the node its pod runs on.
pub async fn forward(
    server: &Server,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    let (kind, name) = (target.kind, target.name());
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let pod = server.get(kind, namespace, name)?;
    let container = container(&pod.value, query)?;
    let node = object::text(&pod.value, &["spec", "nodeName"]);
    let subresource = target.subresource.as_deref().unwrap_or_default();
    if node.is_empty() {
        if subresource == "log" {
            // A pod that waits for a node has said nothing yet.
            let mut nothing = Response::new(Body::empty());
            *nothing.status_mut() = http::StatusCode::NO_CONTENT;
            return Ok(nothing);
        }
        return Err(status::bad_request(format!(
            "pod {name} does not have a host assigned"
        )));
    }
    let Some(router) = (server.config.kubelets)(node) else {
        return Err(status::internal_error(&format!(
            "node `{node}` of pod `{name}` cannot be reached"
        )));
    };
    let folder = match subresource {
        "log" => "containerLogs",
        "exec" => "exec",
        "attach" => "attach",
        _ => return Err(status::no_such_resource()),
    };
    let mut path = format!("/{folder}/{namespace}/{name}/{container}");
    if let Some(query) = request.uri().query() {
        path.push('?');
        path.push_str(query);
    }
    let path: PathAndQuery = path
        .parse()
        .map_err(|_| status::bad_request("the names of pod and container make no URL"))?;
    let (mut parts, body) = request.into_parts();
    parts.uri = Uri::from(path);
    match router.oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// The container that is meant: the one named, or the only one.
fn container(pod: &Value, query: &Query) -> Result<String, Status> {
    let names: Vec<&str> = ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .filter_map(|list| pod["spec"][list].as_array())
        .flatten()
        .map(|container| object::text(container, &["name"]))
        .collect();
    let pod_name = object::name(pod);
    if let Some(wanted) = query.get("container") {
        if names.contains(&wanted) {
            return Ok(wanted.to_owned());
        }
        return Err(status::bad_request(format!(
            "container {wanted} is not valid for pod {pod_name}"
        )));
    }
    let main: Vec<&str> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| object::text(container, &["name"]))
        .collect();
    match main.as_slice() {
        [only] => Ok((*only).to_owned()),
        many => Err(status::bad_request(format!(
            "a container name must be specified for pod {pod_name}, choose one of: [{}]",
            many.join(" ")
        ))),
    }
}
