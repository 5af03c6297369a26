//! Deletes objects: at once, after a pod's grace, or when their finalizers are gone.

use std::{sync::Arc, time::Duration};

use resource::{Kind, status, status::Status};
use serde_json::{Value, json};

use crate::{
    object::{self, Key, Object},
    query::Query,
    server::{Server, now, shelf},
    store::{Mode, Transaction},
    write,
};

/// Namespaces the cluster cannot do without.
const PERMANENT_NAMESPACES: &[&str] = &["default", "kube-system", "kube-public"];

/// What becomes of the objects an object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are collected afterwards.
    Background,
    /// They are collected first.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

/// What a client asks for when it deletes.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub grace_seconds: Option<i64>,
    pub propagation: Option<Propagation>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub dry_run: bool,
}

/// What a deletion did.
pub struct Deleted {
    pub object: Arc<Object>,
    pub end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Gone,
    /// It is still there and says since when it is being deleted.
    Pending,
}

impl Options {
    /// Reads the body of a deletion and, where that says nothing, the URL.
    pub fn read(body: Option<&Value>, query: &Query) -> Result<Self, Status> {
        let nothing = Value::Null;
        let body = body.unwrap_or(&nothing);
        let text = |member: &str| {
            body.get(member)
                .and_then(Value::as_str)
                .or_else(|| query.get(member))
        };
        let grace_seconds = match body.get("gracePeriodSeconds").and_then(Value::as_i64) {
            Some(seconds) => Some(seconds),
            None => query
                .number("gracePeriodSeconds")?
                .and_then(|seconds| i64::try_from(seconds).ok()),
        };
        if grace_seconds.is_some_and(|seconds| seconds < 0) {
            return Err(status::bad_request(
                "gracePeriodSeconds must be non-negative",
            ));
        }
        let propagation = match text("propagationPolicy") {
            None => None,
            Some("Background") => Some(Propagation::Background),
            Some("Foreground") => Some(Propagation::Foreground),
            Some("Orphan") => Some(Propagation::Orphan),
            Some(other) => {
                return Err(status::bad_request(format!(
                    "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{other}\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
                )));
            }
        };
        let orphans = body
            .get("orphanDependents")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let precondition = |member: &str| {
            let said = object::text(body, &["preconditions", member]);
            (!said.is_empty()).then(|| said.to_owned())
        };
        let dry_run_in_body = body
            .get("dryRun")
            .and_then(Value::as_array)
            .is_some_and(|it| !it.is_empty());
        Ok(Self {
            grace_seconds,
            propagation: propagation.or(orphans.then_some(Propagation::Orphan)),
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            dry_run: dry_run_in_body || query.mode()? == Mode::DryRun,
        })
    }

    fn mode(&self) -> Mode {
        if self.dry_run {
            Mode::DryRun
        } else {
            Mode::Commit
        }
    }
}

/// Deletes one object, or marks it as being deleted.
pub async fn delete(
    server: &Server,
    kind: &Kind,
    key: &Key,
    options: &Options,
) -> Result<Deleted, Status> {
    let committed = server.store.commit(options.mode(), |transaction| {
        let Some(there) = transaction.get(shelf(kind), key).cloned() else {
            return Err(status::not_found(kind, &key.name));
        };
        let end = begin(kind, key, &there, options, transaction)?;
        Ok((end, there))
    })?;
    let ((end, there), objects) = server.safe(committed).await?;
    let object = objects.into_iter().next().unwrap_or(there);
    Ok(Deleted { object, end })
}

fn begin(
    kind: &Kind,
    key: &Key,
    there: &Object,
    options: &Options,
    transaction: &mut Transaction<'_>,
) -> Result<End, Status> {
    refuse(kind, key, there, options)?;
    let mut next = there.value.clone();
    let grace = grace_seconds(kind, &next, options);
    keep_for_collector(&mut next, options.propagation);
    let is_new = !object::is_terminating(&next);
    let current_grace = next["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or_default();
    if is_new || grace < current_grace {
        let span = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
        object::set_metadata(
            &mut next,
            "deletionTimestamp",
            Value::from((now() + span).to_seconds_text()),
        );
        object::set_metadata(&mut next, "deletionGracePeriodSeconds", Value::from(grace));
    }
    if is_new {
        if object::generation(&next) > 0 {
            let generation = object::generation(&next) + 1;
            object::set_metadata(&mut next, "generation", Value::from(generation));
        }
        if kind.kind == "Namespace" {
            object::child(&mut next, "status").insert("phase".to_owned(), json!("Terminating"));
        }
    }
    if write::is_ready_to_go(kind, &next) {
        // What goes at once is shown as it was.
        let last = if is_new { there.value.clone() } else { next };
        transaction.delete(shelf(kind), key.clone(), last);
        return Ok(End::Gone);
    }
    if next != there.value {
        transaction.put(shelf(kind), key.clone(), next);
    }
    Ok(End::Pending)
}

fn refuse(kind: &Kind, key: &Key, there: &Object, options: &Options) -> Result<(), Status> {
    let name = &key.name;
    if kind.kind == "Namespace" && PERMANENT_NAMESPACES.contains(&name.as_str()) {
        return Err(status::forbidden(
            kind,
            name,
            "this namespace may not be deleted",
        ));
    }
    let uid = object::uid(&there.value);
    if let Some(expected) = options.uid.as_deref().filter(|expected| *expected != uid) {
        return Err(status::other_than_expected(
            kind,
            name,
            &format!(
                "the UID in the precondition ({expected}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            ),
        ));
    }
    let revision = there.revision.to_string();
    if let Some(expected) = options
        .resource_version
        .as_ref()
        .filter(|expected| **expected != revision)
    {
        return Err(status::other_than_expected(
            kind,
            name,
            &format!(
                "the ResourceVersion in the precondition ({expected}) does not match the ResourceVersion in record ({revision}). The object might have been modified"
            ),
        ));
    }
    Ok(())
}

/// Only pods that run somewhere get time to end.
fn grace_seconds(kind: &Kind, value: &Value, options: &Options) -> i64 {
    let has_nothing_to_end = object::text(value, &["spec", "nodeName"]).is_empty()
        || matches!(
            object::text(value, &["status", "phase"]),
            "Succeeded" | "Failed"
        );
    if kind.kind != "Pod" || has_nothing_to_end {
        return 0;
    }
    options
        .grace_seconds
        .or_else(|| value["spec"]["terminationGracePeriodSeconds"].as_i64())
        .unwrap_or(30)
        .max(0)
}

/// Dependents are looked after by the garbage collector, for which the object waits with a finalizer.
fn keep_for_collector(value: &mut Value, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else {
        return;
    };
    let wanted = match propagation {
        Propagation::Background => None,
        Propagation::Foreground => Some("foregroundDeletion"),
        Propagation::Orphan => Some("orphan"),
    };
    let mut finalizers: Vec<Value> = object::finalizers(value)
        .iter()
        .filter(|it| !matches!(it.as_str(), Some("foregroundDeletion" | "orphan")))
        .cloned()
        .collect();
    finalizers.extend(wanted.map(Value::from));
    if finalizers.is_empty() {
        object::remove_metadata(value, "finalizers");
    } else {
        object::set_metadata(value, "finalizers", Value::Array(finalizers));
    }
}
