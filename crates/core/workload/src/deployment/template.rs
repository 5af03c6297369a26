//! Which set has the Deployment's template, and what a new one is called.

use serde_json::{Value, json};

use super::{Deployment, Sets};
use crate::{
    ReplicaSet,
    action::{Kind, as_value},
    replica_set::owner_reference,
};

/// Tells the pods of one template from those of another.
pub const HASH_LABEL: &str = "pod-template-hash";

/// Finds the set that has the Deployment's template; of several the oldest.
pub fn tell_apart<'a>(deployment: &Deployment, mut owned: Vec<&'a ReplicaSet>) -> Sets<'a> {
    owned.sort_by(|a, b| {
        let age = |set: &ReplicaSet| (set.metadata.creation_timestamp, set.metadata.name.clone());
        age(a).cmp(&age(b))
    });
    let new = owned.iter().position(|set| is_same(&deployment.spec.template, &set.spec.template));
    let new = new.map(|index| owned.remove(index));
    Sets { new, old: owned }
}

/// Whether two templates are equal but for the hash label.
pub fn is_same(a: &Value, b: &Value) -> bool {
    canonical(a) == canonical(b)
}

/// The text of a template without its hash: keys sorted, nulls left out.
fn canonical(template: &Value) -> String {
    let mut bare = template.clone();
    if let Some(metadata) = bare.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("creationTimestamp");
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.shift_remove(HASH_LABEL);
        }
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
    }
    let mut text = String::new();
    write_sorted(&bare, &mut text);
    text
}

fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (key, value) in fields {
                text.push_str(key);
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_sorted(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

/// The hash that goes into the set's name and labels: ten characters at most, none of them a vowel.
pub fn hash(template: &Value, collisions: Option<i32>) -> String {
    const SYMBOLS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash: u32 = 0x811c_9dc5;
    let salt = collisions.map(i32::to_le_bytes);
    for byte in canonical(template).bytes().chain(salt.into_iter().flatten()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let symbol = |digit: u8| char::from(SYMBOLS[usize::from(digit) % SYMBOLS.len()]);
    hash.to_string().bytes().map(symbol).collect()
}

/// The manifest of the set for the Deployment's template.
pub fn new_set(deployment: &Deployment, replicas: i32, annotations: &crate::Labels) -> (String, Value) {
    let hash = hash(&deployment.spec.template, deployment.status.collision_count);
    let name = format!("{}-{hash}", deployment.metadata.name);
    let mut template = deployment.spec.template.clone();
    template["metadata"]["labels"][HASH_LABEL] = json!(hash);
    let mut selector = deployment.spec.selector.clone();
    selector.match_labels.insert(HASH_LABEL.to_owned(), hash);
    let manifest = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": deployment.metadata.namespace,
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [as_value(&owner_reference(Kind::Deployment, &deployment.metadata))],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": deployment.spec.min_ready_seconds,
            "selector": as_value(&selector),
            "template": template,
        },
    });
    (name, manifest)
}
