//! One object as it is kept: its JSON tree, its revision and the bytes it is sent as.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Map, Value};

/// Where an object lies within its kind; cluster-wide objects have an empty namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// A stored object. Never changes: a write makes a new one.
#[derive(Debug)]
pub struct Object {
    pub value: Value,
    pub revision: u64,
    bytes: OnceLock<Bytes>,
}

impl Object {
    /// Takes `value` as the object at `revision` and writes the revision into it.
    pub fn new(mut value: Value, revision: u64) -> Self {
        set_metadata(
            &mut value,
            "resourceVersion",
            Value::String(revision.to_string()),
        );
        Self {
            value,
            revision,
            bytes: OnceLock::new(),
        }
    }

    /// Takes `value` as it is, for answers about what would be.
    pub fn imagined(value: Value, revision: u64) -> Self {
        Self {
            value,
            revision,
            bytes: OnceLock::new(),
        }
    }

    /// The JSON text, made once however many watchers ask.
    pub fn bytes(&self) -> &Bytes {
        self.bytes
            .get_or_init(|| Bytes::from(self.value.to_string()))
    }

    pub fn key(&self) -> Key {
        Key::new(namespace(&self.value), name(&self.value))
    }
}

/// The text at a path of member names; empty if there is none.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The value at a path of member names.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter()
        .try_fold(value, |value, member| value.get(*member))
}

pub fn name(value: &Value) -> &str {
    text(value, &["metadata", "name"])
}

pub fn namespace(value: &Value) -> &str {
    text(value, &["metadata", "namespace"])
}

pub fn uid(value: &Value) -> &str {
    text(value, &["metadata", "uid"])
}

pub fn finalizers(value: &Value) -> &[Value] {
    at(value, &["metadata", "finalizers"])
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub fn is_terminating(value: &Value) -> bool {
    at(value, &["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null())
}

pub fn generation(value: &Value) -> i64 {
    at(value, &["metadata", "generation"])
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// The object's own tree as a map; an object that is none becomes an empty one.
pub fn members(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object above")
}

/// The map under `member`, made if it is not there.
pub fn child<'a>(value: &'a mut Value, member: &str) -> &'a mut Map<String, Value> {
    members(
        members(value)
            .entry(member)
            .or_insert_with(|| Value::Object(Map::new())),
    )
}

pub fn set_metadata(value: &mut Value, member: &str, to: Value) {
    child(value, "metadata").insert(member.to_owned(), to);
}

pub fn remove_metadata(value: &mut Value, member: &str) {
    child(value, "metadata").shift_remove(member);
}

/// Sets a member of the metadata to what `from` has there, removing it if there is nothing.
pub fn copy_metadata(value: &mut Value, from: &Value, member: &str) {
    match at(from, &["metadata", member]) {
        Some(there) => set_metadata(value, member, there.clone()),
        None => remove_metadata(value, member),
    }
}
