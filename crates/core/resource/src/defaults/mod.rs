//! Fills in what a manifest leaves out, as Kubernetes 1.34 does.
//!
//! Addresses, node ports, service accounts and times are no defaults: the server chooses them.

mod pod;

use serde_json::{Map, Value, json};

use crate::kinds::Kind;

/// Sets the defaults of `kind` in `object`; fields that are set stay as they are.
pub fn apply(kind: &Kind, object: &mut Value) {
    if !object.is_object() {
        return;
    }
    drop_nulls(object);
    match (kind.group, kind.kind) {
        ("", "Pod") => {
            pod::spec(map_at(object, "spec"));
            pod::only_pods(map_at(object, "spec"));
            map_at(object, "status");
        }
        ("apps", "Deployment") => deployment(object),
        ("apps", "ReplicaSet") => replica_set(object),
        ("", "Service") => service(object),
        ("", "Namespace") => namespace(object),
        ("", "Secret") => secret(object),
        ("", "Endpoints") => endpoints(object),
        ("", "Node") => node(object),
        ("discovery.k8s.io", "EndpointSlice") => endpoint_slice(object),
        ("", "Event") => event(object),
        _ => {}
    }
}

/// A null is an absent field, wherever it stands.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, it| !it.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The map under `name`, made if it is not there; what is no map is left to the schema check.
fn map_at<'v>(object: &'v mut Value, name: &str) -> &'v mut Value {
    if object.is_object() && object.get(name).is_none() {
        object[name] = json!({});
    }
    object
        .get_mut(name)
        .unwrap_or_else(|| unreachable!("callers pass objects"))
}

/// Sets a field that is absent or empty.
fn set(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let absent = fields
        .get(name)
        .is_none_or(|it| it.is_null() || *it == json!(""));
    if absent {
        fields.insert(name.to_owned(), value);
    }
}

/// Sets a number that is absent or zero, where zero means "choose for me".
fn set_number(fields: &mut Map<String, Value>, name: &str, value: i64) {
    let absent = fields
        .get(name)
        .is_none_or(|it| it.is_null() || *it == json!(0));
    if absent {
        fields.insert(name.to_owned(), json!(value));
    }
}

/// The items of a list that are maps; none when there is no such list.
fn items<'v>(
    fields: &'v mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'v mut Map<String, Value>> {
    let list = fields.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn deployment(object: &mut Value) {
    let spec = map_at(object, "spec");
    template(spec);
    map_at(spec, "strategy");
    if let Some(spec) = spec.as_object_mut() {
        set(spec, "replicas", json!(1));
        set(spec, "revisionHistoryLimit", json!(10));
        set(spec, "progressDeadlineSeconds", json!(600));
        if let Some(strategy) = spec.get_mut("strategy") {
            rolling_update(strategy);
        }
    }
    map_at(object, "status");
}

fn rolling_update(strategy: &mut Value) {
    let Some(fields) = strategy.as_object_mut() else {
        return;
    };
    set(fields, "type", json!("RollingUpdate"));
    if fields["type"] != "RollingUpdate" {
        return;
    }
    if let Some(rolling) = map_at(strategy, "rollingUpdate").as_object_mut() {
        set(rolling, "maxUnavailable", json!("25%"));
        set(rolling, "maxSurge", json!("25%"));
    }
}

fn replica_set(object: &mut Value) {
    let spec = map_at(object, "spec");
    template(spec);
    if let Some(spec) = spec.as_object_mut() {
        set(spec, "replicas", json!(1));
    }
    if let Some(status) = map_at(object, "status").as_object_mut() {
        set(status, "replicas", json!(0));
    }
}

fn template(spec: &mut Value) {
    if !spec.is_object() {
        return;
    }
    let template = map_at(spec, "template");
    if template.is_object() {
        map_at(template, "metadata");
        pod::spec(map_at(template, "spec"));
    }
}

fn service(object: &mut Value) {
    if let Some(spec) = map_at(object, "spec").as_object_mut() {
        service_spec(spec);
    }
    let status = map_at(object, "status");
    if status.is_object() {
        map_at(status, "loadBalancer");
    }
}

/// How long a client sticks to one pod unless the Service says: three hours.
const STICKY_SECONDS: i64 = 10_800;

fn service_spec(spec: &mut Map<String, Value>) {
    set(spec, "sessionAffinity", json!("None"));
    if spec["sessionAffinity"] == "None" {
        spec.shift_remove("sessionAffinityConfig");
    } else if spec["sessionAffinity"] == "ClientIP" {
        let seconds = spec
            .get("sessionAffinityConfig")
            .and_then(|it| it.pointer("/clientIP/timeoutSeconds"))
            .cloned()
            .unwrap_or(json!(STICKY_SECONDS));
        let config = json!({ "clientIP": { "timeoutSeconds": seconds } });
        spec.insert("sessionAffinityConfig".to_owned(), config);
    }
    set(spec, "type", json!("ClusterIP"));
    for port in items(spec, "ports") {
        set(port, "protocol", json!("TCP"));
        if let Some(number) = port.get("port").cloned() {
            set(port, "targetPort", number.clone());
            if port["targetPort"] == json!(0) {
                port.insert("targetPort".to_owned(), number);
            }
        }
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    let external = spec
        .get("externalIPs")
        .and_then(Value::as_array)
        .is_some_and(|it| !it.is_empty());
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && external) {
        set(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind != "ExternalName" {
        set(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
}

fn namespace(object: &mut Value) {
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if !name.is_empty() {
        let metadata = map_at(object, "metadata");
        let labels = map_at(metadata, "labels");
        if labels.is_object() {
            labels["kubernetes.io/metadata.name"] = json!(name);
        }
    }
    map_at(object, "spec");
    if let Some(status) = map_at(object, "status").as_object_mut() {
        set(status, "phase", json!("Active"));
    }
}

fn secret(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        set(fields, "type", json!("Opaque"));
    }
}

fn endpoints(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    for subset in items(fields, "subsets") {
        for port in items(subset, "ports") {
            set(port, "protocol", json!("TCP"));
        }
    }
}

fn endpoint_slice(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    for port in items(fields, "ports") {
        if !port.contains_key("name") {
            port.insert("name".to_owned(), json!(""));
        }
        set(port, "protocol", json!("TCP"));
    }
    for endpoint in items(fields, "endpoints") {
        set(endpoint, "conditions", json!({}));
    }
}

fn event(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    set(fields, "source", json!({}));
    set(fields, "reportingComponent", json!(""));
    set(fields, "reportingInstance", json!(""));
}

fn node(object: &mut Value) {
    map_at(object, "spec");
    if let Some(status) = map_at(object, "status").as_object_mut()
        && let Some(capacity) = status.get("capacity").cloned()
    {
        set(status, "allocatable", capacity);
    }
}
