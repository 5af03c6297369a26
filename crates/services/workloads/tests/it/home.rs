//! A cluster with controllers and a node that only pretends.

use std::{sync::Arc, time::Duration};

use cluster::{Cluster, Token, TokenError, TokenRequest, Tokens};
use futures_util::StreamExt as _;
use kube::{
    Client,
    api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
    runtime::watcher,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Long enough for the slowest machine; a test that passes never waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Home {
    pub client: Client,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

struct NoTokens;

impl Tokens for NoTokens {
    fn mint(&self, request: &TokenRequest) -> Result<Token, TokenError> {
        Err(TokenError { account: request.account.clone(), why: "this test has none".to_owned() })
    }

    fn principal(&self, _: &str) -> Option<access::Principal> {
        None
    }
}

impl Home {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cluster = Cluster::open(cluster::Config {
            path: folder.path().join("cluster.db"),
            service_cidr: "10.96.0.0/16".parse().expect("a range"),
            server_address: "10.0.0.1:6443".parse().expect("an address"),
            dns_ip: "10.96.0.10".parse().expect("an address"),
            ca_pem: "certificate".to_owned(),
            kubelets: Arc::new(|_: &str| None),
            tokens: Arc::new(NoTokens),
        })
        .expect("a cluster");
        let mut tasks = JoinSet::new();
        let config = workloads::Config::new("certificate".to_owned());
        tasks.spawn(workloads::run(cluster.client("workloads"), config, CancellationToken::new()));
        Self { client: cluster.client("test"), tasks, _folder: folder }
    }

    /// Adds a node on which pods run and get ready as soon as they are bound, unless their image is `bad`.
    pub async fn add_node(&mut self, name: &str) {
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } });
        self.create("v1", "Node", "", node).await;
        let status = json!({ "status": {
            "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "110" },
            "conditions": [{ "type": "Ready", "status": "True" }],
        } });
        let nodes = self.api("v1", "Node", "");
        nodes.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await.expect("a node's status");
        self.tasks.spawn(pretend(self.client.clone(), name.to_owned()));
    }

    pub fn api(&self, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
        api(&self.client, version, kind, namespace)
    }

    pub async fn create(&self, version: &str, kind: &str, namespace: &str, object: Value) -> Value {
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let made = self.api(version, kind, namespace).create(&PostParams::default(), &object).await.expect("created");
        serde_json::to_value(made).expect("an object")
    }

    pub async fn patch(&self, version: &str, kind: &str, name: &str, patch: Value) {
        let api = self.api(version, kind, "default");
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.expect("patched");
    }

    /// All objects of a kind in the namespace `default`, by name.
    pub async fn list(&self, version: &str, kind: &str) -> Vec<Value> {
        let list = self.api(version, kind, "default").list(&Default::default()).await.expect("a list");
        let mut items: Vec<Value> = list.items.into_iter().map(|it| serde_json::to_value(it).expect("an object")).collect();
        items.sort_by_key(|it| it["metadata"]["name"].to_string());
        items
    }

    /// Waits until the objects of a kind in `default` are as they should be.
    pub async fn until(&self, version: &str, kind: &str, wanted: impl Fn(&[Value]) -> bool) {
        let mut events = watcher::watcher(self.api(version, kind, "default"), Default::default()).boxed();
        let wait = async {
            while let Some(event) = events.next().await {
                event.expect("a watch");
                if wanted(&self.list(version, kind).await) {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let found: Vec<Value> = self.list(version, kind).await.into_iter().map(|mut it| it["metadata"].take()).collect();
            panic!("{kind} never came to what was expected: {}", serde_json::to_string_pretty(&found).unwrap_or_default());
        }
    }

    /// Waits until there is no such namespace.
    pub async fn until_gone(&self, namespace: &str) {
        let namespaces = self.api("v1", "Namespace", "");
        let mut events = watcher::watcher(namespaces.clone(), Default::default()).boxed();
        let wait = async {
            while let Some(event) = events.next().await {
                event.expect("a watch");
                if namespaces.get_opt(namespace).await.expect("an answer").is_none() {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the namespace is gone");
    }
}

fn api(client: &Client, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let plural = if kind == "Endpoints" { "endpoints".to_owned() } else { format!("{}s", kind.to_lowercase()) };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural);
    match namespace {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}

/// The agent of a node where everything takes no time.
async fn pretend(client: Client, node: String) {
    let mut events = watcher::watcher(api(&client, "v1", "Pod", ""), Default::default()).boxed();
    let mut next_address = 1u8;
    while let Some(event) = events.next().await {
        let (watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) = event.expect("a watch") else { continue };
        if pod.data["spec"]["nodeName"] != node.as_str() {
            continue;
        }
        let name = pod.metadata.name.clone().expect("a name");
        let pods = api(&client, "v1", "Pod", pod.metadata.namespace.as_deref().unwrap_or_default());
        if pod.metadata.deletion_timestamp.is_some() {
            // Somebody else may have been faster.
            pods.delete(&name, &DeleteParams::default().grace_period(0)).await.ok();
        } else if pod.data["status"]["podIP"].is_null() {
            let ready = if pod.data["spec"]["containers"][0]["image"] == "bad" { "False" } else { "True" };
            let status = json!({ "status": {
                "phase": "Running",
                "podIP": format!("10.0.0.{next_address}"),
                "conditions": [{ "type": "Ready", "status": ready }],
            } });
            next_address = next_address.wrapping_add(1);
            pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await.ok();
        }
    }
}
