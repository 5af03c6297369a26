//! What a request to the Kubernetes API is about, read from its path.

use api::ObjectRef;
use axum::http::Method;

/// The object or the list that a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub api_version: String,
    pub namespace: Option<String>,
    pub plural: String,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

impl Target {
    /// Reads a path; `None` for paths that name no object, such as discovery.
    pub fn of(path: &str) -> Option<Self> {
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        let (api_version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let text = |part: Option<&&str>| part.map(|part| (*part).to_owned());
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !is_namespace_part(rest) => {
                (Some((*namespace).to_owned()), rest)
            }
            _ => (None, rest),
        };
        let plural = text(rest.first())?;
        Some(Self {
            api_version,
            namespace,
            plural,
            name: text(rest.get(1)),
            subresource: text(rest.get(2)),
        })
    }

    /// The name of the object once it is known what kind it is.
    pub fn object(&self, kind: &str, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: self.api_version.clone(),
            kind: kind.to_owned(),
            plural: self.plural.clone(),
            namespace: self.namespace.clone(),
            name: name.to_owned(),
        }
    }
}

/// `/api/v1/namespaces/shop/status` speaks of the namespace, not of a kind called `status`.
fn is_namespace_part(rest: &[&str]) -> bool {
    matches!(rest, ["status" | "finalize"])
}

/// Where an object is reached.
pub fn path_of(object: &ObjectRef) -> String {
    format!("{}/{}", collection_of(object), object.name)
}

/// Where objects of its kind are listed and made.
pub fn collection_of(object: &ObjectRef) -> String {
    let root = if object.api_version.contains('/') { "apis" } else { "api" };
    let within = object.namespace.as_ref().map(|it| format!("/namespaces/{it}")).unwrap_or_default();
    format!("/{root}/{}{within}/{}", object.api_version, object.plural)
}

/// Whether a request writes.
pub fn is_write(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let told = Target::of(path).map_or("-".to_owned(), |it| {
            let part = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
            let Target { api_version, namespace, plural, name, subresource } = &it;
            format!("{api_version} {} {plural} {} {}", part(namespace), part(name), part(subresource))
        });
        assert_eq!(told, expected, "{path}");
    }

    #[test]
    fn paths_name_objects() {
        check("/api/v1/namespaces/shop/pods/web/log", "v1 shop pods web log");
        check("/apis/apps/v1/namespaces/shop/deployments", "apps/v1 shop deployments - -");
        check("/api/v1/namespaces/shop", "v1 - namespaces shop -");
        check("/api/v1/namespaces/shop/status", "v1 - namespaces shop status");
        check("/api/v1/nodes", "v1 - nodes - -");
        check("/apis/apps/v1", "-");
        check("/openapi/v3", "-");
        check("/version", "-");
    }

    #[test]
    fn an_object_is_reached_where_its_path_says() {
        let target = Target::of("/apis/apps/v1/namespaces/shop/deployments").expect("a target");
        let path = path_of(&target.object("Deployment", "web"));
        assert_eq!(path, "/apis/apps/v1/namespaces/shop/deployments/web");
    }
}
