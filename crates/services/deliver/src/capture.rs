//! The Kubernetes API as a job sees it: what it writes becomes its release.

use std::collections::BTreeMap;

use access::{Action, Principal};
use api::{ObjectRef, Record as _, ReleasedImage};
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{Method, StatusCode, header, request::Parts};
use serde_json::Value;

use objects::{ClusterError, Target, is_write, read};
use crate::{
    Deliver,
    intents::Intent,
    releases::{self, Deed},
};

/// The API server takes no larger body.
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Answers any request to the Kubernetes API by a job.
pub async fn handle(
    State(deliver): State<Deliver>,
    principal: Option<Extension<Principal>>,
    request: Request,
) -> Response {
    let Some(Extension(principal)) = principal else {
        return status(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
    };
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        let message = format!("expected a body of at most {BODY_BYTES_MAX} bytes");
        return status(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message);
    };
    let request = http::Request::from_parts(parts, bytes);
    let target = Target::of(request.uri().path());
    if let Err(message) = allowed(&principal, request.method(), target.as_ref()) {
        return status(StatusCode::FORBIDDEN, "Forbidden", &message);
    }
    if let Principal::Job { project, .. } = &principal
        && let Err(error) = deliver.ensure_namespace(project).await
    {
        let message = format!("the namespace of the project cannot be made: {error}");
        return status(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", &message);
    }
    let answered = match target {
        Some(target) if writes_objects(&request, &target) => {
            write(&deliver, &principal, &target, request).await
        }
        _ => deliver.cluster.send(request).await.map_err(CaptureError::from),
    };
    answered.unwrap_or_else(|error| {
        tracing::error!(%error, "a deploy could not be carried out");
        status(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", &error.to_string())
    })
}

#[derive(Debug, thiserror::Error)]
enum CaptureError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("the release could not be written down: {0}")]
    Store(#[from] store::TypedError),
    #[error("the object could not be kept: {0}")]
    Snapshot(#[from] crate::snapshot::SnapshotError),
}

/// A Kubernetes `Status` that says why not.
fn status(code: StatusCode, reason: &str, message: &str) -> Response {
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    });
    (code, axum::Json(body)).into_response()
}

/// A job reaches its own namespace, and what every client must read to find its way.
fn allowed(principal: &Principal, method: &Method, target: Option<&Target>) -> Result<(), String> {
    let Some(target) = target else {
        return if is_write(method) { Err(format!("`{principal}` may not write here")) } else { Ok(()) };
    };
    let reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"];
    if reviews.contains(&target.plural.as_str()) {
        return Ok(());
    }
    let namespace = match (&target.namespace, target.plural.as_str(), &target.name) {
        (Some(namespace), _, _) => namespace,
        (None, "namespaces", Some(name)) if *method != Method::DELETE => name,
        (None, plural, _) => {
            let its = if plural == "namespaces" { "make or list namespaces" } else { "reach objects without a namespace" };
            let help = "a job deploys into the namespace of its project; remove `namespace:` and `kind: Namespace` from the manifest";
            return Err(format!("{plural}: `{principal}` may not {its}: {help}"));
        }
    };
    access::check(principal, &Action::Deploy { namespace }).map_err(|denied| {
        format!("{denied}: a job deploys into the namespace of its project; remove `namespace: {namespace}` from the manifest")
    })
}

/// Whether the request changes objects for good, so that it belongs into a release.
fn writes_objects(request: &http::Request<Bytes>, target: &Target) -> bool {
    let dry = request.uri().query().is_some_and(|query| query.contains("dryRun=All"));
    let is_part = !matches!(target.subresource.as_deref(), None | Some("scale"));
    is_write(request.method()) && !dry && !is_part && target.namespace.is_some()
}

async fn write(
    deliver: &Deliver,
    principal: &Principal,
    target: &Target,
    request: http::Request<Bytes>,
) -> Result<Response, CaptureError> {
    let (mut parts, mut bytes) = request.into_parts();
    let mut images = Vec::new();
    let document = if parts.method == Method::DELETE { None } else { document_of(&parts, &bytes) };
    if let Some(mut document) = document.clone() {
        images = pin(deliver, &mut document).await?;
        // Only what was pinned is written anew; all else goes on as it came.
        if !images.is_empty() {
            let json = serde_json::to_vec(&document).map_err(ClusterError::from)?;
            bytes = json.into();
            as_json(&mut parts);
        }
    }
    let objects = objects_of(deliver, &parts, target, document.as_ref()).await?;
    let mut intents = BTreeMap::new();
    for object in &objects {
        let intent = intend(deliver, principal, object, &images).await?;
        intents.insert(object.clone(), intent);
    }
    let method = parts.method.clone();
    parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    let answer = deliver.cluster.send(http::Request::from_parts(parts, bytes)).await?;
    if !answer.status().is_success() {
        for intent in intents.values() {
            store::remove::<Intent>(&*deliver.records, &intent.key()).await?;
        }
        return Ok(answer);
    }
    let (answer_parts, answer_body) = answer.into_parts();
    let (_, told) = read(http::Response::new(answer_body)).await?;
    for object in objects_told(&objects, target, &told) {
        let is = if method == Method::DELETE { None } else { deliver.cluster.find(&object).await? };
        let intent = intents.remove(&object).unwrap_or_else(|| Intent {
            principal: principal.clone(),
            object,
            before: None,
            images: images.clone(),
        });
        note(deliver, intent, is).await?;
    }
    Ok(Response::from_parts(answer_parts, Body::from(told)))
}

/// Keeps what there is before a job changes it; written down, because the answer may never come.
async fn intend(
    deliver: &Deliver,
    principal: &Principal,
    object: &ObjectRef,
    images: &[ReleasedImage],
) -> Result<Intent, CaptureError> {
    let before = match deliver.cluster.find(object).await? {
        Some(value) => Some(deliver.snapshots.keep(object, &value).await?),
        None => None,
    };
    let intent =
        Intent { principal: principal.clone(), object: object.clone(), before, images: images.to_vec() };
    store::put(&*deliver.records, &intent).await?;
    Ok(intent)
}

/// Makes what was done part of the release; then it is not intended any more.
async fn note(deliver: &Deliver, intent: Intent, is: Option<Value>) -> Result<(), CaptureError> {
    let after = match &is {
        Some(value) => Some(deliver.snapshots.keep(&intent.object, value).await?),
        None => None,
    };
    let key = intent.key();
    let Intent { principal, object, before, images } = intent;
    releases::note(&*deliver.records, &principal, Deed { object, before, after, images }).await?;
    Ok(store::remove::<Intent>(&*deliver.records, &key).await?)
}

/// The body as a JSON document, whatever form it came in; `None` if it is none we can read.
fn document_of(parts: &Parts, bytes: &[u8]) -> Option<Value> {
    if bytes.starts_with(b"k8s\0") {
        return resource::proto::decode(bytes).ok();
    }
    if let Ok(document) = serde_json::from_slice(bytes) {
        return Some(document);
    }
    let content = parts.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    if !content.contains("yaml") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let documents = yaml::parse(text, "body", yaml::Flavor::Go11).ok()?;
    documents.into_iter().next().map(|document| document.root.to_json())
}

/// The body is JSON from here on; a patch keeps its kind, and JSON is YAML, too.
fn as_json(parts: &mut Parts) {
    if parts.method != Method::PATCH {
        let json = header::HeaderValue::from_static("application/json");
        parts.headers.insert(header::CONTENT_TYPE, json);
    }
}

/// Names every image that our registry has by its digest.
async fn pin(deliver: &Deliver, document: &mut Value) -> Result<Vec<ReleasedImage>, CaptureError> {
    let mut pinned = BTreeMap::new();
    let mut images = Vec::new();
    for reference in delivery::images_in(document) {
        if let Some(found) = deliver.images.by_digest(&reference, deliver.node_registry.as_deref()).await? {
            pinned.insert(reference, found.name);
            images.push(found.released);
        }
    }
    delivery::pin(document, &pinned);
    Ok(images)
}

/// The objects that the request is about, as far as its path and body name them.
async fn objects_of(
    deliver: &Deliver,
    parts: &Parts,
    target: &Target,
    document: Option<&Value>,
) -> Result<Vec<ObjectRef>, CaptureError> {
    let kind = kind_of(target, document);
    let text = |pointer| document.and_then(|it| it.pointer(pointer)).and_then(Value::as_str);
    if let Some(name) = &target.name {
        return Ok(vec![target.object(&kind, name)]);
    }
    if parts.method == Method::POST {
        return Ok(text("/metadata/name").map(|name| target.object(&kind, name)).into_iter().collect());
    }
    // A deletion of many: all that its selectors find.
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let list = deliver.cluster.list(&format!("{}{query}", parts.uri.path())).await?;
    let names = list.iter().filter_map(|it| it.pointer("/metadata/name").and_then(Value::as_str));
    Ok(names.map(|name| target.object(&kind, name)).collect())
}

fn kind_of(target: &Target, document: Option<&Value>) -> String {
    let (group, version) = target.api_version.split_once('/').unwrap_or(("", &target.api_version));
    if let Some(kind) = resource::kinds::by_plural(group, version, &target.plural) {
        return kind.kind.to_owned();
    }
    let told = document.and_then(|it| it.get("kind")).and_then(Value::as_str);
    told.unwrap_or(&target.plural).to_owned()
}

/// The objects known before, or the one whose generated name only the answer tells.
fn objects_told(known: &[ObjectRef], target: &Target, answer: &[u8]) -> Vec<ObjectRef> {
    if !known.is_empty() || target.name.is_some() {
        return known.to_vec();
    }
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return Vec::new() };
    let text = |pointer| answer.pointer(pointer).and_then(Value::as_str);
    match (text("/kind"), text("/metadata/name")) {
        (Some(kind), Some(name)) => vec![target.object(kind, name)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use names::{CommitId, EnvironmentName};

    use super::*;
    use objects::path_of;

    fn job() -> Principal {
        Principal::Job {
            run: "shop#1".parse().expect("a run"),
            job: "deploy".into(),
            commit: CommitId::ZERO,
            project: "shop".parse().expect("a project"),
            environment: EnvironmentName::production(),
        }
    }

    #[test]
    fn a_job_stays_in_its_namespace() {
        let check = |method: Method, path: &str| allowed(&job(), &method, Target::of(path).as_ref()).is_ok();
        assert!(check(Method::GET, "/openapi/v3"));
        assert!(check(Method::POST, "/apis/apps/v1/namespaces/shop/deployments"));
        assert!(check(Method::GET, "/api/v1/namespaces/shop"));
        assert!(check(Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"));
        assert!(!check(Method::POST, "/apis/apps/v1/namespaces/bank/deployments"));
        assert!(!check(Method::GET, "/api/v1/namespaces/bank/secrets"));
        assert!(!check(Method::DELETE, "/api/v1/namespaces/shop"));
        assert!(!check(Method::GET, "/api/v1/nodes"));
        assert!(!check(Method::POST, "/api/v1/namespaces"));
    }

    #[test]
    fn a_path_leads_back_to_its_object() {
        let target = Target::of("/api/v1/namespaces/shop/services/web").expect("a target");
        assert_eq!(path_of(&target.object("Service", "web")), "/api/v1/namespaces/shop/services/web");
    }
}
