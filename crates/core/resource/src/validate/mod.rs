//! The semantic rules of Kubernetes, in its own words.
//!
//! kubectl and Helm print these messages, and people look them up; so path, reason and wording are
//! those of 1.34. Defaults must be applied before.

mod container;
mod data;
mod meta;
mod network;
mod pod;
mod probe;
mod report;
mod text;
mod update;
mod volume;
mod workload;

use serde_json::Value;

use crate::kinds::Kind;

pub use report::Cause;
use report::Report;
pub(crate) use text::{label_value, qualified_name};

/// The rules that a new object breaks.
pub fn create(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut report = Report::default();
    if kind.is_stored() {
        meta::create(kind, object, &mut report);
        rules(kind, object, &mut report);
        if kind.kind == "Pod" && !list(&object["spec"]["ephemeralContainers"]).is_empty() {
            report.forbidden("spec.ephemeralContainers", "cannot be set on create");
        }
    }
    report.causes
}

/// The rules that `new` breaks as the successor of `old`.
pub fn update(kind: &Kind, new: &Value, old: &Value) -> Vec<Cause> {
    let mut report = Report::default();
    if kind.is_stored() {
        meta::update(kind, new, old, &mut report);
        // A template may only be looked at as a whole, so its rules hold for updates too.
        rules(kind, new, &mut report);
        update::rules(kind, new, old, &mut report);
    }
    report.causes
}

/// What holds for an object whatever was there before.
fn rules(kind: &Kind, object: &Value, report: &mut Report) {
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::spec("spec", &object["spec"], report),
        ("apps", "Deployment") => workload::deployment(&object["spec"], report),
        ("apps", "ReplicaSet") => workload::replica_set(&object["spec"], report),
        ("", "Service") => network::service(&object["spec"], report),
        ("", "Endpoints") => network::endpoints(object, report),
        ("discovery.k8s.io", "EndpointSlice") => network::slice(object, report),
        ("", "ConfigMap") => data::config_map(object, report),
        ("", "Secret") => data::secret(object, report),
        ("", "Namespace") => data::namespace(object, report),
        ("", "Node") => data::node(object, report),
        ("coordination.k8s.io", "Lease") => data::lease(&object["spec"], report),
        _ => {}
    }
}

fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
