//! The objects of a changeover: the second Deployment, what divides requests, what is held back.

use api::{ObjectRef, RolloutProgress};
use names::Digest;
use serde_json::{Map, Value, json};

use super::{
    machine::{Stable, picture},
    split::Split,
    words::ANNOTATION,
};
use crate::sight::text;

/// The label of the pods of the second Deployment, and of the Deployment itself.
pub const TRACK: &str = "landfall.dev/track";

/// Says of a Service how its requests are divided: `web-canary=10`.
pub const TRAFFIC: &str = "landfall.dev/traffic";

/// Which pod template the second Deployment holds.
pub const TEMPLATE: &str = "landfall.dev/template";

/// Names of pods are the Deployment's and 17 characters; longer ones are cut, and would not tell whose they are.
const NAME_MAX: usize = 39;

/// The name of the second Deployment.
pub fn canary_name(name: &str) -> String {
    if name.len() <= NAME_MAX {
        return format!("{name}-canary");
    }
    let start: String = name.chars().take(NAME_MAX - 9).collect();
    let hash: String = Digest::of(name.as_bytes()).hex().chars().take(8).collect();
    format!("{start}-{hash}-canary")
}

/// What a pod template is known by.
pub fn template_hash(deployment: &Value) -> String {
    let template = deployment.pointer("/spec/template").unwrap_or(&Value::Null);
    Digest::of(&serde_json::to_vec(template).unwrap_or_default()).hex().chars().take(10).collect()
}

/// The second Deployment: the first one's new state under another name, with one more label.
pub fn canary_manifest(new: &Value, replicas: u32, owner_uid: &str) -> Value {
    let name = text(new, "/metadata/name");
    let mut it = new.clone();
    let hash = template_hash(new);
    it["metadata"]["name"] = json!(canary_name(name));
    if let Some(metadata) = it["metadata"].as_object_mut() {
        entry(metadata, "labels").insert(TRACK.to_owned(), json!("canary"));
        let annotations = entry(metadata, "annotations");
        annotations.remove(ANNOTATION);
        // It belongs to the changeover, not to the app's inventory, whoever's marks the first one has.
        annotations.retain(|key, _| !key.starts_with("argocd.argoproj.io/") && !key.starts_with("helm.sh/"));
        annotations.insert(TEMPLATE.to_owned(), json!(hash));
        let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": owner_uid});
        // Who deletes the first Deployment means both.
        metadata.insert("ownerReferences".to_owned(), json!([owner]));
    }
    it["spec"]["replicas"] = json!(replicas);
    if let Some(spec) = it["spec"].as_object_mut() {
        entry(entry(spec, "selector"), "matchLabels").insert(TRACK.to_owned(), json!("canary"));
        entry(entry(entry(spec, "template"), "metadata"), "labels").insert(TRACK.to_owned(), json!("canary"));
    }
    it
}

fn entry<'a>(object: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = object.entry(key.to_owned()).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made one")
}

/// Whether requests to a Service reach the pods of a Deployment.
pub fn selects(service: &Value, deployment: &Value) -> bool {
    let namespace = |it| text(it, "/metadata/namespace").to_owned();
    let labels = deployment.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let selector = service.pointer("/spec/selector").and_then(Value::as_object).filter(|it| !it.is_empty());
    let (Some(labels), Some(selector)) = (labels, selector) else { return false };
    namespace(service) == namespace(deployment) && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The fields of a Service that divide its requests; without a weight, none.
pub fn traffic(service: &str, namespace: &str, canary: &str, weight: Option<u8>) -> Value {
    let mut it = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": service, "namespace": namespace}});
    if let Some(weight) = weight {
        it["metadata"]["annotations"] = json!({TRAFFIC: Split { deployment: canary.to_owned(), weight }.to_string()});
    }
    it
}

/// A Service that reaches the second Deployment only, made from the one that reaches the first.
pub fn preview_service(name: &str, active: &Value, canary: &Value) -> Value {
    let ports: Vec<Value> = active
        .pointer("/spec/ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|port| {
            let mut port = port.clone();
            if let Some(port) = port.as_object_mut() {
                port.remove("nodePort");
            }
            port
        })
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": text(canary, "/metadata/namespace"),
            "labels": {TRACK: "canary"},
            "ownerReferences": canary.pointer("/metadata/ownerReferences").cloned().unwrap_or_else(|| json!([])),
        },
        "spec": {"ports": ports, "selector": canary.pointer("/spec/selector/matchLabels").cloned().unwrap_or_else(|| json!({}))},
    })
}

/// What is written of a deployment while its changeovers are under way: Deployments that must not
/// change yet are as they were.
pub fn staged(progress: &RolloutProgress, new: &[(ObjectRef, Value)], old: &[(ObjectRef, Value)]) -> Vec<(ObjectRef, Value)> {
    let hold = |(object, value): &(ObjectRef, Value)| {
        let Some(it) = progress.workloads.iter().find(|it| it.object == *object) else { return (object.clone(), value.clone()) };
        let replicas = match picture(it, progress.split).stable {
            Stable::Old(replicas) => replicas,
            Stable::New | Stable::Leave => return (object.clone(), value.clone()),
        };
        let Some((_, before)) = old.iter().find(|(it, _)| it == object) else { return (object.clone(), value.clone()) };
        (object.clone(), scaled(before, replicas))
    };
    new.iter().map(hold).collect()
}

/// With another number of pods, if one is given and the number is the manifest's to say.
pub fn scaled(deployment: &Value, replicas: Option<u32>) -> Value {
    let mut it = deployment.clone();
    if let Some(replicas) = replicas.filter(|_| deployment.pointer("/spec/replicas").is_some()) {
        it["spec"]["replicas"] = json!(replicas);
    }
    it
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "annotations": {ANNOTATION: "canary 10", "argocd.argoproj.io/sync-wave": "1"}},
            "spec": {
                "replicas": 4,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
            },
        })
    }

    #[test]
    fn the_second_deployment_differs_by_name_label_and_size() {
        let hash = template_hash(&web());
        assert_eq!(
            canary_manifest(&web(), 1, "u1"),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {
                    "name": "web-canary", "namespace": "shop", "annotations": {TEMPLATE: hash}, "labels": {TRACK: "canary"},
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u1"}],
                },
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": {"app": "web", TRACK: "canary"}},
                    "template": {"metadata": {"labels": {"app": "web", TRACK: "canary"}}, "spec": {"containers": []}},
                },
            })
        );
    }

    #[test]
    fn names_leave_room_for_what_pods_append() {
        let long = "a".repeat(60);
        let name = canary_name(&long);
        assert!(name.len() + "-0123456789-".len() <= 58, "{name}");
        assert_ne!(name, canary_name(&"a".repeat(61)));
        assert_eq!(canary_name("web"), "web-canary");
    }

    #[test]
    fn a_service_is_matched_by_its_selector() {
        let service = |selector: Value| json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"selector": selector}});
        assert!(selects(&service(json!({"app": "web"})), &web()));
        assert!(!selects(&service(json!({"app": "web", "tier": "a"})), &web()));
        assert!(!selects(&service(json!({})), &web()));
    }

    #[test]
    fn a_preview_reaches_the_new_version_only() {
        let active = json!({"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30000}], "selector": {"app": "web"}}});
        let preview = preview_service("web-preview", &active, &canary_manifest(&web(), 1, "u1"));
        assert_eq!(preview["spec"], json!({"ports": [{"port": 80}], "selector": {"app": "web", TRACK: "canary"}}));
    }
}
