//! Objects of any kind, as the JSON that they are, and how their kinds are named.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

/// Group, version and kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupVersionKind {
    pub group: String,
    pub version: String,
    pub kind: String,
}

impl GroupVersionKind {
    pub fn gvk(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }
}

/// A kind, and where the API serves it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiResource {
    pub group: String,
    pub version: String,
    pub api_version: String,
    pub kind: String,
    pub plural: String,
}

impl ApiResource {
    /// A kind whose plural is formed as most are.
    pub fn from_gvk(gvk: &GroupVersionKind) -> Self {
        let singular = gvk.kind.to_ascii_lowercase();
        let plural = match singular.strip_suffix('y') {
            Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
            _ if singular.ends_with(['s', 'x']) || singular.ends_with("ch") => format!("{singular}es"),
            _ => format!("{singular}s"),
        };
        Self::from_gvk_with_plural(gvk, &plural)
    }

    pub fn from_gvk_with_plural(gvk: &GroupVersionKind, plural: &str) -> Self {
        let api_version =
            if gvk.group.is_empty() { gvk.version.clone() } else { format!("{}/{}", gvk.group, gvk.version) };
        Self {
            group: gvk.group.clone(),
            version: gvk.version.clone(),
            api_version,
            kind: gvk.kind.clone(),
            plural: plural.to_owned(),
        }
    }

    /// The path of all objects of the kind, or of those in a namespace.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        match namespace {
            Some(namespace) => format!("/{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural),
            None => format!("/{root}/{}/{}", self.api_version, self.plural),
        }
    }
}

/// The part of an object's metadata that everybody asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectMeta {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub generation: Option<i64>,
    pub deletion_timestamp: Option<String>,
}

/// An object of any kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DynamicObject {
    pub metadata: ObjectMeta,
    /// All of the object.
    pub data: Value,
}

impl DynamicObject {
    /// Reads the object as a type that knows its kind.
    ///
    /// # Errors
    ///
    /// If the object does not have the form of the type.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        T::deserialize(&self.data)
    }
}

impl From<Value> for DynamicObject {
    fn from(data: Value) -> Self {
        let metadata = &data["metadata"];
        let text = |field: &str| metadata[field].as_str().map(str::to_owned);
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            generation: metadata["generation"].as_i64(),
            deletion_timestamp: text("deletionTimestamp"),
        };
        Self { metadata, data }
    }
}

impl<'de> Deserialize<'de> for DynamicObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for DynamicObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.data.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plurals_are_formed_as_kubernetes_does() {
        for (kind, plural) in [
            ("Pod", "pods"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Gateway", "gateways"),
            ("StorageClass", "storageclasses"),
        ] {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
            assert_eq!(resource.plural, plural);
        }
    }

    #[test]
    fn paths_tell_groups_and_namespaces() {
        let pods = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
        let sets = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "ReplicaSet"));
        assert_eq!(pods.path(None), "/api/v1/pods");
        assert_eq!(sets.path(Some("shop")), "/apis/apps/v1/namespaces/shop/replicasets");
    }

    #[test]
    fn an_object_is_read_and_written_whole() {
        let value = json!({ "kind": "Pod", "metadata": { "name": "a", "uid": "u", "generation": 3 }, "spec": { "x": 1 } });
        let object: DynamicObject = serde_json::from_value(value.clone()).expect("an object");
        let metadata = ObjectMeta {
            name: Some("a".to_owned()),
            uid: Some("u".to_owned()),
            generation: Some(3),
            ..ObjectMeta::default()
        };
        assert_eq!(object.metadata, metadata);
        assert_eq!(serde_json::to_value(object).expect("JSON"), value);
    }
}
