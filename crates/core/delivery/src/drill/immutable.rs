//! Fields that nobody may change once an object is there.

use serde_json::{Map, Value};

/// Fields of a StatefulSet's specification that may change; no other may.
const STATEFUL_SET: [&str; 7] =
    ["replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"];

/// Fields of a claim's specification that may change; a request only upwards.
const CLAIM: [&str; 2] = ["resources", "volumeAttributesClassName"];

/// The fields in which two states of one object differ and that the API server lets nobody change, in the spelling of `kubectl`.
pub fn immutable_fields(from: &Value, to: &Value) -> Vec<String> {
    let differs = |pointer: &str| from.pointer(pointer) != to.pointer(pointer);
    let any = |pointers: &[&str]| pointers.iter().filter(|it| differs(it)).map(|it| it.replace('/', ".")).collect::<Vec<_>>();
    match from["kind"].as_str().unwrap_or_default() {
        "Deployment" | "ReplicaSet" | "DaemonSet" => any(&["/spec/selector"]),
        "StatefulSet" => other_fields(from, to, &STATEFUL_SET),
        "Job" => any(&["/spec/selector", "/spec/template", "/spec/completions", "/spec/completionMode", "/spec/podFailurePolicy"]),
        "PersistentVolumeClaim" => claim(from, to),
        "ConfigMap" | "Secret" => {
            let mut fields = if from["immutable"] == true { any(&["/data", "/binaryData", "/stringData", "/immutable"]) } else { Vec::new() };
            if from["kind"] == "Secret" && type_of(from) != type_of(to) {
                fields.push(".type".to_owned());
            }
            fields
        }
        "RoleBinding" | "ClusterRoleBinding" => any(&["/roleRef"]),
        "StorageClass" => any(&["/provisioner", "/parameters", "/reclaimPolicy", "/volumeBindingMode"]),
        "PriorityClass" => any(&["/value"]),
        "CustomResourceDefinition" => any(&["/spec/group", "/spec/names/plural", "/spec/names/kind", "/spec/scope"]),
        "Service" => {
            // Only an address that both name is meant to stay.
            let named = |it: &Value| it.pointer("/spec/clusterIP").is_some_and(|it| it != "");
            if named(from) && named(to) { any(&["/spec/clusterIP"]) } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

fn type_of(secret: &Value) -> &str {
    secret["type"].as_str().unwrap_or("Opaque")
}

fn claim(from: &Value, to: &Value) -> Vec<String> {
    let mut fields = other_fields(from, to, &CLAIM);
    let request = |it: &Value| it.pointer("/spec/resources/requests/storage").and_then(Value::as_str).and_then(bytes);
    if let (Some(from), Some(to)) = (request(from), request(to))
        && to < from
    {
        fields.push(".spec.resources.requests.storage (smaller)".to_owned());
    }
    fields
}

/// Fields of the specification that differ, except those that may.
fn other_fields(from: &Value, to: &Value, free: &[&str]) -> Vec<String> {
    let none = Map::new();
    let spec = |it: &'_ Value| it.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
    let (from, to) = (spec(from), spec(to));
    let mut names: Vec<_> = from.keys().chain(to.keys()).filter(|name| !free.contains(&name.as_str())).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&String| from.get(*name).or_else(|| none.get(*name)) != to.get(*name);
    names.into_iter().filter(differs).map(|name| format!(".spec.{name}")).collect()
}

/// The bytes of a quantity such as `10Gi`, as far as it has one of the usual units.
fn bytes(quantity: &str) -> Option<u128> {
    let digits = quantity.find(|it: char| !it.is_ascii_digit()).unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(digits);
    let factor = match unit {
        "" => 1,
        "k" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1_u128 << 40,
        _ => return None,
    };
    number.parse::<u128>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(kind: &str, from: Value, to: Value, expected: &[&str]) {
        let object = |mut value: Value| {
            value["kind"] = kind.into();
            value
        };
        assert_eq!(immutable_fields(&object(from), &object(to)), expected, "{kind}");
    }

    #[test]
    fn each_kind_has_its_own() {
        check("Deployment", json!({"spec": {"selector": {"a": 1}, "replicas": 1}}), json!({"spec": {"selector": {"a": 2}, "replicas": 2}}), &[".spec.selector"]);
        check("StatefulSet", json!({"spec": {"serviceName": "a", "replicas": 1}}), json!({"spec": {"replicas": 3}}), &[".spec.serviceName"]);
        check("ConfigMap", json!({"data": {"a": "1"}}), json!({"data": {"a": "2"}}), &[]);
        check("Secret", json!({"type": "Opaque"}), json!({}), &[]);
        check("Secret", json!({"type": "kubernetes.io/tls"}), json!({}), &[".type"]);
        check("Service", json!({"spec": {"clusterIP": "10.0.0.1"}}), json!({"spec": {}}), &[]);
        let claim = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}, "accessModes": ["ReadWriteOnce"]}});
        check("PersistentVolumeClaim", claim("2Gi"), claim("1500Mi"), &[".spec.resources.requests.storage (smaller)"]);
        check("PersistentVolumeClaim", claim("1Gi"), claim("2Gi"), &[]);
        check("Widget", json!({"spec": 1}), json!({"spec": 2}), &[]);
    }
}
