//! Defaults of pods and of the pod templates of workloads.

use serde_json::{Map, Value, json};

use super::{items, map_at, set, set_number};
use crate::quantity::Quantity;

/// Mode of files made from ConfigMaps, Secrets and the like: 0644.
const FILE_MODE: u32 = 0o644;

/// What every pod spec gets, in a pod as in a template.
pub(super) fn spec(spec: &mut Value) {
    let Some(fields) = spec.as_object_mut() else {
        return;
    };
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        items(fields, list).for_each(container);
    }
    items(fields, "volumes").for_each(volume);
    set(fields, "restartPolicy", json!("Always"));
    set(fields, "terminationGracePeriodSeconds", json!(30));
    set(fields, "dnsPolicy", json!("ClusterFirst"));
    // The old name of the field is kept in step for old clients.
    match (
        fields.get("serviceAccountName").cloned(),
        fields.get("serviceAccount").cloned(),
    ) {
        (Some(name), _) => set(fields, "serviceAccount", name),
        (None, Some(name)) => set(fields, "serviceAccountName", name),
        (None, None) => {}
    }
    set(fields, "securityContext", json!({}));
    set(fields, "schedulerName", json!("default-scheduler"));
}

/// What only a pod itself gets, so that templates do not change with it.
pub(super) fn only_pods(spec: &mut Value) {
    let Some(fields) = spec.as_object_mut() else {
        return;
    };
    let on_host = fields.get("hostNetwork") == Some(&json!(true));
    for list in ["containers", "initContainers"] {
        for container in items(fields, list) {
            requests_from_limits(container);
            if on_host {
                for port in items(container, "ports") {
                    let number = port.get("containerPort").cloned().unwrap_or(json!(0));
                    set_number(port, "hostPort", number.as_i64().unwrap_or(0));
                }
            }
        }
    }
    set(fields, "enableServiceLinks", json!(true));
}

fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(resources) = container.get_mut("resources") else {
        return;
    };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else {
        return;
    };
    let Some(requests) = map_at(resources, "requests").as_object_mut() else {
        return;
    };
    for (name, amount) in limits {
        requests.entry(name).or_insert(amount);
    }
}

fn container(fields: &mut Map<String, Value>) {
    for port in items(fields, "ports") {
        set(port, "protocol", json!("TCP"));
    }
    for variable in items(fields, "env") {
        if let Some(reference) = variable
            .get_mut("valueFrom")
            .and_then(|it| it.get_mut("fieldRef"))
        {
            field_reference(reference);
        }
    }
    set(fields, "resources", json!({}));
    if let Some(resources) = fields.get_mut("resources") {
        for list in ["limits", "requests"] {
            if let Some(amounts) = resources.get_mut(list) {
                canonical_amounts(amounts);
            }
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = fields.get_mut(name).and_then(Value::as_object_mut) {
            self::probe(probe);
        }
    }
    for hook in ["postStart", "preStop"] {
        let hook = fields.get_mut("lifecycle").and_then(|it| it.get_mut(hook));
        if let Some(request) = hook
            .and_then(|it| it.get_mut("httpGet"))
            .and_then(Value::as_object_mut)
        {
            http_get(request);
        }
    }
    set(
        fields,
        "terminationMessagePath",
        json!("/dev/termination-log"),
    );
    set(fields, "terminationMessagePolicy", json!("File"));
    let image = fields
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let policy = if is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    };
    set(fields, "imagePullPolicy", json!(policy));
}

/// Whether an image name means the tag `latest`, by word or by silence; a digest is not silent.
fn is_latest(image: &str) -> bool {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, it)| (name, Some(it)));
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => digest.is_none() && !name.is_empty(),
    }
}

fn probe(fields: &mut Map<String, Value>) {
    set_number(fields, "timeoutSeconds", 1);
    set_number(fields, "periodSeconds", 10);
    set_number(fields, "successThreshold", 1);
    set_number(fields, "failureThreshold", 3);
    if let Some(request) = fields.get_mut("httpGet").and_then(Value::as_object_mut) {
        http_get(request);
    }
    if let Some(call) = fields.get_mut("grpc").and_then(Value::as_object_mut)
        && !call.contains_key("service")
    {
        call.insert("service".to_owned(), json!(""));
    }
}

fn http_get(fields: &mut Map<String, Value>) {
    set(fields, "path", json!("/"));
    set(fields, "scheme", json!("HTTP"));
}

fn field_reference(reference: &mut Value) {
    if let Some(fields) = reference.as_object_mut() {
        set(fields, "apiVersion", json!("v1"));
    }
}

/// Writes amounts as the server stores them: canonical, not finer than thousandths.
fn canonical_amounts(amounts: &mut Value) {
    for amount in amounts
        .as_object_mut()
        .into_iter()
        .flat_map(|it| it.values_mut())
    {
        let text = amount
            .as_str()
            .map_or_else(|| amount.to_string(), str::to_owned);
        if let Ok(quantity) = text.parse::<Quantity>() {
            *amount = json!(quantity.to_milli_precision().to_string());
        }
    }
}

fn volume(fields: &mut Map<String, Value>) {
    if fields.keys().all(|it| it == "name") {
        fields.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        let Some(source) = fields.get_mut(source).and_then(Value::as_object_mut) else {
            continue;
        };
        set(source, "defaultMode", json!(FILE_MODE));
        for file in items(source, "items") {
            if let Some(reference) = file.get_mut("fieldRef") {
                field_reference(reference);
            }
        }
        for projection in items(source, "sources") {
            project(projection);
        }
    }
    if let Some(source) = fields.get_mut("hostPath").and_then(Value::as_object_mut)
        && !source.contains_key("type")
    {
        source.insert("type".to_owned(), json!(""));
    }
    if let Some(limit) = fields
        .get_mut("emptyDir")
        .and_then(|it| it.get_mut("sizeLimit"))
    {
        let text = limit
            .as_str()
            .map_or_else(|| limit.to_string(), str::to_owned);
        if let Ok(quantity) = text.parse::<Quantity>() {
            *limit = json!(quantity.to_string());
        }
    }
    if let Some(image) = fields.get_mut("image").and_then(Value::as_object_mut) {
        let reference = image
            .get("reference")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let policy = if is_latest(reference) {
            "Always"
        } else {
            "IfNotPresent"
        };
        set(image, "pullPolicy", json!(policy));
    }
}

/// How long a projected token lives unless the volume says: one hour.
const TOKEN_SECONDS: i64 = 3600;

fn project(projection: &mut Map<String, Value>) {
    if let Some(token) = projection
        .get_mut("serviceAccountToken")
        .and_then(Value::as_object_mut)
    {
        set(token, "expirationSeconds", json!(TOKEN_SECONDS));
    }
    if let Some(downward) = projection
        .get_mut("downwardAPI")
        .and_then(Value::as_object_mut)
    {
        for file in items(downward, "items") {
            if let Some(reference) = file.get_mut("fieldRef") {
                field_reference(reference);
            }
        }
    }
}
