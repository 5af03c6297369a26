//! Watches tell everything, once, in order, and say so when they cannot.

use axum::body::BodyDataStream;
use cluster::Cluster;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::home::{Ask, config_map, open};

const LIST: &str = "/api/v1/namespaces/default/configmaps";

/// The lines of a watch.
struct Lines {
    body: BodyDataStream,
    rest: Vec<u8>,
}

impl Lines {
    async fn open(cluster: &Cluster, query: &str) -> Self {
        let response = Ask::new(cluster)
            .send("GET", &format!("{LIST}?watch=1&{query}"), "")
            .await;
        assert_eq!(response.status(), 200);
        Self {
            body: response.into_body().into_data_stream(),
            rest: Vec::new(),
        }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("a line of JSON"));
            }
            let chunk = self.body.next().await?.expect("no broken stream");
            self.rest.extend_from_slice(&chunk);
        }
    }

    /// The next events in short: type, name, the value of `k`.
    async fn tell(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            let event = self.next().await.expect("an event");
            let object = &event["object"];
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            told.push(format!(
                "{} {} {}",
                text(&event["type"]),
                text(&object["metadata"]["name"]),
                text(&object["data"]["k"])
            ));
        }
        told
    }
}

async fn put(cluster: &Cluster, name: &str, value: &str, labels: Value) {
    let ask = Ask::new(cluster);
    let mut object = config_map(name, &json!({ "k": value }));
    object["metadata"]["labels"] = labels;
    let (code, _) = ask
        .json("PUT", &format!("{LIST}/{name}"), object.clone())
        .await;
    if code == 404 {
        let (code, _) = ask.json("POST", LIST, object).await;
        assert_eq!(code, 201);
    }
}

async fn delete(cluster: &Cluster, name: &str) {
    let (code, _) = Ask::new(cluster)
        .json("DELETE", &format!("{LIST}/{name}"), Value::Null)
        .await;
    assert_eq!(code, 200);
}

async fn revision(cluster: &Cluster) -> String {
    let (_, list) = Ask::new(cluster).json("GET", LIST, Value::Null).await;
    list["metadata"]["resourceVersion"]
        .as_str()
        .expect("a revision")
        .to_owned()
}

#[tokio::test]
async fn changes_come_in_order_after_the_listed_revision() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    put(&cluster, "before", "0", json!({})).await;
    let mut watch = Lines::open(
        &cluster,
        &format!("resourceVersion={}", revision(&cluster).await),
    )
    .await;
    put(&cluster, "a", "1", json!({})).await;
    put(&cluster, "a", "2", json!({})).await;
    put(&cluster, "a", "2", json!({})).await;
    delete(&cluster, "a").await;
    put(&cluster, "b", "3", json!({})).await;
    assert_eq!(
        watch.tell(4).await,
        ["ADDED a 1", "MODIFIED a 2", "DELETED a 2", "ADDED b 3"]
    );
}

#[tokio::test]
async fn an_object_that_is_no_longer_selected_is_told_as_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let from = revision(&cluster).await;
    let mut watch = Lines::open(
        &cluster,
        &format!("resourceVersion={from}&labelSelector=color%3Dred"),
    )
    .await;
    put(&cluster, "a", "1", json!({ "color": "red" })).await;
    put(&cluster, "b", "1", json!({ "color": "blue" })).await;
    put(&cluster, "a", "2", json!({ "color": "blue" })).await;
    put(&cluster, "b", "2", json!({ "color": "red" })).await;
    assert_eq!(
        watch.tell(3).await,
        ["ADDED a 1", "DELETED a 1", "ADDED b 2"]
    );
}

#[tokio::test]
async fn a_watch_list_marks_the_end_of_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    put(&cluster, "a", "1", json!({})).await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = Lines::open(&cluster, query).await;
    assert_eq!(
        watch.tell(2).await,
        ["ADDED a 1", "ADDED kube-root-ca.crt -"]
    );
    let mark = watch.next().await.expect("a bookmark");
    assert_eq!(mark["type"], "BOOKMARK");
    assert_eq!(
        mark["object"]["metadata"]["annotations"],
        json!({ "k8s.io/initial-events-end": "true" })
    );
    put(&cluster, "b", "2", json!({})).await;
    assert_eq!(watch.tell(1).await, ["ADDED b 2"]);
}

#[tokio::test]
async fn a_revision_that_is_forgotten_is_expired() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let from = revision(&cluster).await;
    let writers = (0..20).map(|writer| {
        let cluster = &cluster;
        async move {
            for value in 0..=500 {
                put(
                    cluster,
                    &format!("c{writer}"),
                    &value.to_string(),
                    json!({}),
                )
                .await;
            }
        }
    });
    futures_util::future::join_all(writers).await;
    let mut watch = Lines::open(&cluster, &format!("resourceVersion={from}")).await;
    let event = watch.next().await.expect("an event");
    assert_eq!(event["type"], "ERROR");
    assert_eq!(
        (
            event["object"]["code"].clone(),
            event["object"]["reason"].clone()
        ),
        (json!(410), json!("Expired"))
    );
    assert_eq!(watch.next().await, None);
}

#[tokio::test]
async fn a_watch_ends_at_its_time_or_with_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = open(&folder.path().join("db"));
    let from = revision(&cluster).await;
    let mut timed = Lines::open(
        &cluster,
        &format!("resourceVersion={from}&timeoutSeconds=1"),
    )
    .await;
    assert_eq!(timed.next().await, None);
    let mut endless = Lines::open(&cluster, &format!("resourceVersion={from}")).await;
    cluster.stop();
    assert_eq!(endless.next().await, None);
}
