//! The objects of one kind: read, list, write, delete, watch.

use std::marker::PhantomData;

use axum::body::Body;
use http::{Method, Request, header};
use serde::Serialize;
use serde_json::{Value, json};

pub use crate::object::{ApiResource, DynamicObject, GroupVersionKind};
use crate::{Client, Error, Result};

/// The objects of one kind, everywhere or in one namespace.
pub struct Api<K = DynamicObject> {
    client: Client,
    path: String,
    objects: PhantomData<fn() -> K>,
}

impl<K> Clone for Api<K> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), path: self.path.clone(), objects: PhantomData }
    }
}

/// Which objects a list shows.
#[derive(Clone, Debug, Default)]
pub struct ListParams {
    pub label_selector: Option<String>,
    pub field_selector: Option<String>,
    pub limit: Option<u32>,
    pub continue_token: Option<String>,
}

impl ListParams {
    pub(crate) fn query(&self) -> String {
        let mut query = Query::default();
        query.add("labelSelector", self.label_selector.as_deref());
        query.add("fieldSelector", self.field_selector.as_deref());
        query.add("limit", self.limit.map(|it| it.to_string()).as_deref());
        query.add("continue", self.continue_token.as_deref());
        query.0
    }
}

/// How an object is made.
#[derive(Clone, Debug, Default)]
pub struct PostParams {}

/// How an object is changed.
#[derive(Clone, Debug, Default)]
pub struct PatchParams {
    field_manager: Option<String>,
    force: bool,
}

impl PatchParams {
    /// In the name of a manager of fields.
    pub fn apply(manager: &str) -> Self {
        Self { field_manager: Some(manager.to_owned()), force: false }
    }

    /// Takes fields that others own.
    #[must_use]
    pub fn force(self) -> Self {
        Self { force: true, ..self }
    }
}

/// A change, by the way in which it is merged.
#[derive(Clone, Debug)]
pub enum Patch<T> {
    Apply(T),
    Merge(T),
    Strategic(T),
}

/// How an object is deleted.
#[derive(Clone, Debug, Default)]
pub struct DeleteParams {
    grace_period: Option<u32>,
    propagation: Option<&'static str>,
}

impl DeleteParams {
    /// What the object owns goes after it.
    pub fn background() -> Self {
        Self { propagation: Some("Background"), ..Self::default() }
    }

    /// What the object owns goes before it.
    pub fn foreground() -> Self {
        Self { propagation: Some("Foreground"), ..Self::default() }
    }

    #[must_use]
    pub fn grace_period(self, seconds: u32) -> Self {
        Self { grace_period: Some(seconds), ..self }
    }
}

/// A page of objects.
#[derive(Debug, Default)]
pub struct ObjectList<K> {
    pub items: Vec<K>,
    pub resource_version: String,
    /// What to ask the next page with, if there is one.
    pub continue_token: Option<String>,
}

impl Api<DynamicObject> {
    /// In all namespaces, or of a kind that has none.
    pub fn all_with(client: Client, resource: &ApiResource) -> Self {
        Self { client, path: resource.path(None), objects: PhantomData }
    }

    pub fn namespaced_with(client: Client, namespace: &str, resource: &ApiResource) -> Self {
        Self { client, path: resource.path(Some(namespace)), objects: PhantomData }
    }

    pub async fn get(&self, name: &str) -> Result<DynamicObject> {
        self.send(Method::GET, &format!("/{name}"), "", None).await.map(DynamicObject::from)
    }

    /// `None` if there is no such object.
    pub async fn get_opt(&self, name: &str) -> Result<Option<DynamicObject>> {
        match self.get(name).await {
            Ok(object) => Ok(Some(object)),
            Err(Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn list(&self, params: &ListParams) -> Result<ObjectList<DynamicObject>> {
        let mut list = self.send(Method::GET, &format!("?{}", params.query()), "", None).await?;
        let metadata = list["metadata"].take();
        let text = |field: &str| metadata[field].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        let api_version = list["apiVersion"].as_str().unwrap_or_default().to_owned();
        let kind = list["kind"].as_str().and_then(|it| it.strip_suffix("List")).unwrap_or_default().to_owned();
        let Value::Array(items) = list["items"].take() else {
            return Ok(ObjectList { resource_version: text("resourceVersion").unwrap_or_default(), ..ObjectList::default() });
        };
        // The items of a list of a typed kind do not repeat what they are.
        let whole = |mut item: Value| {
            if item["kind"].is_null() {
                item["apiVersion"] = json!(api_version);
                item["kind"] = json!(kind);
            }
            DynamicObject::from(item)
        };
        Ok(ObjectList {
            items: items.into_iter().map(whole).collect(),
            resource_version: text("resourceVersion").unwrap_or_default(),
            continue_token: text("continue"),
        })
    }

    pub async fn create(&self, _: &PostParams, object: &DynamicObject) -> Result<DynamicObject> {
        self.send(Method::POST, "", "application/json", Some(&object.data)).await.map(DynamicObject::from)
    }

    pub async fn patch<T: Serialize>(&self, name: &str, params: &PatchParams, patch: &Patch<T>) -> Result<DynamicObject> {
        let (media, value) = patch_body(patch)?;
        self.patch_at(&format!("/{name}"), params, media, &value).await
    }

    pub async fn patch_status<T: Serialize>(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<T>,
    ) -> Result<DynamicObject> {
        let (media, value) = patch_body(patch)?;
        self.patch_at(&format!("/{name}/status"), params, media, &value).await
    }

    /// Deletes an object; gives it as it last was, or what the server says of its end.
    pub async fn delete(&self, name: &str, params: &DeleteParams) -> Result<Value> {
        let mut options = json!({ "kind": "DeleteOptions", "apiVersion": "v1" });
        if let Some(seconds) = params.grace_period {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        if let Some(propagation) = params.propagation {
            options["propagationPolicy"] = json!(propagation);
        }
        self.send(Method::DELETE, &format!("/{name}"), "application/json", Some(&options)).await
    }

    /// Starts a watch from a revision on.
    pub(crate) async fn watch(&self, params: &ListParams, revision: &str, seconds: u32) -> Result<Body> {
        let query = params.query();
        let and = if query.is_empty() { "" } else { "&" };
        let path = format!(
            "{}?watch=true&resourceVersion={}&timeoutSeconds={seconds}&allowWatchBookmarks=true{and}{query}",
            self.path,
            encoded(revision),
        );
        let request = Request::get(path).header(header::ACCEPT, "application/json").body(Body::empty());
        self.client.stream(request.map_err(Error::HttpError)?).await
    }

    async fn patch_at(&self, rest: &str, params: &PatchParams, media: &str, patch: &Value) -> Result<DynamicObject> {
        let mut query = Query::default();
        query.add("fieldManager", params.field_manager.as_deref());
        query.add("force", params.force.then_some("true"));
        self.send(Method::PATCH, &format!("{rest}?{}", query.0), media, Some(patch)).await.map(DynamicObject::from)
    }

    async fn send(&self, method: Method, rest: &str, media: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = Request::builder().method(method).uri(format!("{}{rest}", self.path));
        if !media.is_empty() {
            request = request.header(header::CONTENT_TYPE, media);
        }
        let body = body.map(Value::to_string).unwrap_or_default().into_bytes();
        self.client.request(request.body(body).map_err(Error::HttpError)?).await
    }
}

fn patch_body<T: Serialize>(patch: &Patch<T>) -> Result<(&'static str, Value)> {
    let (media, value) = match patch {
        Patch::Apply(value) => ("application/apply-patch+yaml", value),
        Patch::Merge(value) => ("application/merge-patch+json", value),
        Patch::Strategic(value) => ("application/strategic-merge-patch+json", value),
    };
    Ok((media, serde_json::to_value(value).map_err(Error::SerdeError)?))
}

#[derive(Default)]
struct Query(String);

impl Query {
    fn add(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&encoded(value));
    }
}

/// Percent-encoded, but for what stands in a query as it is.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,/:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
