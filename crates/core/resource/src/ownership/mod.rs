//! Server-side apply: who owns which field of an object.
//!
//! An applier sends the fields it has an opinion on and owns them from then on. A
//! field that it stops sending goes, unless somebody else owns it too; a field
//! that somebody else owns and that it wants otherwise is a conflict. Everybody
//! else who writes owns what they changed. The rules are those of Kubernetes 1.34
//! (structured merge by the schema's list and map types).

mod conflict;
mod owners;
mod path;
mod set;
mod shape;
mod walk;

use names::Timestamp;
use serde_json::{Map, Value};

pub use conflict::{Conflict, Conflicts};
pub use owners::{Manager, Managers, Operation, Owned};
pub use path::{Step, show};
pub use set::FieldSet;
use shape::Shape;
pub use walk::Comparison;

use crate::{kinds::Kind, schema};

/// Where `kubectl apply` without `--server-side` keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The name under which `kubectl apply --server-side` applies.
const KUBECTL: &str = "kubectl";

/// In whose name fields are kept that were there before anybody applied.
const BEFORE: &str = "before-first-apply";

/// Who writes, and to what part of the object.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    pub manager: &'a str,
    /// Empty for the object itself, else `status` or `scale`.
    pub subresource: &'a str,
    pub now: Timestamp,
}

/// What an applier does about fields that others own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Takes them.
    Yes,
    /// Is refused.
    No,
}

/// Why an apply was refused.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{0}")]
    Conflict(Conflicts),
    /// The applied object breaks a rule of the form: 400.
    #[error("{0}")]
    Malformed(String),
    /// The applied object does not fit the schema: 500, as the real server has it.
    #[error("{0}")]
    Untyped(String),
}

/// The `managedFields` of an object that was created or changed by anything but an apply.
///
/// `live` is the object before, `new` the object as it will be stored. `None` where nothing is
/// tracked: the object came from a time before its fields were.
pub fn update(kind: &Kind, live: Option<&Value>, new: &Value, writer: Writer<'_>) -> Option<Value> {
    let mut managers = managers_of_update(live, new, writer.subresource);
    if managers.is_empty() && live.is_some() {
        return None;
    }
    track(kind, live, new, writer, &mut managers);
    managers.cap_updaters();
    (!managers.is_empty()).then(|| managers.to_value())
}

/// The managers that an update starts from: those it sends itself, else those of the live object.
fn managers_of_update(live: Option<&Value>, new: &Value, subresource: &str) -> Managers {
    let of_live = || live.and_then(|live| Managers::read(entries(live))).unwrap_or_default();
    let sent = entries(new);
    if !subresource.is_empty() {
        return of_live();
    }
    match sent.as_array().map(Vec::as_slice) {
        // The way to take everybody's ownership away.
        Some([]) => Managers::default(),
        Some([only]) if only.as_object().is_some_and(Map::is_empty) => Managers::default(),
        _ => match Managers::read(sent) {
            Some(managers) if !managers.is_empty() => managers,
            _ => of_live(),
        },
    }
}

/// Takes what changed from its owners and gives it to the writer.
fn track(kind: &Kind, live: Option<&Value>, new: &Value, writer: Writer<'_>, managers: &mut Managers) {
    let shape = shape_of(kind);
    let ignored = ignored(kind, writer.subresource);
    let old = shape.typed(&without_managed_fields(live.unwrap_or(&Value::Object(Map::new()))));
    let new = shape.typed(&without_managed_fields(new));
    let changes = Comparison::of(shape, &old, &new).without(&ignored);
    let taken = changes.modified.union(&changes.added);
    for owned in managers.0.values_mut() {
        owned.fields = owned.fields.difference(&taken).difference(&changes.removed);
    }
    managers.0.retain(|_, owned| !owned.fields.is_empty());
    let taken = taken.difference(&untracked());
    if taken.is_empty() {
        return;
    }
    let manager = Manager {
        operation: Operation::Update,
        name: if writer.manager.is_empty() { "unknown".to_owned() } else { writer.manager.to_owned() },
        api_version: kind.api_version(),
        subresource: writer.subresource.to_owned(),
    };
    let owned = managers.0.entry(manager).or_insert_with(|| Owned {
        api_version: kind.api_version(),
        fields: FieldSet::default(),
        time: None,
    });
    owned.fields = owned.fields.union(&taken);
    owned.time = Some(writer.now.to_seconds_text());
}

/// What `live`, or nothing, becomes when `wanted` is applied; with `managedFields`.
///
/// # Errors
///
/// Conflicts with other owners unless `force`; an object that does not fit the schema.
pub fn apply(kind: &Kind, live: Option<&Value>, wanted: &Value, writer: Writer<'_>, force: Force) -> Result<Value, ApplyError> {
    check(kind, wanted)?;
    let mut managers = live.map(|live| Managers::read(entries(live))).unwrap_or_default().unwrap_or_default();
    if let Some(live) = live.filter(|_| managers.is_empty()) {
        let before = Writer { manager: BEFORE, subresource: "", now: writer.now };
        track(kind, None, live, before, &mut managers);
    }
    let applied = try_apply(kind, live, wanted, writer, force, managers.clone());
    let (mut object, managers) = match (applied, live) {
        (Err(conflicts), Some(live)) if writer.manager == KUBECTL => {
            let allowed = applied_by_client(kind, live);
            match conflicts.except(&allowed) {
                None => try_apply(kind, Some(live), wanted, writer, Force::Yes, managers).map_err(ApplyError::Conflict)?,
                Some(conflicts) => return Err(ApplyError::Conflict(conflicts)),
            }
        }
        (applied, _) => applied.map_err(ApplyError::Conflict)?,
    };
    if writer.manager == KUBECTL {
        renew_last_applied(&mut object, wanted);
    }
    set_entries(&mut object, &managers);
    Ok(object)
}

fn try_apply(
    kind: &Kind,
    live: Option<&Value>,
    wanted: &Value,
    writer: Writer<'_>,
    force: Force,
    mut managers: Managers,
) -> Result<(Value, Managers), Conflicts> {
    let (shape, ignored) = (shape_of(kind), ignored(kind, writer.subresource));
    let nothing = Value::Object(Map::new());
    let live = without_managed_fields(live.unwrap_or(&nothing));
    let manager = Manager {
        operation: Operation::Apply,
        name: writer.manager.to_owned(),
        api_version: String::new(),
        subresource: writer.subresource.to_owned(),
    };
    let last = managers.0.remove(&manager);
    let fields = walk::fields_of(shape, wanted).without(&ignored);
    let everybody = managers.all_fields().union(&fields);
    let merged_into = |live: &Value| {
        let merged = walk::merge(shape, live, wanted);
        match &last {
            Some(last) => prune(shape, &merged, &last.fields, &everybody),
            None => merged,
        }
    };
    // What is sent is compared as it stands, what is there as Kubernetes' own types hold it.
    let typed = shape.typed(&live);
    let typed_after = merged_into(&typed);
    let changes = Comparison::of(shape, &typed, &typed_after).without(&ignored);
    let taken = changes.modified.union(&changes.added);
    let conflicts = Conflicts::between(&managers, &taken);
    if force == Force::No && !conflicts.is_empty() {
        return Err(conflicts);
    }
    for owned in managers.0.values_mut() {
        owned.fields = owned.fields.difference(&taken).difference(&changes.removed);
    }
    managers.0.retain(|_, owned| !owned.fields.is_empty());
    let fields = fields.difference(&untracked());
    // Who applies the same again changes nothing, so the time of the last change stays.
    let changed = typed != typed_after;
    if !fields.is_empty() {
        let time = if changed { Some(writer.now.to_seconds_text()) } else { last.as_ref().and_then(|last| last.time.clone()) };
        managers.0.insert(manager, Owned { api_version: kind.api_version(), fields, time });
    }
    Ok((shape.trimmed(&merged_into(&live)), managers))
}

/// Takes away what the applier no longer wants and nobody else owns.
fn prune(shape: Shape, merged: &Value, last: &FieldSet, everybody: &FieldSet) -> Value {
    if last.is_empty() {
        return merged.clone();
    }
    let named = |set: FieldSet| set.with_named_fields(shape);
    let without = |set: &FieldSet| walk::remove(shape, merged, set).unwrap_or(Value::Null);
    let (last, everybody, all) = (named(last.clone()), named(everybody.clone()), named(walk::fields_of(shape, merged)));
    let left = |value: &Value| named(walk::fields_of(shape, value));
    let pruned = without(&last);
    let pruned = without(&all.difference(&left(&pruned).union(&everybody)));
    without(&all.difference(&left(&pruned)).intersection(&last))
}

fn check(kind: &Kind, wanted: &Value) -> Result<(), ApplyError> {
    if !entries(wanted).is_null() {
        return Err(ApplyError::Malformed("metadata.managedFields must be nil".to_owned()));
    }
    let problems = walk::problems(shape_of(kind), wanted);
    if problems.is_empty() {
        return Ok(());
    }
    let text = |name: &str| wanted["metadata"][name].as_str().unwrap_or_default();
    let (namespace, name, version) = (text("namespace"), text("name"), kind.api_version());
    let problems = match &problems[..] {
        [only] => only.clone(),
        several => format!("errors:\n  {}", several.join("\n  ")),
    };
    Err(ApplyError::Untyped(format!(
        "failed to create typed patch object ({namespace}/{name}; {version}, Kind={}): {problems}",
        kind.kind
    )))
}

/// What `kubectl apply` applied from the client's side, as far as it still stands so.
fn applied_by_client(kind: &Kind, live: &Value) -> FieldSet {
    let shape = shape_of(kind);
    let text = live["metadata"]["annotations"][LAST_APPLIED].as_str();
    let Some(last) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return FieldSet::default();
    };
    if last["apiVersion"].as_str() != Some(&kind.api_version()) {
        return FieldSet::default();
    }
    let changes = Comparison::of(shape, &last, live);
    let differing = changes.modified.union(&changes.added).union(&changes.removed);
    walk::fields_of(shape, &last).difference(&differing)
}

/// Keeps the annotation of client-side apply in step, where there is one.
fn renew_last_applied(object: &mut Value, wanted: &Value) {
    let annotation = object.pointer_mut("/metadata/annotations").and_then(|it| it.get_mut(LAST_APPLIED));
    let Some(annotation) = annotation else { return };
    let mut wanted = wanted.clone();
    let annotations = wanted.get_mut("metadata").and_then(|it| it.get_mut("annotations"));
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.shift_remove(LAST_APPLIED);
    }
    *annotation = Value::String(format!("{}\n", sorted(&wanted)));
}

/// With sorted keys, as Go writes maps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().collect();
            names.sort();
            names.into_iter().map(|name| (name.clone(), sorted(&fields[name]))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn shape_of(kind: &Kind) -> Shape {
    schema::of(kind).map_or(Shape::Unknown, Shape::Known)
}

fn paths(names: &[&[&str]]) -> FieldSet {
    let path = |names: &&[&str]| names.iter().map(|name| Step::Field((*name).to_owned())).collect();
    names.iter().map(path).collect()
}

/// Fields that the server sets, which nobody owns.
fn untracked() -> FieldSet {
    let metadata = ["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion"];
    let mut set = paths(&[&["apiVersion"], &["kind"], &["metadata"]]);
    for name in metadata {
        set.insert(&[Step::Field("metadata".to_owned()), Step::Field(name.to_owned())]);
    }
    set
}

/// Fields that a write to this part of the object cannot change.
fn ignored(kind: &Kind, subresource: &str) -> FieldSet {
    match (subresource, kind.kind) {
        ("", _) if kind.subresources.contains(&"status") => paths(&[&["status"]]),
        ("status", "Pod") => paths(&[&["spec"], &["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]]),
        ("status", _) if kind.group == "apps" => paths(&[&["spec"], &["metadata", "labels"]]),
        ("status", _) => paths(&[&["spec"]]),
        _ => FieldSet::default(),
    }
}

fn entries(object: &Value) -> &Value {
    &object["metadata"]["managedFields"]
}

/// Writes the managers of an object into it; without any the field is absent.
fn set_entries(object: &mut Value, managers: &Managers) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        if !managers.is_empty() {
            metadata.insert("managedFields".to_owned(), managers.to_value());
        }
    }
}

fn without_managed_fields(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    object
}
