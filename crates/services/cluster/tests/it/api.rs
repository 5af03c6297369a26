//! Request by request: what kubectl does not show.

use access::Principal;
use serde_json::{Value, json};

use crate::home::{Ask, config_map, open};

const LIST: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn a_stale_writer_is_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    let (_, first) = ask
        .json("POST", LIST, config_map("a", &json!({ "k": "1" })))
        .await;
    let mut second = first.clone();
    second["data"]["k"] = json!("2");
    let (code, second) = ask.json("PUT", &format!("{LIST}/a"), second).await;
    assert_eq!(code, 200);
    let mut stale = first.clone();
    stale["data"]["k"] = json!("3");
    let (code, refused) = ask.json("PUT", &format!("{LIST}/a"), stale).await;
    assert_eq!(
        (code, refused["reason"].clone(), refused["message"].clone()),
        (
            409,
            json!("Conflict"),
            json!(
                "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
            )
        )
    );
    // What changes nothing is no change.
    let (code, again) = ask.json("PUT", &format!("{LIST}/a"), second.clone()).await;
    assert_eq!((code, &again), (200, &second));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    let (code, imagined) = ask
        .json(
            "POST",
            &format!("{LIST}?dryRun=All"),
            config_map("a", &json!({ "k": "1" })),
        )
        .await;
    assert_eq!((code, imagined["data"].clone()), (201, json!({ "k": "1" })));
    assert_eq!(imagined["metadata"]["resourceVersion"], Value::Null);
    let (code, _) = ask.json("GET", &format!("{LIST}/a"), Value::Null).await;
    assert_eq!(code, 404);
    ask.json("POST", LIST, config_map("a", &json!({ "k": "1" })))
        .await;
    let (code, _) = ask
        .json("DELETE", &format!("{LIST}/a?dryRun=All"), Value::Null)
        .await;
    assert_eq!(code, 200);
    let (_, there) = ask.json("GET", &format!("{LIST}/a"), Value::Null).await;
    assert_eq!(there["data"], json!({ "k": "1" }));
}

#[tokio::test]
async fn long_lists_come_in_pages_of_one_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    for name in ["a", "b", "c", "d"] {
        ask.json("POST", LIST, config_map(name, &json!({}))).await;
    }
    let (_, page) = ask
        .json("GET", &format!("{LIST}?limit=2"), Value::Null)
        .await;
    assert_eq!(shown(&page), "a b +3");
    ask.json("DELETE", &format!("{LIST}/c"), Value::Null).await;
    let token = page["metadata"]["continue"].as_str().expect("a token");
    let (_, next) = ask
        .json(
            "GET",
            &format!("{LIST}?limit=2&continue={token}"),
            Value::Null,
        )
        .await;
    assert_eq!(shown(&next), "c d +1");
    assert_eq!(
        next["metadata"]["resourceVersion"],
        page["metadata"]["resourceVersion"]
    );
    let (code, refused) = ask
        .json("GET", &format!("{LIST}?continue=OTkuMS4x"), Value::Null)
        .await;
    assert_eq!((code, refused["reason"].clone()), (410, json!("Expired")));
}

fn shown(list: &Value) -> String {
    let names: Vec<&str> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["metadata"]["name"].as_str())
        .collect();
    format!(
        "{} +{}",
        names.join(" "),
        list["metadata"]["remainingItemCount"]
    )
}

#[tokio::test]
async fn services_get_addresses_and_keep_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    let list = "/api/v1/namespaces/default/services";
    let service = |name: &str, spec: Value| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec });
    let ports = json!([{ "port": 80 }]);
    let (code, web) = ask
        .json("POST", list, service("web", json!({ "ports": ports })))
        .await;
    assert_eq!(
        (code, web["spec"]["clusterIP"].clone()),
        (201, json!("10.96.1.0"))
    );
    assert_eq!(web["spec"]["clusterIPs"], json!(["10.96.1.0"]));
    let (_, headless) = ask
        .json(
            "POST",
            list,
            service("quiet", json!({ "clusterIP": "None", "ports": ports })),
        )
        .await;
    assert_eq!(headless["spec"]["clusterIP"], json!("None"));
    let (code, taken) = ask
        .json(
            "POST",
            list,
            service("thief", json!({ "clusterIP": "10.96.1.0", "ports": ports })),
        )
        .await;
    assert_eq!(
        (code, taken["message"].clone()),
        (
            422,
            json!(
                "Service \"thief\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.1.0\"]: failed to allocate IP 10.96.1.0: provided IP is already allocated"
            )
        )
    );
    let (code, open) = ask
        .json(
            "POST",
            list,
            service("open", json!({ "type": "NodePort", "ports": ports })),
        )
        .await;
    assert_eq!(
        (code, open["spec"]["ports"][0]["nodePort"].clone()),
        (201, json!(30000))
    );
    // A whole replacement that says nothing of addresses.
    let (code, kept) = ask
        .json(
            "PUT",
            &format!("{list}/open"),
            service("open", json!({ "type": "NodePort", "ports": ports })),
        )
        .await;
    assert_eq!(
        (
            code,
            kept["spec"]["clusterIP"].clone(),
            kept["spec"]["ports"][0]["nodePort"].clone()
        ),
        (200, open["spec"]["clusterIP"].clone(), json!(30000))
    );
}

#[tokio::test]
async fn a_namespace_goes_in_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    let (code, made) = ask.json("POST", "/api/v1/namespaces", namespace).await;
    assert_eq!(
        (
            code,
            made["spec"].clone(),
            made["metadata"]["labels"].clone()
        ),
        (
            201,
            json!({ "finalizers": ["kubernetes"] }),
            json!({ "kubernetes.io/metadata.name": "shop" })
        )
    );
    let (code, _) = ask
        .json(
            "GET",
            "/api/v1/namespaces/shop/serviceaccounts/default",
            Value::Null,
        )
        .await;
    assert_eq!(code, 200);
    let (code, going) = ask
        .json("DELETE", "/api/v1/namespaces/shop", Value::Null)
        .await;
    assert_eq!(
        (code, going["status"]["phase"].clone()),
        (200, json!("Terminating"))
    );
    let (code, refused) = ask
        .json(
            "POST",
            "/api/v1/namespaces/shop/configmaps",
            config_map("a", &json!({})),
        )
        .await;
    assert_eq!(
        (code, refused["message"].clone()),
        (
            403,
            json!(
                "configmaps \"a\" is forbidden: unable to create new content in namespace shop because it is being terminated"
            )
        )
    );
    let mut emptied = going.clone();
    emptied["spec"]["finalizers"] = json!([]);
    let (code, _) = ask
        .json("PUT", "/api/v1/namespaces/shop/finalize", emptied)
        .await;
    assert_eq!(code, 200);
    let (code, _) = ask
        .json("GET", "/api/v1/namespaces/shop", Value::Null)
        .await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn finalizers_hold_an_object_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    let mut held = config_map("a", &json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    ask.json("POST", LIST, held).await;
    let (code, going) = ask.json("DELETE", &format!("{LIST}/a"), Value::Null).await;
    assert_eq!(
        (code, going["metadata"]["deletionTimestamp"].is_string()),
        (200, true)
    );
    let merge = Ask::new(&cluster).header("content-type", "application/merge-patch+json");
    let (code, _) = merge
        .json(
            "PATCH",
            &format!("{LIST}/a"),
            json!({ "metadata": { "finalizers": null } }),
        )
        .await;
    assert_eq!(code, 200);
    let (code, _) = ask.json("GET", &format!("{LIST}/a"), Value::Null).await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn foreground_deletion_waits_for_the_collector() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    ask.json("POST", LIST, config_map("a", &json!({}))).await;
    let (_, going) = ask
        .json(
            "DELETE",
            &format!("{LIST}/a"),
            json!({ "propagationPolicy": "Foreground" }),
        )
        .await;
    assert_eq!(
        going["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    let (code, refused) = ask
        .json(
            "DELETE",
            &format!("{LIST}/a"),
            json!({ "preconditions": { "uid": "other" } }),
        )
        .await;
    assert_eq!((code, refused["reason"].clone()), (409, json!("Conflict")));
}

#[tokio::test]
async fn status_and_wish_are_written_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    let list = "/apis/apps/v1/namespaces/default/replicasets";
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": "web" },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": { "app": "web" } },
            "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "a", "image": "b" }] } },
        },
    });
    let (code, mut made) = ask.json("POST", list, set).await;
    assert_eq!(
        (code, made["metadata"]["generation"].clone()),
        (201, json!(1))
    );
    made["status"] = json!({ "replicas": 1, "readyReplicas": 1 });
    made["spec"]["replicas"] = json!(7);
    let (_, told) = ask
        .json("PUT", &format!("{list}/web/status"), made.clone())
        .await;
    assert_eq!(
        (
            told["spec"]["replicas"].clone(),
            told["status"]["readyReplicas"].clone()
        ),
        (json!(1), json!(1))
    );
    assert_eq!(told["metadata"]["generation"], json!(1));
    made["metadata"]["resourceVersion"] = told["metadata"]["resourceVersion"].clone();
    made["status"] = json!({ "replicas": 99 });
    let (_, wished) = ask.json("PUT", &format!("{list}/web"), made).await;
    assert_eq!(
        (wished["spec"]["replicas"].clone(), wished["status"].clone()),
        (json!(7), told["status"].clone())
    );
    assert_eq!(wished["metadata"]["generation"], json!(2));
}

#[tokio::test]
async fn events_have_two_forms() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "a.1" },
        "eventTime": "2026-11-22T10:00:00.000000Z", "reportingController": "test", "reportingInstance": "test-1",
        "action": "Testing", "reason": "Tested", "regarding": { "kind": "Pod", "name": "a", "namespace": "default" },
        "note": "it works", "type": "Normal",
    });
    let (code, made) = ask
        .json(
            "POST",
            "/apis/events.k8s.io/v1/namespaces/default/events",
            event,
        )
        .await;
    assert_eq!((code, made["note"].clone()), (201, json!("it works")));
    let path = "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DPod";
    let (_, list) = ask.json("GET", path, Value::Null).await;
    assert_eq!(
        (
            list["items"][0]["message"].clone(),
            list["items"][0]["apiVersion"].clone()
        ),
        (json!("it works"), json!("v1"))
    );
}

#[tokio::test]
async fn nobody_and_strangers_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let mut ask = Ask::new(&cluster);
    ask.principal = None;
    let (code, refused) = ask.json("GET", "/version", Value::Null).await;
    assert_eq!(
        (code, refused["reason"].clone()),
        (401, json!("Unauthorized"))
    );
    ask.principal = Some(Principal::ServiceAccount {
        namespace: "shop".to_owned(),
        name: "default".to_owned(),
    });
    let (code, refused) = ask.json("GET", LIST, Value::Null).await;
    assert_eq!(
        (code, refused["message"].clone()),
        (
            403,
            json!(
                "configmaps is forbidden: User \"system:serviceaccount:shop:default\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\""
            )
        )
    );
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster);
    let pod = |bytes: usize| {
        let env = json!([{ "name": "LONG", "value": "x".repeat(bytes) }]);
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "big" },
            "spec": { "containers": [{ "name": "a", "image": "b", "env": env }] },
        })
    };
    for bytes in [2 * 1024 * 1024, 4 * 1024 * 1024] {
        let (code, refused) = ask
            .json("POST", "/api/v1/namespaces/default/pods", pod(bytes))
            .await;
        assert_eq!(
            (code, refused["reason"].clone()),
            (413, json!("RequestEntityTooLarge"))
        );
    }
}

#[tokio::test]
async fn both_forms_of_discovery_name_the_same_kinds() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let aggregated =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let ask = Ask::new(&cluster).header("accept", aggregated);
    let mut new: Vec<String> = Vec::new();
    for root in ["/api", "/apis"] {
        let response = ask.send("GET", root, "").await;
        assert_eq!(
            response.headers()["content-type"].to_str().expect("text"),
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        );
        let (_, list) = ask.json("GET", root, Value::Null).await;
        for group in list["items"].as_array().expect("groups") {
            for resource in group["versions"][0]["resources"]
                .as_array()
                .expect("resources")
            {
                new.push(format!(
                    "{} {}",
                    group["metadata"]["name"].as_str().unwrap_or("v1"),
                    resource["resource"].as_str().unwrap_or_default()
                ));
            }
        }
    }
    let plain = Ask::new(&cluster);
    let (_, groups) = plain.json("GET", "/apis", Value::Null).await;
    let mut versions = vec![("v1".to_owned(), "/api/v1".to_owned())];
    for group in groups["groups"].as_array().expect("groups") {
        let version = group["preferredVersion"]["groupVersion"]
            .as_str()
            .expect("a version");
        versions.push((
            group["name"].as_str().expect("a name").to_owned(),
            format!("/apis/{version}"),
        ));
    }
    let mut old: Vec<String> = Vec::new();
    for (group, path) in versions {
        let (_, list) = plain.json("GET", &path, Value::Null).await;
        for resource in list["resources"].as_array().expect("resources") {
            let name = resource["name"].as_str().unwrap_or_default();
            if !name.contains('/') {
                old.push(format!("{group} {name}"));
            }
        }
    }
    assert_eq!(new, old);
}

#[tokio::test]
async fn yaml_bodies_are_read_as_go_reads_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster).header("content-type", "application/yaml");
    let response = ask
        .send(
            "POST",
            LIST,
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: \"yes\"}\n",
        )
        .await;
    assert_eq!(response.status(), 201);
    let (_, kept) = Ask::new(&cluster)
        .json("GET", &format!("{LIST}/a"), Value::Null)
        .await;
    assert_eq!(kept["data"], json!({ "k": "yes" }));
    let response = ask.send("POST", LIST, "a: [1").await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn tables_carry_metadata_and_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let ask = Ask::new(&cluster).header(
        "accept",
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    );
    let (code, table) = ask
        .json("GET", "/api/v1/namespaces?limit=500", Value::Null)
        .await;
    let rows: Vec<String> = table["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            format!(
                "{} {} {}",
                row["cells"][0], row["cells"][1], row["object"]["kind"]
            )
        })
        .collect();
    assert_eq!((code, table["kind"].clone()), (200, json!("Table")));
    assert_eq!(
        rows,
        [
            r#""default" "Active" "PartialObjectMetadata""#,
            r#""kube-node-lease" "Active" "PartialObjectMetadata""#,
            r#""kube-public" "Active" "PartialObjectMetadata""#,
            r#""kube-system" "Active" "PartialObjectMetadata""#,
        ]
    );
}
