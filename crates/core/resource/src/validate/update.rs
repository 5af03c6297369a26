//! What may not change once an object is there.

use serde_json::{Value, json};

use super::{list, report::Report, str_of};
use crate::kinds::Kind;

/// Complains when a field is not what it was.
fn same(field: &str, new: &Value, old: &Value, report: &mut Report) {
    if new != old {
        report.invalid(field, new.clone(), "field is immutable");
    }
}

pub(super) fn rules(kind: &Kind, new: &Value, old: &Value, report: &mut Report) {
    match (kind.group, kind.kind) {
        ("apps", "Deployment" | "ReplicaSet") => {
            same(
                "spec.selector",
                &new["spec"]["selector"],
                &old["spec"]["selector"],
                report,
            );
        }
        ("", "Pod") => pod(&new["spec"], &old["spec"], report),
        ("", "Service") => service(&new["spec"], &old["spec"], report),
        ("", "ConfigMap") => frozen(new, old, &["data", "binaryData"], report),
        ("", "Secret") => {
            same("type", &new["type"], &old["type"], report);
            frozen(new, old, &["data"], report);
        }
        ("", "Node") => node(&new["spec"], &old["spec"], report),
        ("discovery.k8s.io", "EndpointSlice") => {
            same(
                "addressType",
                &new["addressType"],
                &old["addressType"],
                report,
            );
        }
        _ => {}
    }
}

/// ConfigMaps and Secrets that were declared immutable.
fn frozen(new: &Value, old: &Value, fields: &[&str], report: &mut Report) {
    if old["immutable"] != true {
        return;
    }
    let why = "field is immutable when `immutable` is set";
    if new["immutable"] != true {
        report.forbidden("immutable", why);
    }
    for field in fields.iter().filter(|it| new[**it] != old[**it]) {
        report.forbidden(field, why);
    }
}

const POD_RULE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

fn pod(new: &Value, old: &Value, report: &mut Report) {
    let before = report.causes.len();
    for field in ["containers", "initContainers"] {
        if list(&new[field]).len() != list(&old[field]).len() {
            let why = "pod updates may not add or remove containers";
            return report.forbidden(&format!("spec.{field}"), why);
        }
    }
    deadline(new, old, report);
    tolerations(new, old, report);
    // Everything allowed is put back; what still differs is not allowed.
    let mut masked = new.clone();
    if let Some(fields) = masked.as_object_mut() {
        for name in ["activeDeadlineSeconds", "tolerations"] {
            match old.get(name) {
                Some(value) => fields.insert(name.to_owned(), value.clone()),
                None => fields.shift_remove(name),
            };
        }
        let grace = |spec: &Value| spec["terminationGracePeriodSeconds"].as_i64();
        if grace(old).is_some_and(|it| it < 0) && grace(new) == Some(1) {
            fields.insert(
                "terminationGracePeriodSeconds".to_owned(),
                json!(grace(old)),
            );
        }
        for name in ["containers", "initContainers"] {
            let list = fields
                .get_mut(name)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten();
            for (container, before) in list.zip(self::list(&old[name])) {
                container["image"] = before["image"].clone();
            }
        }
        // Only gates may go, never come.
        if self::list(&new["schedulingGates"])
            .iter()
            .all(|it| self::list(&old["schedulingGates"]).contains(it))
        {
            match old.get("schedulingGates") {
                Some(value) => fields.insert("schedulingGates".to_owned(), value.clone()),
                None => fields.shift_remove("schedulingGates"),
            };
        }
    }
    if masked != *old && report.causes.len() == before {
        report.forbidden("spec", POD_RULE);
    }
}

fn deadline(new: &Value, old: &Value, report: &mut Report) {
    let field = "spec.activeDeadlineSeconds";
    let seconds = |spec: &Value| spec["activeDeadlineSeconds"].as_i64();
    match (seconds(old), seconds(new)) {
        (Some(before), Some(after)) if after > before => {
            report.invalid(field, after, "must be less than or equal to previous value");
        }
        (Some(_), None) => report.invalid(
            field,
            Value::Null,
            "must not update from a positive integer to nil value",
        ),
        _ => {}
    }
}

fn tolerations(new: &Value, old: &Value, report: &mut Report) {
    let without_time = |toleration: &Value| {
        let mut fields = toleration.as_object().cloned().unwrap_or_default();
        fields.shift_remove("tolerationSeconds");
        fields
    };
    let kept = |before: &Value| {
        list(&new["tolerations"])
            .iter()
            .any(|it| without_time(it) == without_time(before))
    };
    if !list(&old["tolerations"]).iter().all(kept) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        report.forbidden("spec.tolerations", why);
    }
}

fn service(new: &Value, old: &Value, report: &mut Report) {
    // Only a Service that has an address and keeps one is held to it.
    if old["type"] == "ExternalName" || new["type"] == "ExternalName" {
        return;
    }
    let (new, old) = (list(&new["clusterIPs"]), list(&old["clusterIPs"]));
    let Some(first) = old.first().filter(|it| !str_of(it).is_empty()) else {
        return;
    };
    match new.first() {
        None => report.invalid(
            "spec.clusterIPs[0]",
            json!([]),
            "primary clusterIP can not be unset",
        ),
        Some(address) if address != first => {
            report.invalid(
                "spec.clusterIPs[0]",
                Value::from(new),
                "may not change once set",
            );
        }
        Some(_) => {}
    }
}

fn node(new: &Value, old: &Value, report: &mut Report) {
    if !list(&old["podCIDRs"]).is_empty() && new["podCIDRs"] != old["podCIDRs"] {
        let why = "node updates may not change podCIDR except from \"\" to valid";
        report.forbidden("spec.podCIDRs", why);
    }
    if !str_of(&old["providerID"]).is_empty() && new["providerID"] != old["providerID"] {
        let why = "node updates may not change providerID except from \"\" to valid";
        report.forbidden("spec.providerID", why);
    }
}
