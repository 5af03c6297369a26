//! How a value of the schema is merged: as one piece, by fields, or by items.

use serde_json::{Map, Value};

use super::path::Step;
use crate::schema::{ListKind, Place};

/// What the schema says about a value.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Nothing: objects are merged by fields, lists are one piece.
    Unknown,
    Known(Place),
}

/// How a list is merged.
#[derive(Clone, Copy, Debug)]
pub enum List {
    /// As one piece.
    Whole,
    /// As a set of scalars.
    Set,
    /// By the values of these keys.
    Keyed(&'static [String]),
}

/// How an object is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// As one piece.
    Whole,
    /// Field by field.
    Each,
}

impl Shape {
    /// The shape of the part at `step`.
    pub fn at(self, step: &Step) -> Self {
        match step {
            Step::Field(name) => self.field(name),
            Step::Keys(_) | Step::Item(_) | Step::Index(_) => self.items(),
        }
    }

    pub fn field(self, name: &str) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Known(place) => place.field(name).map_or(Self::Unknown, Self::Known),
        }
    }

    pub fn items(self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Known(place) => place.items().map_or(Self::Unknown, Self::Known),
        }
    }

    /// Whether the field is one that the schema names, and no key of a free map.
    pub fn declares(self, name: &str) -> bool {
        matches!(self, Self::Known(place) if place.declares(name))
    }

    pub fn list(self) -> List {
        match self {
            Self::Unknown => List::Whole,
            Self::Known(place) => match place.list_kind() {
                ListKind::Atomic => List::Whole,
                ListKind::Set => List::Set,
                ListKind::Map(keys) => List::Keyed(keys),
            },
        }
    }

    pub fn fields(self) -> Fields {
        match self {
            Self::Known(place) if place.is_atomic_map() => Fields::Whole,
            Self::Known(_) | Self::Unknown => Fields::Each,
        }
    }

    /// By what an item of this list is known; `None` when it lacks its keys or is of the wrong kind.
    pub fn item(self, list: List, item: &Value) -> Option<Step> {
        match list {
            List::Whole => None,
            List::Set => (!item.is_object() && !item.is_array() && !item.is_null()).then(|| Step::Item(item.clone())),
            List::Keyed(keys) => {
                let fields = item.as_object()?;
                let items = self.items();
                let value = |key: &String| {
                    let given = fields.get(key).cloned();
                    Some((key.clone(), given.or_else(|| items.default_of(key))?))
                };
                let keys: Vec<_> = keys.iter().filter_map(value).collect();
                (!keys.is_empty()).then(|| Step::keys(keys))
            }
        }
    }

    fn default_of(self, field: &str) -> Option<Value> {
        match self {
            Self::Unknown => None,
            Self::Known(place) => place.field(field)?.default().cloned(),
        }
    }

    /// The value as Kubernetes' own types hold it: with the structures that are no pointers and the
    /// lists and maps that are written even when they are not set, without other empty parts.
    pub fn typed(self, value: &Value) -> Value {
        match self.trimmed(value) {
            Value::Object(fields) => Value::Object(self.with_always_there(fields)),
            Value::Array(items) => items.iter().map(|item| self.items().typed(item)).collect(),
            other => other,
        }
    }

    fn with_always_there(self, fields: Map<String, Value>) -> Map<String, Value> {
        let mut typed: Map<String, Value> =
            fields.iter().map(|(name, value)| (name.clone(), self.field(name).typed(value))).collect();
        let Self::Known(place) = self else { return typed };
        for name in place.always_there() {
            if typed.contains_key(name) {
                continue;
            }
            let field = self.field(name);
            let is_structure = matches!(field, Self::Known(place) if place.is_structure());
            let empty = if is_structure { field.typed(&Value::Object(Map::new())) } else { Value::Null };
            typed.insert(name.to_owned(), empty);
        }
        typed
    }

    /// The value without what says nothing: nulls, and lists, free maps, texts and some switches
    /// that are empty and need not be given.
    pub fn trimmed(self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let says_something = |(name, value): &(&String, &Value)| !value.is_null() && !self.omits(name, value);
                fields.iter().filter(says_something).map(|(name, value)| (name.clone(), self.field(name).trimmed(value))).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.items().trimmed(item)).collect(),
            other => other.clone(),
        }
    }

    fn omits(self, name: &str, value: &Value) -> bool {
        let Self::Known(place) = self else { return false };
        let Some(field) = place.field(name).filter(|_| place.declares(name) && !place.requires(name)) else { return false };
        match value {
            Value::Object(fields) => fields.is_empty() && field.is_free_map(),
            Value::Array(items) => items.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Bool(false) => PLAIN.contains(&name),
            Value::Number(number) => number.as_i64() == Some(0) && PLAIN.contains(&name),
            Value::Null | Value::Bool(_) => false,
        }
    }
}

/// Switches and numbers that Kubernetes' own types hold without a pointer, so that "no" and zero
/// are the same as nothing said. The documents do not tell.
const PLAIN: &[&str] = &[
    "paused", "minReadySeconds", "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly",
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold", "hostPort",
    "nodePort", "publishNotReadyAddresses", "healthCheckNodePort", "observedGeneration", "unschedulable", "readyReplicas",
    "updatedReplicas", "availableReplicas", "unavailableReplicas", "fullyLabeledReplicas", "restartCount", "port", "count",
];
