//! Rules of containers: image, name, ports, variables, resources, mounts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    list,
    pod::{self, Seen},
    probe,
    report::Report,
    str_of, text,
};
use crate::quantity::Quantity;

/// Which list of the pod a container stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Main,
    Init,
    /// An init container that keeps running beside the others.
    Sidecar,
}

pub(super) fn containers(field: &str, spec: &Value, volumes: &BTreeSet<&str>, report: &mut Report) {
    let main = list(&spec["containers"]);
    if main.is_empty() {
        report.required(&format!("{field}.containers"));
    }
    let mut names = Seen::default();
    let mut host_ports = BTreeSet::new();
    for (index, container) in main.iter().enumerate() {
        let field = format!("{field}.containers[{index}]");
        unique_name(&field, container, &mut names, report);
        self::container(&field, container, Role::Main, volumes, report);
        unique_host_ports(&field, container, &mut host_ports, report);
    }
    for (index, container) in list(&spec["initContainers"]).iter().enumerate() {
        let field = format!("{field}.initContainers[{index}]");
        let role = if container["restartPolicy"] == "Always" {
            Role::Sidecar
        } else {
            Role::Init
        };
        self::container(&field, container, role, volumes, report);
        unique_name(&field, container, &mut names, report);
    }
    if spec["hostNetwork"] == true {
        ports_of_the_host(field, spec, report);
    }
}

fn unique_name<'v>(field: &str, container: &'v Value, names: &mut Seen<'v>, report: &mut Report) {
    let name = str_of(&container["name"]);
    if !name.is_empty() && names.again(name) {
        report.duplicate(&format!("{field}.name"), name);
    }
}

fn unique_host_ports(
    field: &str,
    container: &Value,
    seen: &mut BTreeSet<String>,
    report: &mut Report,
) {
    for (index, port) in list(&container["ports"]).iter().enumerate() {
        let number = port["hostPort"].as_i64().unwrap_or_default();
        let (protocol, address) = (str_of(&port["protocol"]), str_of(&port["hostIP"]));
        let key = format!("{protocol}/{address}/{number}");
        if number != 0 && !seen.insert(key.clone()) {
            report.duplicate(&format!("{field}.ports[{index}].hostPort"), key);
        }
    }
}

fn ports_of_the_host(field: &str, spec: &Value, report: &mut Report) {
    for (index, container) in list(&spec["containers"]).iter().enumerate() {
        for (number, port) in list(&container["ports"]).iter().enumerate() {
            if port["hostPort"] != port["containerPort"] {
                let field = format!("{field}.containers[{index}].ports[{number}].hostPort");
                let why = "must match `containerPort` when `hostNetwork` is true";
                report.invalid(&field, port["hostPort"].clone(), why);
            }
        }
    }
}

fn container(
    field: &str,
    container: &Value,
    role: Role,
    volumes: &BTreeSet<&str>,
    report: &mut Report,
) {
    let at = |name: &str| format!("{field}.{name}");
    let name = str_of(&container["name"]);
    if name.is_empty() {
        report.required(&at("name"));
    } else {
        report.invalid_text(&at("name"), name, text::label(name));
    }
    let image = str_of(&container["image"]);
    if image.is_empty() {
        report.required(&at("image"));
    } else if image.trim() != image && field.starts_with("spec.containers") {
        let why = "must not have leading or trailing whitespace";
        report.invalid(&at("image"), image, why);
    }
    let policies = ["File", "FallbackToLogsOnError"];
    report.one_of(
        &at("terminationMessagePolicy"),
        &container["terminationMessagePolicy"],
        &policies,
    );
    ports(&at("ports"), &container["ports"], report);
    variables(&at("env"), &container["env"], report);
    sources(&at("envFrom"), &container["envFrom"], report);
    mounts(
        &at("volumeMounts"),
        &container["volumeMounts"],
        volumes,
        report,
    );
    let policies = ["Always", "IfNotPresent", "Never"];
    report.one_of(
        &at("imagePullPolicy"),
        &container["imagePullPolicy"],
        &policies,
    );
    resources(&at("resources"), &container["resources"], report);
    security(
        &at("securityContext"),
        &container["securityContext"],
        report,
    );
    if role == Role::Init {
        for name in [
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ] {
            if container[name].is_object() {
                let why = "may not be set for init containers without restartPolicy=Always";
                report.forbidden(&at(name), why);
            }
        }
    } else {
        probe::lifecycle(&at("lifecycle"), &container["lifecycle"], report);
        probe::probes(field, container, report);
    }
}

fn ports(field: &str, ports: &Value, report: &mut Report) {
    let mut names = Seen::default();
    for (index, port) in list(ports).iter().enumerate() {
        let at = |name: &str| format!("{field}[{index}].{name}");
        let name = str_of(&port["name"]);
        if !name.is_empty() {
            let faults = text::port_name(name);
            if faults.is_empty() && names.again(name) {
                report.duplicate(&at("name"), name);
            }
            report.invalid_text(&at("name"), name, faults);
        }
        if port["containerPort"].as_i64().unwrap_or_default() == 0 {
            report.required(&at("containerPort"));
        } else {
            report.port(&at("containerPort"), &port["containerPort"]);
        }
        if port["hostPort"].as_i64().unwrap_or_default() != 0 {
            report.port(&at("hostPort"), &port["hostPort"]);
        }
        report.one_of(&at("protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
    }
}

fn variables(field: &str, variables: &Value, report: &mut Report) {
    for (index, variable) in list(variables).iter().enumerate() {
        let field = format!("{field}[{index}]");
        let name = str_of(&variable["name"]);
        if name.is_empty() {
            report.required(&format!("{field}.name"));
        } else {
            report.invalid_text(&format!("{field}.name"), name, text::variable(name));
        }
        let Some(source) = variable["valueFrom"].as_object() else {
            continue;
        };
        let field = format!("{field}.valueFrom");
        let source = Value::Object(source.clone());
        for (name, reference) in source.as_object().into_iter().flatten() {
            variable_source(&format!("{field}.{name}"), name, reference, report);
        }
        let count = source.as_object().map_or(0, serde_json::Map::len);
        if count == 0 {
            let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
            report.invalid(&field, "", why);
        } else if !str_of(&variable["value"]).is_empty() {
            report.invalid(&field, "", "may not be specified when `value` is not empty");
        } else if count > 1 {
            report.invalid(
                &field,
                "",
                "may not have more than one field specified at a time",
            );
        }
    }
}

fn variable_source(field: &str, kind: &str, reference: &Value, report: &mut Report) {
    match kind {
        "fieldRef" => field_reference(field, reference, &VARIABLE_FIELDS, report),
        "resourceFieldRef" => {
            let path = format!("{field}.resource");
            let resource = str_of(&reference["resource"]);
            if resource.is_empty() {
                report.required(&path);
            } else if !resource.contains("hugepages-") {
                report.one_of(&path, &reference["resource"], &CONTAINER_RESOURCES);
            }
        }
        "configMapKeyRef" | "secretKeyRef" => {
            let name = str_of(&reference["name"]);
            report.invalid_text(&format!("{field}.name"), name, text::subdomain(name));
            let key = str_of(&reference["key"]);
            if key.is_empty() {
                report.required(&format!("{field}.key"));
            } else {
                report.invalid_text(&format!("{field}.key"), key, text::config_key(key));
            }
        }
        _ => {}
    }
}

pub(super) const CONTAINER_RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

const VARIABLE_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Rules of a reference to one of the pod's own fields; `allowed` are those without a subscript.
pub(super) fn field_reference(
    field: &str,
    reference: &Value,
    allowed: &[&str],
    report: &mut Report,
) {
    let path = str_of(&reference["fieldPath"]);
    if path.is_empty() {
        return report.required(&format!("{field}.fieldPath"));
    }
    if let Some((map, rest)) = path.split_once("['") {
        let key = rest.strip_suffix("']").unwrap_or(rest);
        match map {
            "metadata.labels" => report.invalid_text(field, key, text::qualified_name(key)),
            "metadata.annotations" => {
                report.invalid_text(field, key, text::qualified_name(&key.to_lowercase()));
            }
            _ => report.invalid(field, path, "does not support subscript"),
        }
        return;
    }
    let known = VARIABLE_FIELDS.contains(&path)
        || matches!(
            path,
            "metadata.labels"
                | "metadata.annotations"
                | "spec.restartPolicy"
                | "spec.schedulerName"
                | "spec.hostNetwork"
                | "status.phase"
                | "status.nominatedNodeName"
        );
    let field = format!("{field}.fieldPath");
    if !known {
        let why = format!("error converting fieldPath: field label not supported: {path}");
        report.invalid(&field, path, &why);
    } else if !allowed.contains(&path) {
        report.unsupported(&field, path, allowed);
    }
}

fn sources(field: &str, sources: &Value, report: &mut Report) {
    for (index, source) in list(sources).iter().enumerate() {
        let item = format!("{field}[{index}]");
        let prefix = str_of(&source["prefix"]);
        if !prefix.is_empty() {
            report.invalid_text(&format!("{item}.prefix"), prefix, text::variable(prefix));
        }
        let mut count = 0;
        for kind in ["configMapRef", "secretRef"] {
            if source[kind].is_object() {
                count += 1;
                let field = format!("{item}.{kind}.name");
                match str_of(&source[kind]["name"]) {
                    "" => report.required(&field),
                    name => report.invalid_text(&field, name, text::subdomain(name)),
                }
            }
        }
        // The real server gives the list's path here, without the index.
        match count {
            0 => report.invalid(
                field,
                "",
                "must specify one of: `configMapRef` or `secretRef`",
            ),
            1 => {}
            _ => report.invalid(
                field,
                "",
                "may not have more than one field specified at a time",
            ),
        }
    }
}

fn mounts(field: &str, mounts: &Value, volumes: &BTreeSet<&str>, report: &mut Report) {
    let mut paths = Seen::default();
    for (index, mount) in list(mounts).iter().enumerate() {
        let at = |name: &str| format!("{field}[{index}].{name}");
        let name = str_of(&mount["name"]);
        if name.is_empty() {
            report.required(&at("name"));
        }
        if !volumes.contains(name) {
            report.not_found(&at("name"), name);
        }
        let path = str_of(&mount["mountPath"]);
        if path.is_empty() {
            report.required(&at("mountPath"));
        }
        if paths.again(path) {
            report.invalid(&at("mountPath"), path, "must be unique");
        }
        for part in ["subPath", "subPathExpr"] {
            let value = str_of(&mount[part]);
            if !value.is_empty() {
                // The real server gives the list's path here, without the index.
                report.invalid_text(&format!("{field}.{part}"), value, local_path(value));
            }
        }
    }
}

/// The faults of a path that must stay below some folder.
pub(super) fn local_path(path: &str) -> Vec<String> {
    if path.starts_with('/') {
        return vec!["must be a relative path".to_owned()];
    }
    if path.split('/').any(|it| it == "..") {
        return vec!["must not contain '..'".to_owned()];
    }
    Vec::new()
}

fn resources(field: &str, resources: &Value, report: &mut Report) {
    let (limits, requests) = (&resources["limits"], &resources["requests"]);
    for (list, amounts) in [("limits", limits), ("requests", requests)] {
        for (name, amount) in amounts.as_object().into_iter().flatten() {
            let field = format!("{field}.{list}[{name}]");
            resource_name(&field, name, report);
            if let Some(quantity) = quantity(amount)
                && quantity.is_negative()
            {
                report.invalid(
                    &field,
                    quantity.to_string(),
                    "must be greater than or equal to 0",
                );
            }
        }
    }
    for (name, amount) in requests.as_object().into_iter().flatten() {
        let (Some(request), Some(limit)) = (quantity(amount), quantity(&limits[name])) else {
            continue;
        };
        if request > limit {
            let why = format!("must be less than or equal to {name} limit of {limit}");
            report.invalid(&format!("{field}.requests"), request.to_string(), &why);
        }
    }
}

fn quantity(value: &Value) -> Option<Quantity> {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
        .parse()
        .ok()
}

fn resource_name(field: &str, name: &str, report: &mut Report) {
    let standard =
        matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    report.invalid_text(field, name, text::qualified_name(name));
    if !standard && !name.contains('/') {
        report.invalid(
            field,
            name,
            "must be a standard resource type or fully qualified",
        );
        report.invalid(field, name, "must be a standard resource for containers");
    }
}

fn security(field: &str, context: &Value, report: &mut Report) {
    pod::id(&format!("{field}.runAsUser"), &context["runAsUser"], report);
    pod::id(
        &format!("{field}.runAsGroup"),
        &context["runAsGroup"],
        report,
    );
    if context["allowPrivilegeEscalation"] == false && context["privileged"] == true {
        let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        report.invalid(field, context.clone(), why);
    }
}
