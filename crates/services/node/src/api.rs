//! The few requests that the node makes to the API, over any kube client.

use std::time::SystemTime;

use http::{Method, Request, header::CONTENT_TYPE};
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use names::Timestamp;
use serde_json::{Value, json};

/// The present, which pure parts get as an argument.
pub fn now() -> Timestamp {
    SystemTime::now().into()
}

/// A kind of the core group, as watches need it.
pub fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), plural)
}

/// Pods, cluster-wide.
pub fn all_pods(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource("Pod", "pods"))
}

/// How a request changes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    Merge,
    Strategic,
}

/// Requests by path; paths hold only names that the API gave or that were checked.
#[derive(Clone)]
pub struct Requests {
    client: Client,
}

impl Requests {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `None` if there is no such object.
    pub async fn get(&self, path: &str) -> kube::Result<Option<Value>> {
        absent_is_none(self.send(Method::GET, path, None, None).await)
    }

    pub async fn post(&self, path: &str, body: &Value) -> kube::Result<Value> {
        self.send(Method::POST, path, Some("application/json"), Some(body))
            .await
    }

    /// `None` if there is no such object.
    pub async fn patch(
        &self,
        path: &str,
        kind: PatchKind,
        body: &Value,
    ) -> kube::Result<Option<Value>> {
        let content = match kind {
            PatchKind::Merge => "application/merge-patch+json",
            PatchKind::Strategic => "application/strategic-merge-patch+json",
        };
        absent_is_none(
            self.send(Method::PATCH, path, Some(content), Some(body))
                .await,
        )
    }

    /// Removes a pod at once, unless it is another one of the same name; an absent pod is success.
    pub async fn delete_pod(&self, namespace: &str, name: &str, uid: &str) -> kube::Result<()> {
        let body = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "preconditions": { "uid": uid },
        });
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        match self
            .send(Method::DELETE, &path, Some("application/json"), Some(&body))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if is(&error, 404) || is(&error, 409) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content: Option<&str>,
        body: Option<&Value>,
    ) -> kube::Result<Value> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content) = content {
            request = request.header(CONTENT_TYPE, content);
        }
        let body = body.map(Value::to_string).unwrap_or_default().into_bytes();
        self.client
            .request(request.body(body).map_err(kube::Error::HttpError)?)
            .await
    }
}

/// Whether the API answered with this status code.
pub fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

fn absent_is_none(result: kube::Result<Value>) -> kube::Result<Option<Value>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is(&error, 404) => Ok(None),
        Err(error) => Err(error),
    }
}
