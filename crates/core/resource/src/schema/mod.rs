//! What fields an object may have, read lazily from the OpenAPI documents.

mod check;
mod duplicate;

use std::{collections::HashMap, sync::OnceLock};

use serde::Deserialize;

pub use check::{FieldProblem, check, check_as};
pub use duplicate::{duplicates, in_order};

use crate::{kinds::Kind, openapi};

/// One schema of a document; only what checks and patches ask for is kept.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Schema {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "allOf", default)]
    all_of: Vec<Schema>,
    #[serde(rename = "type")]
    kind: Option<String>,
    format: Option<String>,
    properties: Option<HashMap<String, Schema>>,
    items: Option<Box<Schema>>,
    #[serde(rename = "additionalProperties")]
    additional: Option<Box<Schema>>,
    #[serde(rename = "x-kubernetes-patch-merge-key")]
    merge_key: Option<String>,
    #[serde(rename = "x-kubernetes-patch-strategy")]
    strategy: Option<String>,
    #[serde(rename = "x-kubernetes-list-map-keys", default)]
    list_map_keys: Vec<String>,
    #[serde(rename = "x-kubernetes-list-type")]
    list_type: Option<String>,
    #[serde(rename = "x-kubernetes-map-type")]
    map_type: Option<String>,
    default: Option<serde_json::Value>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(rename = "x-kubernetes-group-version-kind", default)]
    names: Vec<Name>,
}

#[derive(Debug, Deserialize)]
struct Name {
    group: String,
    version: String,
    kind: String,
}

#[derive(Deserialize)]
struct File {
    components: Components,
}

#[derive(Deserialize)]
struct Components {
    schemas: HashMap<String, Schema>,
}

/// A place in the schema of some kind: a field's own schema and where it refers to.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    schemas: &'static HashMap<String, Schema>,
    /// The field as its parent describes it; carries the patch markers.
    field: &'static Schema,
    /// What the field refers to; carries the properties.
    target: &'static Schema,
    /// The last part of the target's name, e.g. `PodSpec`; empty for what has no name.
    name: &'static str,
}

/// How a list is merged by patches and server-side apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// A map whose keys are these fields of its items.
    Map(&'static [String]),
}

static FILES: OnceLock<Vec<OnceLock<HashMap<String, Schema>>>> = OnceLock::new();

fn schemas(document: usize) -> &'static HashMap<String, Schema> {
    let documents = openapi::documents();
    let files = FILES.get_or_init(|| documents.iter().map(|_| OnceLock::new()).collect());
    files[document].get_or_init(|| {
        let text = documents[document].inflate();
        let file: File = serde_json::from_slice(&text).expect("embedded documents are OpenAPI");
        file.components.schemas
    })
}

/// The schema of a served kind.
pub fn of(kind: &Kind) -> Option<Place> {
    let path = kind.openapi_path();
    let document = openapi::documents().iter().position(|it| it.path == path)?;
    root(document, kind.group, kind.version, kind.kind)
}

/// The schema of any kind that a document names, so also of `Scale`, `Eviction`, `DeleteOptions`.
pub fn named(api_version: &str, kind: &str) -> Option<Place> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    (0..openapi::documents().len()).find_map(|document| root(document, group, version, kind))
}

fn root(document: usize, group: &str, version: &str, kind: &str) -> Option<Place> {
    let schemas = schemas(document);
    let (name, schema) = schemas.iter().find(|(_, schema)| {
        schema
            .names
            .iter()
            .any(|it| it.group == group && it.version == version && it.kind == kind)
    })?;
    Some(Place {
        schemas,
        field: schema,
        target: schema,
        name: last_part(name),
    })
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

impl Place {
    fn at(self, field: &'static Schema) -> Self {
        let inner = field.all_of.first().unwrap_or(field);
        let reference = inner
            .reference
            .as_deref()
            .and_then(|it| it.rsplit('/').next());
        match reference.and_then(|name| self.schemas.get_key_value(name)) {
            Some((name, target)) => Self {
                field,
                target,
                name: last_part(name),
                ..self
            },
            None => Self {
                field,
                target: field,
                name: "",
                ..self
            },
        }
    }

    /// The field `name` of this object, also when it is a free map.
    pub fn field(self, name: &str) -> Option<Self> {
        if let Some(field) = self.target.properties.as_ref().and_then(|it| it.get(name)) {
            return Some(self.at(field));
        }
        self.target
            .additional
            .as_deref()
            .map(|field| self.at(field))
    }

    /// The names of the fields of this object; a free map has none.
    pub fn names(self) -> Vec<&'static str> {
        self.target.properties.iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// The items of this list.
    pub fn items(self) -> Option<Self> {
        self.target.items.as_deref().map(|items| self.at(items))
    }

    /// The key by which a strategic merge patch tells this list's items apart.
    pub fn merge_key(self) -> Option<&'static str> {
        self.field.merge_key.as_deref()
    }

    /// Whether `word` (`merge`, `replace`, `retainKeys`) is among the field's patch strategies.
    pub fn has_strategy(self, word: &str) -> bool {
        self.field
            .strategy
            .as_deref()
            .is_some_and(|it| it.split(',').any(|part| part == word))
    }

    /// How this list is merged. One that does not say it is merged as strategic merge patches do;
    /// one that says nothing at all is atomic.
    pub fn list_kind(self) -> ListKind {
        match self.field.list_type.as_deref() {
            Some("map") => ListKind::Map(&self.field.list_map_keys),
            Some("set") => ListKind::Set,
            None if self.has_strategy("merge") => match &self.field.merge_key {
                Some(key) => ListKind::Map(std::slice::from_ref(key)),
                None => ListKind::Set,
            },
            _ => ListKind::Atomic,
        }
    }

    /// Whether this object is replaced as a whole by server-side apply.
    pub fn is_atomic_map(self) -> bool {
        let word = self.field.map_type.as_deref().or(self.target.map_type.as_deref());
        word == Some("atomic")
    }

    /// Whether this object has fields with names of their own, which a free map has not.
    pub fn has_fields(self) -> bool {
        self.target.properties.is_some()
    }

    /// Whether the schema names this field.
    pub fn declares(self, name: &str) -> bool {
        self.target.properties.as_ref().is_some_and(|it| it.contains_key(name))
    }

    /// Whether the schema wants this field to be given.
    pub fn requires(self, name: &str) -> bool {
        self.target.required.iter().any(|it| it == name)
    }

    /// Whether this is an object whose keys are free.
    pub fn is_free_map(self) -> bool {
        self.target.properties.is_none() && self.target.additional.is_some()
    }

    /// What the field is when nobody sets it.
    pub fn default(self) -> Option<&'static serde_json::Value> {
        self.field.default.as_ref()
    }

    /// Whether Kubernetes' own type of this field is a structure that is always written.
    pub fn is_structure(self) -> bool {
        self.field.default.as_ref().is_some_and(|it| it.as_object().is_some_and(serde_json::Map::is_empty))
    }

    /// The fields that Kubernetes' own types write even when nobody sets them: structures that are
    /// no pointers, and lists and maps that must be given.
    pub fn always_there(self) -> impl Iterator<Item = &'static str> {
        let properties = self.target.properties.iter().flatten();
        let required = &self.target.required;
        properties.filter_map(move |(name, _)| {
            let field = self.field(name)?;
            let collection = field.target.items.is_some() || field.target.additional.is_some();
            (field.is_structure() || collection && required.contains(name)).then_some(name.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn containers_are_merged_by_name_and_ports_by_two_keys() {
        let kind = kinds::by_kind("apps/v1", "Deployment").expect("served");
        let place = of(kind).expect("described");
        let containers = ["spec", "template", "spec", "containers"]
            .iter()
            .try_fold(place, |place, name| place.field(name))
            .expect("described");
        assert_eq!(containers.merge_key(), Some("name"));
        assert!(containers.has_strategy("merge"));
        let ports = containers
            .items()
            .and_then(|it| it.field("ports"))
            .expect("described");
        assert_eq!(ports.merge_key(), Some("containerPort"));
        let keys = ["containerPort".to_owned(), "protocol".to_owned()];
        assert!(matches!(ports.list_kind(), ListKind::Map(found) if found == keys));
    }

    #[test]
    fn every_served_kind_and_the_bodies_of_subresources_are_described() {
        for kind in kinds::kinds() {
            assert!(of(kind).is_some(), "{}", kind.qualified_kind());
        }
        for (version, kind) in [
            ("autoscaling/v1", "Scale"),
            ("policy/v1", "Eviction"),
            ("v1", "Binding"),
            ("v1", "DeleteOptions"),
            ("authentication.k8s.io/v1", "TokenRequest"),
        ] {
            assert!(named(version, kind).is_some(), "{kind}");
        }
    }
}
