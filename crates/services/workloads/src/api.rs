//! Carries actions out against the API server.

use kube::Client;
use serde_json::{Value, json};
use workload::{
    Key, Kind, Target,
    action::{Action, Propagation, Scope},
};

/// What the server answered to a write.
#[derive(Debug)]
pub enum Answer {
    /// The object as it now is.
    Object(Value),
    /// The object is gone.
    Gone,
}

/// The few requests that controllers make.
#[derive(Clone)]
pub struct Api {
    client: Client,
}

impl Api {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// # Errors
    ///
    /// Those of the server. An object that is to be changed and is gone is an error, one that is to be deleted is not.
    pub async fn carry_out(&self, action: &Action) -> Result<Answer, kube::Error> {
        match action {
            Action::Create { kind, manifest } => self.create(*kind, manifest).await.map(Answer::Object),
            Action::Patch { target, patch } => self.patch(target, "", patch).await.map(Answer::Object),
            Action::PatchStatus { target, patch } => self.patch(target, "/status", patch).await.map(Answer::Object),
            Action::Delete { target, propagation } => {
                let policy = match propagation {
                    Propagation::Background => "Background",
                    Propagation::Foreground => "Foreground",
                };
                self.delete(target, json!({ "propagationPolicy": policy })).await
            }
            Action::Kill { target } => self.delete(target, json!({ "gracePeriodSeconds": 0 })).await,
            // Events are posted by their own task, not one by one on the way.
            Action::Tell { .. } => Ok(Answer::Gone),
        }
    }

    pub async fn get(&self, kind: Kind, key: &Key) -> Result<Option<Value>, kube::Error> {
        match self.send(http::Method::GET, &path(kind, key), "", &Value::Null).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn list(&self, kind: Kind, namespace: &str) -> Result<Vec<Value>, kube::Error> {
        let mut list = self.send(http::Method::GET, &collection(kind, namespace), "", &Value::Null).await?;
        let Value::Array(items) = list["items"].take() else { return Ok(Vec::new()) };
        Ok(items)
    }

    pub async fn create(&self, kind: Kind, manifest: &Value) -> Result<Value, kube::Error> {
        let namespace = manifest["metadata"]["namespace"].as_str().unwrap_or_default();
        self.send(http::Method::POST, &collection(kind, namespace), "application/json", manifest).await
    }

    /// Gives a pod its node.
    pub async fn bind(&self, pod: &Target, node: &str) -> Result<(), kube::Error> {
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": { "name": pod.key.name, "namespace": pod.key.namespace, "uid": pod.uid },
            "target": { "apiVersion": "v1", "kind": "Node", "name": node },
        });
        let path = format!("{}/binding", path(pod.kind, &pod.key));
        self.send(http::Method::POST, &path, "application/json", &binding).await.map(drop)
    }

    /// Removes the finalizer in a namespace's spec.
    pub async fn finalize(&self, namespace: &str) -> Result<(), kube::Error> {
        let key = Key::new("", namespace);
        let Some(mut object) = self.get(Kind::Namespace, &key).await? else { return Ok(()) };
        object["spec"]["finalizers"] = json!([]);
        let path = format!("{}/finalize", path(Kind::Namespace, &key));
        match self.send(http::Method::PUT, &path, "application/json", &object).await {
            Err(error) if !is_not_found(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub async fn patch(&self, target: &Target, subresource: &str, patch: &Value) -> Result<Value, kube::Error> {
        let path = format!("{}{subresource}", path(target.kind, &target.key));
        self.send(http::Method::PATCH, &path, "application/merge-patch+json", patch).await
    }

    async fn delete(&self, target: &Target, mut options: Value) -> Result<Answer, kube::Error> {
        options["preconditions"] = json!({ "uid": target.uid });
        let answer = self.send(http::Method::DELETE, &path(target.kind, &target.key), "application/json", &options).await;
        let object = match answer {
            Ok(object) => object,
            // A conflict says that the name belongs to a younger object: the one that was meant is gone.
            Err(error) if is_not_found(&error) || is_conflict(&error) => return Ok(Answer::Gone),
            Err(error) => return Err(error),
        };
        let metadata = &object["metadata"];
        let held = metadata["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
        let ending = metadata["deletionGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds > 0);
        Ok(if held || ending { Answer::Object(object) } else { Answer::Gone })
    }

    async fn send(&self, method: http::Method, path: &str, media: &str, body: &Value) -> Result<Value, kube::Error> {
        let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).map_err(kube::Error::SerdeError)? };
        let mut request = http::Request::builder().method(method).uri(path);
        if !media.is_empty() {
            request = request.header(http::header::CONTENT_TYPE, media);
        }
        let request = request.body(bytes).map_err(kube::Error::HttpError)?;
        self.client.request(request).await
    }
}

fn collection(kind: Kind, namespace: &str) -> String {
    let version = kind.api_version();
    let root = if version.contains('/') { "apis" } else { "api" };
    match kind.scope() {
        Scope::Cluster => format!("/{root}/{version}/{}", kind.plural()),
        Scope::Namespaced => format!("/{root}/{version}/namespaces/{namespace}/{}", kind.plural()),
    }
}

fn path(kind: Kind, key: &Key) -> String {
    format!("{}/{}", collection(kind, &key.namespace), key.name)
}

pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// The server's own words, for people.
pub fn message(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error { status.message.clone() } else { error.to_string() }
}
