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
    let timeless = |value: &Value| {
        let mut value = value.clone();
        let mut entries = take(&mut value);
        for entry in entries.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            entry.shift_remove("time");
        }
        (value, entries)
    };
    next == old || timeless(next) == timeless(old)
}
