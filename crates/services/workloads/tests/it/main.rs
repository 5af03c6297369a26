//! The controllers against the API server of the cluster.

mod home;

use home::Home;
use kube::api::DeleteParams;
use serde_json::{Value, json};

fn deployment(replicas: i32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": "web" } },
            "strategy": { "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "terminationGracePeriodSeconds": 5, "containers": [{ "name": "web", "image": image }] },
            },
        },
    })
}

fn image(image: &str) -> Value {
    json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web", "image": image }] } } } })
}

/// `image:size` of each set, by revision.
fn sizes(sets: &[Value]) -> String {
    let mut lines: Vec<(i64, String)> = sets
        .iter()
        .map(|set| {
            let revision = set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
            let image = set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
            let sizes = format!("{image}:{}/{}", set["spec"]["replicas"], set["status"]["availableReplicas"].as_i64().unwrap_or(0));
            (revision.and_then(|it| it.parse().ok()).unwrap_or(0), sizes)
        })
        .collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join(" ")
}

fn reason(objects: &[Value], condition: &str) -> Option<String> {
    let conditions = objects.first()?["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|it| it["type"] == condition)?;
    found["reason"].as_str().map(str::to_owned)
}

fn is_complete(deployments: &[Value]) -> bool {
    let Some(it) = deployments.first() else { return false };
    let current = it["status"]["observedGeneration"] == it["metadata"]["generation"];
    current
        && it["status"]["updatedReplicas"] == it["spec"]["replicas"]
        && it["status"]["replicas"] == it["spec"]["replicas"]
        && it["status"]["availableReplicas"] == it["spec"]["replicas"]
        && reason(deployments, "Progressing").as_deref() == Some("NewReplicaSetAvailable")
}

#[tokio::test]
async fn deployment_rolls_out_updates_and_goes_back() {
    let mut home = Home::start();
    home.add_node("a").await;
    home.create("apps/v1", "Deployment", "default", deployment(3, "v1")).await;
    home.until("apps/v1", "Deployment", is_complete).await;
    assert_eq!(sizes(&home.list("apps/v1", "ReplicaSet").await), "v1:3/3");

    home.patch("apps/v1", "Deployment", "web", image("v2")).await;
    home.until("apps/v1", "Deployment", is_complete).await;
    assert_eq!(sizes(&home.list("apps/v1", "ReplicaSet").await), "v1:0/0 v2:3/3");

    home.patch("apps/v1", "Deployment", "web", image("v1")).await;
    home.until("apps/v1", "Deployment", is_complete).await;
    assert_eq!(sizes(&home.list("apps/v1", "ReplicaSet").await), "v2:0/0 v1:3/3");
    assert_eq!(home.list("v1", "Pod").await.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).count(), 3);
}

#[tokio::test]
async fn bad_image_leaves_the_old_pods_in_place() {
    let mut home = Home::start();
    home.add_node("a").await;
    home.create("apps/v1", "Deployment", "default", deployment(2, "v1")).await;
    home.until("apps/v1", "Deployment", is_complete).await;
    home.patch("apps/v1", "Deployment", "web", image("bad")).await;
    home.until("apps/v1", "ReplicaSet", |sets| sizes(sets) == "v1:2/2 bad:1/0").await;
    home.until("v1", "Pod", |pods| pods.len() == 3).await;
}

#[tokio::test]
async fn unschedulable_pod_says_why_and_is_bound_when_a_node_comes() {
    let mut home = Home::start();
    home.create("apps/v1", "Deployment", "default", deployment(1, "v1")).await;
    let said = |pods: &[Value]| {
        let conditions = pods.first().map(|pod| pod["status"]["conditions"].clone()).unwrap_or_default();
        let found = conditions.as_array().and_then(|it| it.iter().find(|it| it["type"] == "PodScheduled").cloned());
        found.is_some_and(|it| it["message"] == "no nodes available to schedule pods")
    };
    home.until("v1", "Pod", said).await;
    home.until("v1", "Event", |events| events.iter().any(|event| event["reason"] == "FailedScheduling")).await;
    home.add_node("a").await;
    home.until("apps/v1", "Deployment", is_complete).await;
}

#[tokio::test]
async fn endpoints_follow_the_pods() {
    let mut home = Home::start();
    home.add_node("a").await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "default" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    });
    home.create("v1", "Service", "default", service).await;
    home.create("apps/v1", "Deployment", "default", deployment(2, "v1")).await;
    let ready = |count: usize| {
        move |slices: &[Value]| {
            let of_web = slices.iter().filter(|it| it["metadata"]["labels"]["kubernetes.io/service-name"] == "web");
            let all = of_web.flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default());
            all.filter(|it| it["conditions"]["ready"] == true).count() == count
        }
    };
    home.until("discovery.k8s.io/v1", "EndpointSlice", ready(2)).await;
    home.patch("apps/v1", "Deployment", "web", json!({ "spec": { "replicas": 0 } })).await;
    home.until("discovery.k8s.io/v1", "EndpointSlice", ready(0)).await;
}

#[tokio::test]
async fn what_a_deleted_deployment_owned_goes_too() {
    let mut home = Home::start();
    home.add_node("a").await;
    for propagation in [DeleteParams::background(), DeleteParams::foreground()] {
        home.create("apps/v1", "Deployment", "default", deployment(2, "v1")).await;
        home.until("apps/v1", "Deployment", is_complete).await;
        home.api("apps/v1", "Deployment", "default").delete("web", &propagation).await.expect("deleted");
        home.until("apps/v1", "ReplicaSet", <[Value]>::is_empty).await;
        home.until("v1", "Pod", <[Value]>::is_empty).await;
        home.until("apps/v1", "Deployment", <[Value]>::is_empty).await;
    }
}

#[tokio::test]
async fn namespace_is_furnished_and_emptied() {
    let mut home = Home::start();
    home.add_node("a").await;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    home.create("v1", "Namespace", "", namespace).await;
    let mut web = deployment(2, "v1");
    web["metadata"]["namespace"] = json!("shop");
    home.create("apps/v1", "Deployment", "shop", web).await;
    let config = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c", "namespace": "shop", "finalizers": [] } });
    home.create("v1", "ConfigMap", "shop", config).await;
    let namespaces = home.api("v1", "Namespace", "");
    namespaces.delete("shop", &DeleteParams::default()).await.expect("deleted");
    home.until_gone("shop").await;
    assert!(home.api("v1", "Pod", "shop").list(&Default::default()).await.expect("a list").items.is_empty());
}
