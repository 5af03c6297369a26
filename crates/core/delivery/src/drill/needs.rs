//! What pods need that their own manifests do not bring along.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Objects;

/// An object that a pod refers to by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
}

/// The ConfigMaps, Secrets, service accounts and claims that the objects refer to and that are not among them.
pub fn needs(objects: &Objects) -> Vec<Need> {
    let mut found = BTreeSet::new();
    for (object, manifest) in objects {
        let Some(namespace) = &object.namespace else { continue };
        let Some(pod) = pod_of(manifest) else { continue };
        let mut need = |kind, name: Option<&Value>| {
            if let Some(name) = name.and_then(Value::as_str).filter(|it| !it.is_empty()) {
                found.insert(Need { kind, namespace: namespace.clone(), name: name.to_owned() });
            }
        };
        need("ServiceAccount", pod.get("serviceAccountName").filter(|it| *it != "default"));
        for secret in items(pod, "imagePullSecrets") {
            need("Secret", secret.get("name"));
        }
        for volume in items(pod, "volumes") {
            volume_needs(volume, &mut need);
            for source in volume.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten() {
                need("ConfigMap", source.pointer("/configMap/name"));
                need("Secret", source.pointer("/secret/name"));
            }
        }
        for container in ["initContainers", "containers"].iter().flat_map(|list| items(pod, list)) {
            for source in items(container, "envFrom") {
                need("ConfigMap", source.pointer("/configMapRef/name"));
                need("Secret", source.pointer("/secretRef/name"));
            }
            for variable in items(container, "env") {
                need("ConfigMap", variable.pointer("/valueFrom/configMapKeyRef/name"));
                need("Secret", variable.pointer("/valueFrom/secretKeyRef/name"));
            }
        }
    }
    let brought = |need: &Need| {
        objects.iter().any(|(it, _)| it.kind == need.kind && it.name == need.name && it.namespace.as_deref() == Some(&need.namespace))
    };
    found.into_iter().filter(|need| !brought(need)).collect()
}

fn volume_needs(volume: &Value, need: &mut impl FnMut(&'static str, Option<&Value>)) {
    need("ConfigMap", volume.pointer("/configMap/name"));
    need("Secret", volume.pointer("/secret/secretName"));
    need("PersistentVolumeClaim", volume.pointer("/persistentVolumeClaim/claimName"));
}

/// The specification of the pods that an object makes.
fn pod_of(manifest: &Value) -> Option<&Value> {
    if manifest["kind"] == "Pod" {
        return manifest.get("spec");
    }
    let template = manifest.pointer("/spec/template/spec").or_else(|| manifest.pointer("/spec/jobTemplate/spec/template/spec"));
    template.filter(|it| it.get("containers").is_some())
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use api::ObjectRef;
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_a_pod_names_is_found_once() {
        let object = |kind: &str, name: &str| ObjectRef {
            api_version: "v1".into(),
            kind: kind.into(),
            plural: String::new(),
            namespace: Some("shop".into()),
            name: name.into(),
        };
        let spec = json!({
            "serviceAccountName": "runner",
            "imagePullSecrets": [{"name": "pull"}],
            "volumes": [{"configMap": {"name": "own"}}, {"secret": {"secretName": "tls"}}, {"persistentVolumeClaim": {"claimName": "data"}},
                {"projected": {"sources": [{"secret": {"name": "pull"}}]}}],
            "containers": [{"envFrom": [{"configMapRef": {"name": "settings"}}], "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}]}],
        });
        let objects = vec![
            (object("Deployment", "web"), json!({"kind": "Deployment", "spec": {"template": {"spec": spec}}})),
            (object("ConfigMap", "own"), json!({"kind": "ConfigMap"})),
        ];
        let found: Vec<_> = needs(&objects).iter().map(|it| format!("{} {}", it.kind, it.name)).collect();
        assert_eq!(found, ["ConfigMap settings", "PersistentVolumeClaim data", "Secret keys", "Secret pull", "Secret tls", "ServiceAccount runner"]);
    }
}
