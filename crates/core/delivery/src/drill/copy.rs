//! Makes manifests fit for a namespace of their own, where they touch nothing outside of it.

use std::collections::BTreeMap;

use api::{DrillFinding, DrillWeight, ObjectRef};
use serde_json::{Map, Value};

use super::Objects;

/// A name of a namespace has at most so many letters.
const NAME_MAX: usize = 63;

/// Kinds that lead traffic in from outside: a copy would take it from the original.
const OUTSIDE: [&str; 9] =
    ["Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "Gateway", "VirtualService", "Certificate"];

/// What of an environment can live in a copy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Copy {
    pub objects: Objects,
    /// What cannot, and why.
    pub left_out: Vec<DrillFinding>,
}

/// The name of the copy of a namespace.
pub fn copied_name(namespace: &str, number: u64) -> String {
    let end = format!("-drill-{number}");
    let room = NAME_MAX - end.len();
    let start: String = namespace.chars().take(room).collect();
    format!("{}{end}", start.trim_end_matches('-'))
}

/// Copies objects into the namespaces that `names` gives for theirs.
pub fn copy(objects: &Objects, names: &BTreeMap<String, String>) -> Copy {
    let mut copy = Copy::default();
    for (object, manifest) in objects {
        if crate::gitops::is_hook(manifest) {
            let message = format!("{object} is a hook and is not run in the copy");
            copy.left_out.push(left_out(object, DrillWeight::Note, message, "hooks reach databases and other things that have no copy"));
            continue;
        }
        let Some(namespace) = &object.namespace else {
            // The copy has namespaces of its own.
            if object.kind != "Namespace" {
                let message = format!("{object} belongs to no namespace, so it cannot be copied");
                copy.left_out.push(left_out(object, DrillWeight::Unproven, message, "its way back is only tried by a dry run"));
            }
            continue;
        };
        if OUTSIDE.contains(&object.kind.as_str()) {
            let message = format!("{object} is not copied: it would lead traffic from outside to the copy");
            copy.left_out.push(left_out(object, DrillWeight::Unproven, message, "its way back is only tried by a dry run"));
            continue;
        }
        let home = names.get(namespace).cloned().unwrap_or_else(|| namespace.clone());
        let object = ObjectRef { namespace: Some(home.clone()), ..object.clone() };
        copy.objects.push((object, fit(manifest, &home, names)));
    }
    copy
}

fn left_out(object: &ObjectRef, weight: DrillWeight, message: String, help: &str) -> DrillFinding {
    DrillFinding { weight, code: "LF-D0305".to_owned(), object: Some(object.clone()), message, help: help.to_owned() }
}

fn fit(manifest: &Value, home: &str, names: &BTreeMap<String, String>) -> Value {
    let mut manifest = crate::kept(manifest);
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".to_owned(), home.into());
        metadata.shift_remove("ownerReferences");
        // A finalizer's controller may not know the copy, and then it would never go.
        metadata.shift_remove("finalizers");
    }
    let kind = manifest["kind"].as_str().unwrap_or_default().to_owned();
    let Some(fields) = manifest.as_object_mut() else { return manifest };
    match kind.as_str() {
        "Service" => edit(fields, "spec", service),
        "CronJob" => edit(fields, "spec", |spec| drop(spec.insert("suspend".to_owned(), true.into()))),
        "PersistentVolumeClaim" => edit(fields, "spec", |spec| drop(spec.shift_remove("volumeName"))),
        "RoleBinding" => {
            for subject in fields.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
                let known = subject.get("namespace").and_then(Value::as_str).and_then(|it| names.get(it)).cloned();
                if let (Some(subject), Some(known)) = (subject.as_object_mut(), known) {
                    subject.insert("namespace".to_owned(), known.into());
                }
            }
        }
        _ => {}
    }
    manifest
}

fn edit(fields: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(part) = fields.get_mut(name).and_then(Value::as_object_mut) {
        change(part);
    }
}

/// A Service that is reached from inside only, at an address of its own.
fn service(spec: &mut Map<String, Value>) {
    if spec.get("clusterIP").is_some_and(|it| it != "None") {
        spec.shift_remove("clusterIP");
    }
    for name in ["clusterIPs", "externalIPs", "loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges", "healthCheckNodePort", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"] {
        spec.shift_remove(name);
    }
    if matches!(spec.get("type").and_then(Value::as_str), Some("LoadBalancer" | "NodePort")) {
        spec.insert("type".to_owned(), "ClusterIP".into());
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.shift_remove("nodePort");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, namespace: Option<&str>) -> ObjectRef {
        ObjectRef { api_version: "v1".into(), kind: kind.into(), plural: String::new(), namespace: namespace.map(str::to_owned), name: "a".into() }
    }

    #[test]
    fn a_copy_touches_nothing_outside() {
        let names = BTreeMap::from([("shop".to_owned(), "shop-drill-7".to_owned())]);
        let objects = vec![
            (object("Namespace", None), json!({"kind": "Namespace"})),
            (object("ClusterRole", None), json!({"kind": "ClusterRole"})),
            (object("Ingress", Some("shop")), json!({"kind": "Ingress"})),
            (object("Pod", Some("shop")), json!({"kind": "Pod", "metadata": {"annotations": {"argocd.argoproj.io/hook": "PreSync"}}})),
            (
                object("Service", Some("shop")),
                json!({"kind": "Service", "metadata": {"name": "a", "uid": "1", "finalizers": ["x/y"]},
                    "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30080}]}}),
            ),
            (object("CronJob", Some("shop")), json!({"kind": "CronJob", "metadata": {"name": "a"}, "spec": {}})),
            (object("RoleBinding", Some("shop")), json!({"kind": "RoleBinding", "subjects": [{"namespace": "shop"}, {"namespace": "bank"}]})),
        ];
        let found = copy(&objects, &names);
        let values: Vec<_> = found.objects.iter().map(|(object, value)| {
            assert_eq!(object.namespace.as_deref(), Some("shop-drill-7"));
            value.clone()
        }).collect();
        assert_eq!(
            values,
            [
                json!({"kind": "Service", "metadata": {"name": "a", "namespace": "shop-drill-7"}, "spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}),
                json!({"kind": "CronJob", "metadata": {"name": "a", "namespace": "shop-drill-7"}, "spec": {"suspend": true}}),
                json!({"kind": "RoleBinding", "subjects": [{"namespace": "shop-drill-7"}, {"namespace": "bank"}]}),
            ]
        );
        let told: Vec<_> = found.left_out.iter().map(|it| format!("{:?} {}", it.weight, it.message)).collect();
        assert_eq!(
            told,
            [
                "Unproven ClusterRole/a belongs to no namespace, so it cannot be copied",
                "Unproven Ingress/a is not copied: it would lead traffic from outside to the copy",
                "Note Pod/a is a hook and is not run in the copy",
            ]
        );
    }

    #[test]
    fn the_name_of_a_copy_is_short_enough() {
        assert_eq!(copied_name("shop", 12), "shop-drill-12");
        let long = copied_name(&format!("{}-x", "a".repeat(54)), 3);
        assert_eq!(long, format!("{}-drill-3", "a".repeat(54)));
        assert!(long.len() <= 63);
    }
}
