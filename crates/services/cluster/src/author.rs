//! Who writes an object, as `managedFields` tells it.

use axum::body::Body;
use http::{Request, header};
use resource::{
    Kind,
    ownership::{self, Writer},
};
use serde_json::Value;

use crate::{object, query::Query, server::now};

/// The longest name of a manager, as in Kubernetes.
const NAME_MAX: usize = 128;

/// The writer of an object and the part of it that the request is about.
#[derive(Clone, Debug)]
pub struct Author {
    manager: String,
    /// Empty for the object itself.
    subresource: &'static str,
}

impl Author {
    /// `fieldManager`, else the program that sends the request.
    pub fn of(query: &Query, request: &Request<Body>, subresource: &'static str) -> Self {
        let agent = request.headers().get(header::USER_AGENT).and_then(|it| it.to_str().ok());
        let program = agent.unwrap_or_default().split('/').next().unwrap_or_default();
        let manager = query.get("fieldManager").unwrap_or(program);
        Self { manager: manager.chars().take(NAME_MAX).collect(), subresource }
    }

    pub fn writer(&self) -> Writer<'_> {
        Writer { manager: &self.manager, subresource: self.subresource, now: now() }
    }

    /// The owners of the fields of `next`, which takes the place of `old`.
    ///
    /// `sent` is what the client wrote there itself.
    pub fn own(&self, kind: &Kind, old: Option<&Value>, next: &mut Value, sent: Value) {
        set(next, sent);
        let entries = ownership::update(kind, old, next, self.writer());
        set(next, entries.unwrap_or_default());
    }
}

/// Takes the owners out of an object.
pub fn take(value: &mut Value) -> Value {
    let entries = object::at(value, &["metadata", "managedFields"]).cloned().unwrap_or_default();
    object::remove_metadata(value, "managedFields");
    entries
}

pub fn set(value: &mut Value, entries: Value) {
    match entries {
        Value::Null => object::remove_metadata(value, "managedFields"),
        entries => object::set_metadata(value, "managedFields", entries),
    }
}

/// Whether nothing differs but the times at which fields were written.
pub fn is_same(next: &Value, old: &Value) -> bool {
    same_but(next, old, "metadata", |next, old| {
        same_but(next, old, "managedFields", |next, old| match (next.as_array(), old.as_array()) {
            (Some(next), Some(old)) => {
                let timeless = |next: &Value, old: &Value| same_but(next, old, "time", |_, _| true);
                next.len() == old.len() && next.iter().zip(old).all(|(next, old)| timeless(next, old))
            }
            _ => next == old,
        })
    })
}

/// Whether two objects have equal members, the one called `apart` compared by `compare`.
fn same_but(next: &Value, old: &Value, apart: &str, compare: impl Fn(&Value, &Value) -> bool) -> bool {
    let (Some(next), Some(old)) = (next.as_object(), old.as_object()) else { return next == old };
    let rest = |members: &serde_json::Map<String, Value>| members.keys().filter(|it| *it != apart).count();
    let absent = Value::Null;
    rest(next) == rest(old)
        && next.iter().filter(|(name, _)| *name != apart).all(|(name, value)| old.get(name) == Some(value))
        && compare(next.get(apart).unwrap_or(&absent), old.get(apart).unwrap_or(&absent))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_times_of_writing_are_no_difference() {
        let object = |time: &str, field: &str, label: &str| {
            json!({"metadata": {"labels": {"a": label}, "managedFields": [{"manager": "x", "time": time, "fieldsV1": {field: {}}}]}, "data": {}})
        };
        let old = object("1", "f:a", "1");
        for (next, expected) in [
            (object("1", "f:a", "1"), true),
            (object("2", "f:a", "1"), true),
            (object("2", "f:b", "1"), false),
            (object("1", "f:a", "2"), false),
            (json!({"metadata": {"labels": {"a": "1"}}, "data": {}}), false),
        ] {
            assert_eq!((is_same(&next, &old), is_same(&old, &next)), (expected, expected), "{next}");
        }
    }
}
