//! The Kubernetes API as plain JSON objects, through any kube client.

use api::ObjectRef;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use crate::target::{collection_of, path_of};

/// An object of the API is at most 1.5 MiB; a list of thousands fits here.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Why the cluster did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("the cluster is out of reach: {0}")]
    Unreachable(String),
    /// The API server's own words.
    #[error("{message}")]
    Refused { code: u16, message: String },
    #[error("the cluster's answer is not JSON: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl ClusterError {
    /// Whether it says nothing about the request itself: the same one may succeed in a moment.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { code, .. } => matches!(code, 429 | 502 | 503 | 504),
            Self::Unreadable(_) => false,
        }
    }
}

/// Whether an apply is only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    Yes,
    No,
}

/// A cluster, seen as paths and JSON.
#[derive(Clone)]
pub struct KubeApi {
    client: kube::Client,
}

impl KubeApi {
    pub fn new(client: kube::Client) -> Self {
        Self { client }
    }

    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Sends a request, and gives the answer as it comes.
    ///
    /// The request may be a job's own: what belongs to its connection or says
    /// who it is ends here.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Body>, ClusterError> {
        *request.version_mut() = http::Version::HTTP_11;
        for name in [header::AUTHORIZATION, header::COOKIE, header::HOST, header::CONNECTION, header::TE] {
            request.headers_mut().remove(name);
        }
        let answer = self.client.send(request.map(kube::client::Body::from)).await;
        let answer = answer.map_err(|error| ClusterError::Unreachable(error.to_string()))?;
        Ok(answer.map(Body::new))
    }

    async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClusterError> {
        self.typed(method, path, "application/json", body).await
    }

    async fn typed(&self, method: Method, path: &str, media_type: &str, body: Option<&Value>) -> Result<Value, ClusterError> {
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, media_type)
            .body(Bytes::from(bytes))
            .map_err(|error| ClusterError::Unreachable(error.to_string()))?;
        let (status, bytes) = read(self.send(request).await?).await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&bytes)?);
        }
        // Of a group that it does not serve a cluster speaks in plain text, and so do proxies before it.
        let text = String::from_utf8_lossy(&bytes);
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let line = || text.lines().next().map(str::trim).filter(|line| !line.is_empty());
        let message = value.pointer("/message").and_then(Value::as_str).or_else(line).unwrap_or("no reason given");
        Err(ClusterError::Refused { code: status.as_u16(), message: message.to_owned() })
    }

    /// Whatever stands at a path, if something does.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, ClusterError> {
        match self.json(Method::GET, path, None).await {
            Ok(value) => Ok(Some(value)),
            Err(ClusterError::Refused { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Applies a manifest from the server's side as `manager`, taking fields that others own; gives
    /// the object as it is, or as it would be, afterwards.
    pub async fn apply(&self, object: &ObjectRef, manifest: &Value, manager: &str, dry_run: DryRun) -> Result<Value, ClusterError> {
        let manager = percent_encoding::utf8_percent_encode(manager, percent_encoding::NON_ALPHANUMERIC);
        let dry = if dry_run == DryRun::Yes { "&dryRun=All" } else { "" };
        let path = format!("{}?fieldManager={manager}&force=true{dry}", path_of(object));
        self.typed(Method::PATCH, &path, "application/apply-patch+yaml", Some(manifest)).await
    }

    /// Changes an object by a merge patch.
    pub async fn merge(&self, object: &ObjectRef, patch: &Value) -> Result<Value, ClusterError> {
        self.typed(Method::PATCH, &path_of(object), "application/merge-patch+json", Some(patch)).await
    }

    /// The object as it is, if it is there.
    pub async fn find(&self, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        self.get(&path_of(object)).await
    }

    /// The items of a list, e.g. of `/api/v1/namespaces/shop/pods`.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, ClusterError> {
        match self.json(Method::GET, path, None).await?.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    pub async fn create(&self, object: &ObjectRef, value: &Value) -> Result<Value, ClusterError> {
        self.json(Method::POST, &collection_of(object), Some(value)).await
    }

    /// Makes a namespace with these labels; one that is there stays as it is.
    pub async fn ensure_namespace(&self, name: &str, labels: &[(&str, &str)]) -> Result<(), ClusterError> {
        let namespace = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            plural: "namespaces".to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        let labels: Map<String, Value> = labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let mut value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        if !labels.is_empty() {
            value["metadata"]["labels"] = Value::Object(labels);
        }
        match self.create(&namespace, &value).await {
            // Who may not make namespaces is given one; if there is none, what goes there is refused with its name.
            Ok(_) | Err(ClusterError::Refused { code: 403 | 409, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub async fn replace(&self, object: &ObjectRef, value: &Value) -> Result<Value, ClusterError> {
        self.json(Method::PUT, &path_of(object), Some(value)).await
    }

    /// Deletes the object and, in the background, what it owns; none there is fine.
    pub async fn delete(&self, object: &ObjectRef) -> Result<(), ClusterError> {
        self.delete_with(object, "Background").await
    }

    /// Deletes the object, and what it owns as `propagation` says; none there is fine.
    pub async fn delete_with(&self, object: &ObjectRef, propagation: &str) -> Result<(), ClusterError> {
        let options = json!({"propagationPolicy": propagation});
        match self.json(Method::DELETE, &path_of(object), Some(&options)).await {
            Ok(_) | Err(ClusterError::Refused { code: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The last lines that a container wrote; none if they cannot be had.
    pub async fn last_lines(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Vec<String> {
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&tailLines=5&previous={previous}"
        );
        let Ok(request) = Request::get(path).body(Bytes::new()) else { return Vec::new() };
        let Ok(answer) = self.send(request).await else { return Vec::new() };
        match read(answer).await {
            Ok((StatusCode::OK, bytes)) => {
                String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The status and the whole body of an answer.
pub async fn read(answer: Response<Body>) -> Result<(StatusCode, Bytes), ClusterError> {
    let status = answer.status();
    let limited = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
    let body = limited.collect().await.map_err(|error| ClusterError::Unreachable(error.to_string()))?;
    Ok((status, body.to_bytes()))
}
