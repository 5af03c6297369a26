//! Rules of `metadata`, and which shape of name each kind has.

use serde_json::{Value, json};

use super::{list, report::Report, str_of, text};
use crate::kinds::Kind;

/// Annotations are for small notes: all of an object's together.
const MAX_ANNOTATIONS_BYTES: usize = 256 << 10;

pub(super) fn create(kind: &Kind, object: &Value, report: &mut Report) {
    let metadata = &object["metadata"];
    let (name, generated) = (str_of(&metadata["name"]), str_of(&metadata["generateName"]));
    if !generated.is_empty() {
        // The server appends letters, so a trailing hyphen is fine.
        let faults = name_faults(kind, &format!("{}a", generated.trim_end_matches('-')));
        report.invalid_text("metadata.generateName", generated, faults);
    }
    if !name.is_empty() {
        report.invalid_text("metadata.name", name, name_faults(kind, name));
    } else if generated.is_empty() {
        report.required_because("metadata.name", "name or generateName is required");
    }
    shared(metadata, report);
}

pub(super) fn update(kind: &Kind, new: &Value, old: &Value, report: &mut Report) {
    let (new, old) = (&new["metadata"], &old["metadata"]);
    for field in ["name", "namespace", "uid"] {
        let (new, old) = (str_of(&new[field]), str_of(&old[field]));
        if new != old && !(field != "name" && new.is_empty()) {
            report.invalid(&format!("metadata.{field}"), new, "field is immutable");
        }
    }
    if kind.kind != "Event" && str_of(&new["resourceVersion"]).is_empty() {
        report.invalid(
            "metadata.resourceVersion",
            "",
            "must be specified for an update",
        );
    }
    if old["deletionTimestamp"].is_string()
        && list(&new["finalizers"])
            .iter()
            .any(|it| !list(&old["finalizers"]).contains(it))
    {
        let added: Vec<&Value> = list(&new["finalizers"])
            .iter()
            .filter(|it| !list(&old["finalizers"]).contains(it))
            .collect();
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers {}",
            json!(added)
        );
        report.forbidden("metadata.finalizers", &why);
    }
    shared(new, report);
}

fn shared(metadata: &Value, report: &mut Report) {
    labels("metadata.labels", &metadata["labels"], report);
    annotations("metadata.annotations", &metadata["annotations"], report);
    owners(&metadata["ownerReferences"], report);
    finalizers(&metadata["finalizers"], report);
}

fn name_faults(kind: &Kind, name: &str) -> Vec<String> {
    match (kind.group, kind.kind) {
        ("", "Service") => text::label_1035(name),
        ("", "Namespace") if name.contains('.') => vec!["must not contain dots".to_owned()],
        ("", "Namespace") => text::label(name),
        ("", "Event") | ("events.k8s.io", "Event") => Vec::new(),
        _ => text::subdomain(name),
    }
}

/// Checks a map of labels, of whatever object.
pub(super) fn labels(field: &str, labels: &Value, report: &mut Report) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        report.invalid_text(field, key, text::qualified_name(key));
        let value = str_of(value);
        report.invalid_text(field, value, text::label_value(value));
    }
}

pub(super) fn annotations(field: &str, annotations: &Value, report: &mut Report) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        report.invalid_text(field, key, text::qualified_name(&key.to_lowercase()));
        size += key.len() + str_of(value).len();
    }
    if size > MAX_ANNOTATIONS_BYTES {
        report.too_long(field, MAX_ANNOTATIONS_BYTES);
    }
}

fn owners(owners: &Value, report: &mut Report) {
    let field = "metadata.ownerReferences";
    let mut controller: Option<String> = None;
    for owner in list(owners) {
        for part in ["kind", "name", "uid"] {
            if str_of(&owner[part]).is_empty() {
                report.invalid(&format!("{field}.{part}"), "", "must not be empty");
            }
        }
        if str_of(&owner["apiVersion"]).is_empty() {
            report.invalid(
                &format!("{field}.apiVersion"),
                "",
                "version must not be empty",
            );
        }
        if owner["controller"] != true {
            continue;
        }
        let who = format!("{}/{}", str_of(&owner["kind"]), str_of(&owner["name"]));
        match &controller {
            None => controller = Some(who),
            Some(first) => {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {who}"
                );
                report.invalid(field, owners.clone(), &why);
            }
        }
    }
}

fn finalizers(finalizers: &Value, report: &mut Report) {
    let field = "metadata.finalizers";
    for finalizer in list(finalizers) {
        let name = str_of(finalizer);
        report.invalid_text(field, name, text::qualified_name(name));
    }
    for (index, finalizer) in list(finalizers).iter().enumerate() {
        let name = str_of(finalizer);
        let standard = matches!(name, "kubernetes" | "orphan" | "foregroundDeletion");
        if !standard && !name.contains('/') {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            report.invalid(&format!("{field}[{index}]"), name, why);
        }
    }
}
