//! What the server itself writes into objects: names, identities, times, generations, first statuses.

use names::Timestamp;
use resource::{Kind, status, status::Status};
use serde_json::{Value, json};

use crate::{object, qos};

/// Characters of generated names: no vowels, so that no words come out.
const NAME_SYMBOLS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Characters appended to a `generateName`.
const SUFFIX: usize = 5;

/// A generated name is at most this long, so that pods of long-named owners still fit a host name.
const NAME_MAX: usize = 63;

/// Which part of an object a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but the status.
    Main,
    Status,
    /// `spec.finalizers` of a namespace.
    Finalizers,
}

impl Part {
    /// The name of the part in a URL; empty for the object itself.
    pub fn subresource(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Finalizers => "finalize",
        }
    }
}

/// Makes what a client sent into a new object.
pub fn create(
    kind: &Kind,
    value: &mut Value,
    namespace: Option<&str>,
    now: Timestamp,
) -> Result<(), Status> {
    place(kind, value, namespace)?;
    if !object::text(value, &["metadata", "resourceVersion"]).is_empty() {
        return Err(status::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    for member in [
        "resourceVersion",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "generation",
    ] {
        object::remove_metadata(value, member);
    }
    let base = object::text(value, &["metadata", "generateName"]).to_owned();
    if object::name(value).is_empty() && !base.is_empty() {
        object::set_metadata(value, "name", Value::from(generated_name(&base)));
    }
    object::set_metadata(value, "uid", Value::from(uuid::Uuid::new_v4().to_string()));
    object::set_metadata(
        value,
        "creationTimestamp",
        Value::from(now.to_seconds_text()),
    );
    if has_generation(kind) {
        object::set_metadata(value, "generation", Value::from(1));
    }
    reset_status(kind, value);
    Ok(())
}

/// The object lies where the URL says, or says so itself.
fn place(kind: &Kind, value: &mut Value, namespace: Option<&str>) -> Result<(), Status> {
    let said = object::namespace(value);
    match namespace {
        Some(namespace) if kind.namespaced => {
            if !said.is_empty() && said != namespace {
                return Err(status::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            object::set_metadata(value, "namespace", Value::from(namespace));
        }
        Some(_) | None => object::remove_metadata(value, "namespace"),
    }
    Ok(())
}

/// `base` and a few random characters.
pub fn generated_name(base: &str) -> String {
    let mut random = [0_u8; SUFFIX];
    getrandom::fill(&mut random).expect("the system has random numbers");
    let suffix = random
        .iter()
        .map(|byte| char::from(NAME_SYMBOLS[usize::from(*byte) % NAME_SYMBOLS.len()]));
    let base: String = base.chars().take(NAME_MAX - SUFFIX).collect();
    base.chars().chain(suffix).collect()
}

/// Kinds whose controllers tell by a number which wish they have seen.
fn has_generation(kind: &Kind) -> bool {
    matches!(
        kind.kind,
        "Deployment" | "ReplicaSet" | "Pod" | "EndpointSlice"
    )
}

/// A client cannot create an object with a status, except a node, which describes itself.
fn reset_status(kind: &Kind, value: &mut Value) {
    let fresh = match kind.kind {
        "Pod" => json!({ "phase": "Pending", "qosClass": qos::class(value) }),
        "Service" => json!({ "loadBalancer": {} }),
        "Namespace" => json!({ "phase": "Active" }),
        "Deployment" => json!({}),
        "ReplicaSet" => json!({ "replicas": 0 }),
        _ => return,
    };
    object::members(value).insert("status".to_owned(), fresh);
}

/// Makes what a client wants into the successor of `old`; equal to `old` if nothing changes.
pub fn update(kind: &Kind, part: Part, new: Value, old: &Value) -> Result<Value, Status> {
    let name = object::name(old);
    check_identity(kind, &new, old)?;
    let mut next = match part {
        Part::Main => with_status_of(kind, new, old),
        Part::Status => with_status_from(old, &new),
        Part::Finalizers => {
            let mut next = old.clone();
            let finalizers = object::at(&new, &["spec", "finalizers"])
                .cloned()
                .unwrap_or_else(|| json!([]));
            object::child(&mut next, "spec").insert("finalizers".to_owned(), finalizers);
            next
        }
    };
    for member in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
        "generation",
        "selfLink",
        "generateName",
        "managedFields",
    ] {
        object::copy_metadata(&mut next, old, member);
    }
    if object::is_terminating(old)
        && object::finalizers(&next)
            .iter()
            .any(|it| !object::finalizers(old).contains(it))
    {
        return Err(status::forbidden(
            kind,
            name,
            "no new finalizers can be added if the object is being deleted",
        ));
    }
    Ok(next)
}

/// Raises the generation if the wish changed. Call after defaults are set.
pub fn raise_generation(kind: &Kind, next: &mut Value, old: &Value) {
    if !has_generation(kind) {
        return;
    }
    let wish = |value: &Value| {
        value
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(member, _)| !matches!(member.as_str(), "metadata" | "status"))
            .map(|(member, value)| (member.clone(), value.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    if wish(next) != wish(old) {
        object::set_metadata(next, "generation", Value::from(object::generation(old) + 1));
    }
}

fn check_identity(kind: &Kind, new: &Value, old: &Value) -> Result<(), Status> {
    let (name, said) = (object::name(old), object::name(new));
    if said != name && !said.is_empty() {
        return Err(status::bad_request(format!(
            "the name of the object ({said}) does not match the name on the URL ({name})"
        )));
    }
    let (namespace, said) = (object::namespace(old), object::namespace(new));
    if said != namespace && !said.is_empty() {
        return Err(status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let (uid, said) = (object::uid(old), object::uid(new));
    if !said.is_empty() && said != uid {
        return Err(status::conflict(
            kind,
            name,
            &format!("Precondition failed: UID in precondition: {said}, UID in object meta: {uid}"),
        ));
    }
    let said = object::text(new, &["metadata", "resourceVersion"]);
    if !said.is_empty()
        && said != "0"
        && said != object::text(old, &["metadata", "resourceVersion"])
    {
        return Err(status::modified(kind, name));
    }
    Ok(())
}

fn with_status_of(kind: &Kind, mut new: Value, old: &Value) -> Value {
    if !kind.subresources.contains(&"status") {
        return new;
    }
    match old.get("status") {
        Some(status) => object::members(&mut new).insert("status".to_owned(), status.clone()),
        None => object::members(&mut new).shift_remove("status"),
    };
    new
}

fn with_status_from(old: &Value, new: &Value) -> Value {
    let mut next = old.clone();
    match new.get("status") {
        Some(status) => object::members(&mut next).insert("status".to_owned(), status.clone()),
        None => object::members(&mut next).shift_remove("status"),
    };
    next
}
