//! Random objects of the kinds that people have most.

use serde_json::{Map, Value, json};

use super::Dice;

pub const NAMES: [&str; 6] = ["web", "api", "db", "conf", "sec", "cache"];
pub const IMAGES: [&str; 6] = [
    "nginx",
    "nginx:1.25",
    "reg.io:5000/team/app:v1",
    "busybox@sha256:0123",
    "reg.io/app:1@sha256:abcd",
    "redis",
];
pub const NAMESPACES: [&str; 4] = ["shop", "default", "ops", "kube-system"];

const TEXTS: [&str; 22] = [
    "plain",
    "two words",
    "yes",
    "on",
    "0755",
    "1e3",
    "null",
    "",
    " lead",
    "a: b",
    "#x",
    "multi\nline\n",
    "multi\nline",
    "trailing  \nblank",
    "- dash",
    "{brace}",
    "it's",
    "say \"hi\"",
    "tab\there",
    "é ü 漢字",
    "https://example.com/a?b=c&d=<e>",
    "a long text that goes on and on so that it has to be folded somewhere near the eightieth column or after it",
];

pub fn text(dice: &mut Dice) -> String {
    (*dice.pick(&TEXTS)).to_owned()
}

pub fn name(dice: &mut Dice) -> String {
    (*dice.pick(&NAMES)).to_owned()
}

/// A map of texts, small.
fn texts(dice: &mut Dice, keys: &[&str]) -> Value {
    let mut map = Map::new();
    for _ in 0..dice.range(1, 3) {
        let key = *dice.pick(keys);
        map.insert(key.to_owned(), Value::from(text(dice)));
    }
    Value::Object(map)
}

fn metadata(dice: &mut Dice) -> Value {
    let mut it = json!({"name": name(dice)});
    if dice.chance(25) {
        it["namespace"] = Value::from(*dice.pick(&NAMESPACES));
    }
    if dice.chance(40) {
        it["labels"] = texts(dice, &["app", "tier", "app.kubernetes.io/name", "v"]);
    }
    if dice.chance(30) {
        it["annotations"] = texts(dice, &["note", "example.com/a", "checksum"]);
    }
    if dice.chance(5) {
        it["finalizers"] = json!(["a.b/c", "d.e/f"]);
    }
    it
}

fn container(dice: &mut Dice, index: usize) -> Value {
    let mut it = json!({"name": format!("c{index}"), "image": *dice.pick(&IMAGES)});
    if dice.chance(60) {
        let items: Vec<Value> = (0..dice.range(1, 3)).map(|_| variable(dice)).collect();
        it["env"] = Value::from(items);
    }
    if dice.chance(30) {
        it["envFrom"] =
            json!([{"configMapRef": {"name": name(dice)}}, {"secretRef": {"name": name(dice)}}]);
    }
    if dice.chance(50) {
        let ports: Vec<Value> = (0..dice.range(1, 3))
            .map(|_| port(dice, "containerPort"))
            .collect();
        it["ports"] = Value::from(ports);
    }
    if dice.chance(30) {
        it["args"] = json!(["--a", text(dice), "$(VAR)"]);
    }
    if dice.chance(25) {
        it["volumeMounts"] =
            json!([{"name": "v0", "mountPath": "/a"}, {"name": "v1", "mountPath": "/b"}]);
    }
    if dice.chance(25) {
        it["resources"] =
            json!({"limits": {"cpu": "100m", "memory": "1Gi"}, "requests": {"cpu": 1}});
    }
    it
}

pub fn variable(dice: &mut Dice) -> Value {
    let key = *dice.pick(&["A", "B", "HOST", "PORT"]);
    match dice.below(4) {
        0 => {
            json!({"name": key, "valueFrom": {"configMapKeyRef": {"name": name(dice), "key": "k"}}})
        }
        1 => json!({"name": key, "valueFrom": {"secretKeyRef": {"name": name(dice), "key": "k"}}}),
        _ => json!({"name": key, "value": text(dice)}),
    }
}

pub fn port(dice: &mut Dice, key: &str) -> Value {
    let mut it = json!({key: *dice.pick(&[80, 443, 53, 8080])});
    if dice.chance(40) {
        it["protocol"] = Value::from(*dice.pick(&["TCP", "UDP"]));
    }
    if dice.chance(40) {
        it["name"] = Value::from(*dice.pick(&["http", "https", "dns"]));
    }
    it
}

fn pod(dice: &mut Dice) -> Value {
    let count = dice.range(1, 2);
    let containers: Vec<Value> = (0..count).map(|index| container(dice, index)).collect();
    let mut it = json!({"containers": containers});
    if dice.chance(20) {
        it["initContainers"] = Value::from(vec![container(dice, 9)]);
    }
    if dice.chance(50) {
        it["volumes"] = json!([
            {"name": "v0", "configMap": {"name": name(dice)}},
            {"name": "v1", "secret": {"secretName": name(dice)}},
            {"name": "v2", "projected": {"sources": [{"configMap": {"name": name(dice)}}, {"secret": {"name": name(dice)}}]}},
            {"name": "v3", "persistentVolumeClaim": {"claimName": name(dice)}},
        ]);
    }
    if dice.chance(40) {
        it["serviceAccountName"] = Value::from(name(dice));
    }
    if dice.chance(20) {
        it["imagePullSecrets"] = json!([{"name": name(dice)}]);
    }
    if dice.chance(20) {
        it["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            [{"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "zone"}]}});
    }
    if dice.chance(20) {
        it["nodeSelector"] = texts(dice, &["disk", "arch"]);
    }
    it
}

fn template(dice: &mut Dice) -> Value {
    let mut it = json!({"spec": pod(dice)});
    if dice.chance(60) {
        it["metadata"] = json!({"labels": texts(dice, &["app", "tier"])});
    }
    it
}

/// One object.
pub fn object(dice: &mut Dice) -> Value {
    let metadata = metadata(dice);
    let of = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": metadata});
    let with = |mut it: Value, fields: Value| {
        if let (Value::Object(into), Value::Object(fields)) = (&mut it, fields) {
            into.extend(fields);
        }
        it
    };
    let selector = json!({"matchLabels": {"app": "web"}});
    match dice.below(40) {
        0..=9 => {
            let kind = *dice.pick(&[
                "Deployment",
                "Deployment",
                "StatefulSet",
                "DaemonSet",
                "ReplicaSet",
            ]);
            let mut spec = json!({"template": template(dice)});
            if dice.chance(60) {
                spec["selector"] = selector;
            }
            if dice.chance(50) {
                spec["replicas"] = Value::from(dice.below(5));
            }
            if kind == "StatefulSet" {
                spec["serviceName"] = Value::from(name(dice));
                spec["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {"storageClassName": name(dice)}}]);
            }
            with(of("apps/v1", kind), json!({"spec": spec}))
        }
        10..=11 => with(
            of("batch/v1", "Job"),
            json!({"spec": {"template": template(dice)}}),
        ),
        12..=13 => with(
            of("batch/v1", "CronJob"),
            json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template(dice)}}}}),
        ),
        14 => with(of("v1", "Pod"), json!({"spec": pod(dice)})),
        15..=18 => {
            let ports: Vec<Value> = (0..dice.range(1, 3)).map(|_| port(dice, "port")).collect();
            let mut spec = json!({"ports": ports});
            if dice.chance(60) {
                spec["selector"] = json!({"app": "web"});
            }
            with(of("v1", "Service"), json!({"spec": spec}))
        }
        19..=22 => with(
            of("v1", "ConfigMap"),
            json!({"data": texts(dice, &["k", "app.conf", "a", "b"])}),
        ),
        23..=24 => with(
            of("v1", "Secret"),
            json!({"type": "Opaque", "data": {"k": "dg=="}}),
        ),
        25..=26 => of("v1", "ServiceAccount"),
        27..=28 => with(
            of(
                "rbac.authorization.k8s.io/v1",
                dice.pick::<&str>(&["RoleBinding", "ClusterRoleBinding"]),
            ),
            json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": *dice.pick(&["Role", "ClusterRole"]), "name": name(dice)},
                "subjects": [{"kind": "ServiceAccount", "name": name(dice), "namespace": *dice.pick(&NAMESPACES)},
                    {"kind": "ServiceAccount", "name": "default"}, {"kind": "User", "name": name(dice)}]}),
        ),
        29..=30 => with(
            of(
                "rbac.authorization.k8s.io/v1",
                dice.pick::<&str>(&["Role", "ClusterRole"]),
            ),
            json!({"rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name(dice), name(dice)], "verbs": ["get"]}]}),
        ),
        31..=32 => with(
            of("networking.k8s.io/v1", "Ingress"),
            json!({"spec": {"tls": [{"secretName": name(dice), "hosts": [text(dice)]}],
                "rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "backend": {"service": {"name": name(dice), "port": {"number": 80}}}}]}}]}}),
        ),
        33 => with(
            of("autoscaling/v2", "HorizontalPodAutoscaler"),
            json!({"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name(dice)}, "maxReplicas": 3}}),
        ),
        34 => with(
            of("v1", "PersistentVolumeClaim"),
            json!({"spec": {"storageClassName": name(dice)}}),
        ),
        35 => with(
            of("networking.k8s.io/v1", "NetworkPolicy"),
            json!({"spec": {"podSelector": selector, "ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]}}),
        ),
        36 => of("v1", "Namespace"),
        37 => with(
            of(
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
            ),
            json!({"webhooks": [{"name": "a.b.c", "clientConfig": {"service": {"name": name(dice), "namespace": *dice.pick(&NAMESPACES)}}}]}),
        ),
        _ => with(
            of("example.com/v1", "Widget"),
            json!({"spec": {"containers": [{"name": "c0", "image": *dice.pick(&IMAGES)}], "list": [1, 2.5, true, null, text(dice)],
                "ref": name(dice), "deep": {"map": texts(dice, &["x", "y"]), "empty": {}, "none": []}}}),
        ),
    }
}

/// Who an object is, for telling doubles apart and for patches.
pub fn key(object: &Value) -> (String, String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let namespace = match text(&object["metadata"]["namespace"]) {
        it if it.is_empty() => "default".to_owned(),
        it => it,
    };
    (
        text(&object["apiVersion"]),
        text(&object["kind"]),
        namespace,
        text(&object["metadata"]["name"]),
    )
}
