//! What the server checks and fills in beyond the schema, kind by kind.

mod events;
mod pods;
mod secrets;
mod services;

use resource::{Kind, status, status::Status};
use serde_json::{Value, json};

use crate::{
    bootstrap,
    object::{self, Key},
    server::{Server, known, shelf},
    store::Transaction,
};

pub use services::{AddressRange, ParseRangeError};

/// Puts what may be written in two forms into the one that is kept, so that its fields are owned as that.
pub fn convert(kind: &Kind, value: &mut Value) {
    if kind.kind == "Secret" {
        secrets::encode(value);
    }
}

/// Looks at a new object before it is validated.
pub fn create(server: &Server, kind: &Kind, value: &mut Value) -> Result<(), Status> {
    match kind.kind {
        "Pod" => pods::create(server, value),
        "Secret" => {
            secrets::encode(value);
            Ok(())
        }
        "Namespace" => {
            let name = object::name(value).to_owned();
            object::child(value, "spec").insert("finalizers".to_owned(), json!(["kubernetes"]));
            label_with_name(value, &name);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Looks at a changed object before it is validated.
pub fn update(_server: &Server, kind: &Kind, next: &mut Value, old: &Value) -> Result<(), Status> {
    match kind.kind {
        "Namespace" => {
            let name = object::name(old).to_owned();
            label_with_name(next, &name);
            // They change through `finalize` only.
            let finalizers = object::at(old, &["spec", "finalizers"])
                .cloned()
                .unwrap_or_else(|| json!([]));
            object::child(next, "spec").insert("finalizers".to_owned(), finalizers);
        }
        "Service" => services::keep_addresses(next, old),
        "Secret" => secrets::encode(next),
        _ => {}
    }
    Ok(())
}

/// Lets a new object in: its namespace must take it, and it gets what only one object may have.
pub fn enter(
    server: &Server,
    kind: &Kind,
    value: &mut Value,
    transaction: &mut Transaction<'_>,
) -> Result<(), Status> {
    if kind.namespaced {
        namespace_takes(kind, value, transaction)?;
    }
    match kind.kind {
        "Service" => services::assign(&server.config, value, None, transaction),
        "Namespace" => {
            bootstrap::furnish(server, object::name(value), transaction);
            Ok(())
        }
        "Event" => {
            events::sweep(server, transaction);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Lets a changed object stay.
pub fn stay(
    server: &Server,
    kind: &Kind,
    next: &mut Value,
    old: &Value,
    transaction: &mut Transaction<'_>,
) -> Result<(), Status> {
    match kind.kind {
        "Service" => services::assign(&server.config, next, Some(old), transaction),
        _ => Ok(()),
    }
}

fn namespace_takes(
    kind: &Kind,
    value: &Value,
    transaction: &Transaction<'_>,
) -> Result<(), Status> {
    let namespaces = known("v1", "Namespace");
    let namespace = object::namespace(value);
    let Some(there) = transaction.get(shelf(namespaces), &Key::new("", namespace)) else {
        return Err(status::not_found(namespaces, namespace));
    };
    if object::is_terminating(&there.value) {
        return Err(status::namespace_terminating(
            kind,
            object::name(value),
            namespace,
        ));
    }
    Ok(())
}

fn label_with_name(namespace: &mut Value, name: &str) {
    let metadata = object::child(namespace, "metadata");
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    object::members(labels).insert("kubernetes.io/metadata.name".to_owned(), Value::from(name));
}
