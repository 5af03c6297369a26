//! Whether a copy is again as it was.

use std::collections::BTreeSet;

use api::DriftField;
use serde_json::Value;

use crate::{gitops, sight::{list, text}};

/// Fields that the cluster gives anew when an object is made again.
const GIVEN: [(&str, &[&str]); 3] = [
    ("Service", &["clusterIP", "clusterIPs", "ipFamilies", "healthCheckNodePort"]),
    ("PersistentVolumeClaim", &["volumeName"]),
    ("Job", &["selector"]),
];

/// The fields in which an object differs from what it was; `writer` says who wrote what is there.
pub fn differences(was: &Value, is: &Value) -> Vec<DriftField> {
    gitops::drift(&meant(is), &meant(was), &[])
}

/// Without what the cluster gives anew.
fn meant(object: &Value) -> Value {
    let mut object = object.clone();
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let given = GIVEN.iter().find(|(it, _)| *it == kind).map(|(_, fields)| *fields).unwrap_or_default();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        given.iter().for_each(|name| drop(spec.shift_remove(*name)));
    }
    object
}

/// What the containers of pods really run: name and digest of each image, once.
pub fn images_of_pods(pods: &[Value]) -> BTreeSet<String> {
    let is_going = |pod: &&Value| pod.pointer("/metadata/deletionTimestamp").is_none();
    let statuses = pods.iter().filter(is_going).flat_map(|pod| list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses")));
    statuses.map(|it| text(it, "/imageID").to_owned()).filter(|it| !it.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_cluster_gives_anew_is_no_difference() {
        let was = json!({"kind": "Service", "metadata": {"uid": "1"}, "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80}]}});
        let is = json!({"kind": "Service", "metadata": {"uid": "2"}, "spec": {"clusterIP": "10.0.0.2", "ports": [{"port": 81}]}});
        let found: Vec<_> = differences(&was, &is).into_iter().map(|it| (it.path, it.wanted, it.live)).collect();
        assert_eq!(found, [(".spec.ports[0].port".to_owned(), Some(json!(80)), Some(json!(81)))]);
    }

    #[test]
    fn pods_that_go_count_no_more() {
        let pod = |image: &str, going: bool| {
            let mut pod = json!({"status": {"containerStatuses": [{"imageID": image}]}, "metadata": {}});
            if going {
                pod["metadata"]["deletionTimestamp"] = "x".into();
            }
            pod
        };
        let found = images_of_pods(&[pod("a@sha256:1", false), pod("b@sha256:2", true), pod("a@sha256:1", false)]);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a@sha256:1"]);
    }
}
