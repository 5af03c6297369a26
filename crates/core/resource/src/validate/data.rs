//! Rules of ConfigMaps, Secrets, Namespaces, Nodes and Leases.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{list, pod::taint_effect, report::Report, str_of, text};

/// What one ConfigMap or Secret may hold: it travels whole to every node that mounts it.
const MAX_DATA_BYTES: usize = 1 << 20;

pub(super) fn config_map(object: &Value, report: &mut Report) {
    let mut size = 0;
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        let field = format!("data[{key}]");
        report.invalid_text(&field, key, text::config_key(key));
        if object["binaryData"].get(key).is_some() {
            report.invalid(
                &field,
                key.as_str(),
                "duplicate of key present in binaryData",
            );
        }
        size += str_of(value).len();
    }
    for (key, value) in object["binaryData"].as_object().into_iter().flatten() {
        report.invalid_text(&format!("binaryData[{key}]"), key, text::config_key(key));
        size += decoded_size(value);
    }
    if size > MAX_DATA_BYTES {
        // The whole object is at fault, which the real server writes so.
        report.too_long("[]", MAX_DATA_BYTES);
    }
}

/// The bytes behind a base64 text, without decoding it.
fn decoded_size(value: &Value) -> usize {
    let text = str_of(value);
    text.trim_end_matches('=').len() * 3 / 4
}

pub(super) fn secret(object: &Value, report: &mut Report) {
    let data = &object["data"];
    let mut size = 0;
    for (key, value) in data.as_object().into_iter().flatten() {
        report.invalid_text(&format!("data[{key}]"), key, text::config_key(key));
        size += decoded_size(value);
    }
    if size > MAX_DATA_BYTES {
        report.too_long("data", MAX_DATA_BYTES);
    }
    let mut require = |keys: &[&str]| {
        for key in keys.iter().filter(|it| data.get(**it).is_none()) {
            report.required(&format!("data[{key}]"));
        }
    };
    match str_of(&object["type"]) {
        "kubernetes.io/service-account-token" => {
            let account = "kubernetes.io/service-account.name";
            if str_of(&object["metadata"]["annotations"][account]).is_empty() {
                report.required(&format!("metadata.annotations[{account}]"));
            }
        }
        "kubernetes.io/dockerconfigjson" => docker_config(data, ".dockerconfigjson", report),
        "kubernetes.io/dockercfg" => docker_config(data, ".dockercfg", report),
        // One of the two is enough; both are named when both are missing.
        "kubernetes.io/basic-auth"
            if data.get("username").is_none() && data.get("password").is_none() =>
        {
            require(&["username", "password"]);
        }
        "kubernetes.io/ssh-auth" => require(&["ssh-privatekey"]),
        "kubernetes.io/tls" => require(&["tls.crt", "tls.key"]),
        _ => {}
    }
}

fn docker_config(data: &Value, key: &str, report: &mut Report) {
    let field = format!("data[{key}]");
    let Some(value) = data.get(key) else {
        return report.required(&field);
    };
    let bytes = BASE64_STANDARD.decode(str_of(value)).unwrap_or_default();
    if serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes).is_err() {
        let why = match bytes.first() {
            Some(first) => {
                format!(
                    "invalid character '{}' looking for beginning of value",
                    char::from(*first)
                )
            }
            None => "unexpected end of JSON input".to_owned(),
        };
        report.invalid(&field, "<secret contents redacted>", &why);
    }
}

pub(super) fn namespace(object: &Value, report: &mut Report) {
    for finalizer in list(&object["spec"]["finalizers"]) {
        let name = str_of(finalizer);
        report.invalid_text("spec.finalizers", name, text::qualified_name(name));
        if !name.contains('/') && name != "kubernetes" {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            report.invalid("spec.finalizers", name, why);
        }
    }
}

pub(super) fn node(object: &Value, report: &mut Report) {
    let spec = &object["spec"];
    for (index, taint) in list(&spec["taints"]).iter().enumerate() {
        // The real server places taints under `metadata`.
        let at = |name: &str| format!("metadata.taints[{index}].{name}");
        let key = str_of(&taint["key"]);
        report.invalid_text(&at("key"), key, text::qualified_name(key));
        let value = str_of(&taint["value"]);
        report.invalid_text(&at("value"), value, text::label_value(value));
        if str_of(&taint["effect"]).is_empty() {
            report.required(&at("effect"));
        } else {
            taint_effect(&at("effect"), &taint["effect"], report);
        }
    }
    for (index, range) in list(&spec["podCIDRs"]).iter().enumerate() {
        let range = str_of(range);
        report.invalid_text(&format!("spec.podCIDRs[{index}]"), range, text::cidr(range));
    }
}

pub(super) fn lease(spec: &Value, report: &mut Report) {
    let duration = &spec["leaseDurationSeconds"];
    if duration.as_i64().is_some_and(|it| it <= 0) {
        report.invalid(
            "spec.leaseDurationSeconds",
            duration.clone(),
            "must be greater than 0",
        );
    }
    report.not_negative("spec.leaseTransitions", &spec["leaseTransitions"]);
}
