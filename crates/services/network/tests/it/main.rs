//! Rolling updates of a real Deployment, under clients that keep their connections.

#[path = "../../src/proxy/tests/endpoint.rs"]
#[expect(dead_code, reason = "shared with the proxy's own tests, which ask more of it")]
mod endpoint;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use cluster::{Cluster, Token, TokenError, TokenRequest, Tokens};
use endpoint::{Client, Endpoint};
use futures_util::StreamExt as _;
use kube::{
    api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
    runtime::watcher,
};
use network::{Config, Drained, LocalRoute, ServiceProxy};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 98, 0, 7)), 8000);

struct NoTokens;

impl Tokens for NoTokens {
    fn mint(&self, request: &TokenRequest) -> Result<Token, TokenError> {
        Err(TokenError { account: request.account.clone(), why: "this test has none".to_owned() })
    }

    fn principal(&self, _: &str) -> Option<access::Principal> {
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_rolling_updates_of_a_deployment_lose_no_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::open(cluster::Config {
        path: folder.path().join("cluster.db"),
        service_cidr: "127.98.0.0/16".parse().expect("a range"),
        server_address: "10.0.0.1:6443".parse().expect("an address"),
        dns_ip: "127.98.0.10".parse().expect("an address"),
        ca_pem: "certificate".to_owned(),
        kubelets: Arc::new(|_: &str| None),
        tokens: Arc::new(NoTokens),
    })
    .expect("a cluster");
    let client = cluster.client("test");
    let mut tasks = JoinSet::new();
    let config = workloads::Config::new("certificate".to_owned());
    tasks.spawn(workloads::run(cluster.client("workloads"), config, CancellationToken::new()));
    let config = Config {
        service_cidr: "127.98.0.0/16".parse().expect("a network"),
        local_route: LocalRoute::Present,
        node_addresses: Vec::new(),
        reserved: vec![Ipv4Addr::new(127, 98, 0, 10)],
    };
    let proxy = Arc::new(ServiceProxy::start(cluster.client("network"), config).expect("a proxy"));
    add_node(&client).await;
    tasks.spawn(pretend(client.clone(), Arc::clone(&proxy)));

    let services = api(&client, "v1", "Service", "services");
    let spec = json!({ "clusterIP": ADDRESS.ip(), "selector": { "app": "web" }, "ports": [{ "port": 8000, "targetPort": 8100 }] });
    create(&services, json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": spec })).await;
    let deployments = api(&client, "apps/v1", "Deployment", "deployments");
    create(&deployments, deployment()).await;
    until_complete(&deployments).await;
    let open = async {
        while TcpStream::connect(ADDRESS).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, open).await.expect("the service's address is open");

    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..4u32 {
        let stop = Arc::clone(&stop);
        clients.spawn(async move {
            let mut client = Client::connect(ADDRESS).await;
            let mut sent = 0u32;
            while !stop.load(SeqCst) {
                let method = if (sent + number) % 4 == 0 { "POST" } else { "GET" };
                let (status, words) = client.request(method, "/", "hello").await.expect("an answer");
                assert_eq!(status, 200, "{method} number {sent}: {words}");
                sent += 1;
            }
            sent
        });
    }
    for update in 1..=20 {
        let template = json!({ "metadata": { "annotations": { "update": update.to_string() } } });
        let patch = Patch::Merge(json!({ "spec": { "template": template } }));
        deployments.patch("web", &PatchParams::default(), &patch).await.expect("patched");
        until_complete(&deployments).await;
    }
    stop.store(true, SeqCst);
    let sent: u32 = clients.join_all().await.into_iter().sum();
    assert!(sent > 100, "only {sent} requests");
}

fn deployment() -> Value {
    let labels = json!({ "app": "web" });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": labels },
            "strategy": { "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "web", "image": "web" }] } },
        },
    })
}

fn api(client: &kube::Client, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    if kind == "Node" {
        return Api::all_with(client.clone(), &resource);
    }
    Api::namespaced_with(client.clone(), "default", &resource)
}

async fn create(api: &Api<DynamicObject>, object: Value) {
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object).await.expect("created");
}

async fn add_node(client: &kube::Client) {
    let nodes = api(client, "v1", "Node", "nodes");
    create(&nodes, json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "a" } })).await;
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    let status = json!({ "status": { "allocatable": { "cpu": "4", "pods": "110" }, "conditions": ready } });
    nodes.patch_status("a", &PatchParams::default(), &Patch::Merge(&status)).await.expect("a node's status");
}

async fn until_complete(deployments: &Api<DynamicObject>) {
    let mut events = watcher::watcher(deployments.clone(), Default::default()).boxed();
    let wait = async {
        while let Some(event) = events.next().await {
            let (watcher::Event::Apply(it) | watcher::Event::InitApply(it)) = event.expect("a watch") else { continue };
            let status = &it.data["status"];
            let current = status["observedGeneration"].as_i64() == it.metadata.generation;
            let counts = ["replicas", "updatedReplicas", "availableReplicas"];
            if current && counts.iter().all(|count| status[count] == 3) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the rollout is complete");
}

/// A node's agent whose pods are servers in this process. It ends a pod only when the proxy has let go of it.
async fn pretend(client: kube::Client, proxy: Arc<ServiceProxy>) {
    let pods = api(&client, "v1", "Pod", "pods");
    let mut events = watcher::watcher(pods.clone(), Default::default()).boxed();
    let mut running: HashMap<String, Endpoint> = HashMap::new();
    let mut ending = JoinSet::new();
    let mut next = 1u8;
    while let Some(event) = events.next().await {
        let (watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) = event.expect("a watch") else { continue };
        let name = pod.metadata.name.clone().expect("a name");
        if pod.metadata.deletion_timestamp.is_some() {
            if let Some(endpoint) = running.remove(&name) {
                let (pods, proxy) = (pods.clone(), Arc::clone(&proxy));
                ending.spawn(async move {
                    let drained = proxy.wait_drained(endpoint.address.ip(), PATIENCE).await;
                    assert_eq!(drained, Drained::Yes);
                    endpoint.kill().await;
                    pods.delete(&name, &DeleteParams::default().grace_period(0)).await.expect("deleted");
                });
            }
        } else if pod.data["spec"]["nodeName"] == "a" && !running.contains_key(&name) {
            let address = SocketAddr::from(([127, 99, 0, next], 8100));
            next = next.wrapping_add(1).max(1);
            running.insert(name.clone(), Endpoint::start(address, &name).await);
            let ready = json!([{ "type": "Ready", "status": "True" }]);
            let status = json!({ "status": { "phase": "Running", "podIP": address.ip(), "conditions": ready } });
            pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await.expect("a status");
        }
    }
}
