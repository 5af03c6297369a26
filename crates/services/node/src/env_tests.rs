//! Tables for the environment of a container.

use serde_json::json;

use super::*;

#[test]
fn references_are_expanded_as_kubernetes_does() {
    let known = [
        ("A".to_owned(), "1".to_owned()),
        ("A".to_owned(), "2".to_owned()),
    ];
    for (text, expected) in [
        ("x$(A)y", "x2y"),
        ("$(B)", "$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$2"),
        ("$A $ $(A", "$A $ $(A"),
    ] {
        assert_eq!(expand(text, &known), expected, "{text}");
    }
}

#[test]
fn variables_come_from_everywhere_and_later_ones_win() {
    check(
        json!({
            "envFrom": [{ "prefix": "C_", "configMapRef": { "name": "conf" } }, { "secretRef": { "name": "none", "optional": true } }],
            "env": [
                { "name": "C_color", "value": "$(C_color)dish" },
                { "name": "IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
                { "name": "URL", "value": "http://$(IP)" },
                { "name": "TEAM", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['team']" } } },
                { "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "keys", "key": "k" } } },
                { "name": "GONE", "valueFrom": { "secretKeyRef": { "name": "keys", "key": "x", "optional": true } } },
                { "name": "CPUS", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } },
                { "name": "MEM", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory", "divisor": "1Mi" } } },
                { "name": "EMPTY" },
            ],
            "resources": { "limits": { "cpu": "1500m" } },
        }),
        Ok(
            "SVC=10.0.0.9 C_color=reddish IP=10.0.0.1 URL=http://10.0.0.1 TEAM=shop KEY=s3 CPUS=2 MEM=1024 EMPTY=",
        ),
    );
}

#[test]
fn missing_sources_are_named() {
    let from = |source: serde_json::Value| json!({ "env": [{ "name": "A", "valueFrom": source }] });
    check(
        json!({ "envFrom": [{ "configMapRef": { "name": "no" } }] }),
        Err("configmap \"no\" not found"),
    );
    check(
        from(json!({ "secretKeyRef": { "name": "no", "key": "k" } })),
        Err("secret \"no\" not found"),
    );
    check(
        from(json!({ "configMapKeyRef": { "name": "conf", "key": "k" } })),
        Err("couldn't find key k in ConfigMap ns/conf"),
    );
    check(
        from(json!({ "fieldRef": { "fieldPath": "spec.x" } })),
        Err("unsupported fieldPath: spec.x"),
    );
}

#[track_caller]
fn check(container: serde_json::Value, expected: Result<&str, &str>) {
    let mut container = container;
    container["name"] = json!("web");
    let pod = json!({
        "metadata": { "name": "p", "namespace": "ns", "labels": { "team": "shop" } },
        "spec": { "containers": [container] },
    });
    let pod = Pod::read(pod).expect("a pod");
    let data = |key: &str, value: &str| ObjectData {
        files: [(key.to_owned(), value.as_bytes().to_vec())].into(),
    };
    let sources = Sources {
        config_maps: [("conf".to_owned(), data("color", "red"))].into(),
        secrets: [("keys".to_owned(), data("k", "s3"))].into(),
        services: vec![("SVC".to_owned(), "10.0.0.9".to_owned())],
        pod_ip: "10.0.0.1".to_owned(),
        host_ip: "10.0.0.254".to_owned(),
        allocatable: [("memory".to_owned(), "1Gi".to_owned())].into(),
    };
    let found = variables(&pod, &pod.spec.containers[0], &sources);
    let found = found.map(|list| {
        list.iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect::<Vec<_>>()
            .join(" ")
    });
    assert_eq!(
        found.as_deref().map_err(ToString::to_string),
        expected.map_err(str::to_owned)
    );
}
