//! One small cluster per test: an API server, a node, an image, and a way to wait.

use std::{
    collections::BTreeMap,
    fs,
    net::Ipv4Addr,
    os::unix::fs::{PermissionsExt as _, symlink},
    panic::AssertUnwindSafe,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Request, middleware::Next};
use futures_util::{FutureExt as _, StreamExt as _};
use http::Method;
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::watcher,
};
use node::{Config, Node};
use oci::{Images, Origin};
use sandbox::{Local, Running};
use serde_json::{Value, json};

/// The name of the one image.
pub const IMAGE: &str = "busybox:1";

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    pub dir: tempfile::TempDir,
    pub client: Client,
    /// A client over a real connection, for WebSockets.
    pub remote: kube_rs::Client,
    pub sandbox: Local,
    images: Arc<Images>,
    number: u8,
    nodes: Arc<Mutex<Option<Router>>>,
    node: Option<Node>,
    cluster: cluster::Cluster,
}

struct NoTokens;

impl cluster::Tokens for NoTokens {
    fn mint(&self, _: &cluster::TokenRequest) -> Result<cluster::Token, cluster::TokenError> {
        let expires = "2100-01-01T00:00:00Z".parse().expect("a time");
        Ok(cluster::Token {
            token: "a-token".to_owned(),
            expires,
        })
    }

    fn principal(&self, _: &str) -> Option<access::Principal> {
        None
    }
}

/// Runs a test in a world of its own and takes the world down, whatever happens.
pub fn run<F: Future<Output = ()>>(number: u8, test: impl FnOnce(&'static mut World) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let world: &'static mut World = Box::leak(Box::new(World::start(number).await));
        let world_address: *mut World = world;
        let outcome = AssertUnwindSafe(test(world)).catch_unwind().await;
        // SAFETY: the test is over, so its reference is not used any more.
        let world = unsafe { Box::from_raw(world_address) };
        world.finish().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

impl World {
    async fn start(number: u8) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let nodes: Arc<Mutex<Option<Router>>> = Arc::default();
        let shown = nodes.clone();
        let cluster = cluster::Cluster::open(cluster::Config {
            path: dir.path().join("cluster.db"),
            service_cidr: "10.96.0.0/16".parse().expect("a range"),
            server_address: ([10, 252, number, 1], 443).into(),
            dns_ip: Ipv4Addr::new(10, 96, 0, 10),
            ca_pem: "-----BEGIN CERTIFICATE-----".to_owned(),
            kubelets: Arc::new(move |_| shown.lock().expect("a lock").clone()),
            tokens: Arc::new(NoTokens),
        });
        let cluster = cluster.expect("a cluster");
        let client = cluster.client("test");
        let remote = serve(cluster.router()).await;
        let sandbox = Local::start(&dir.path().join("sandbox"))
            .await
            .expect("a spawner");
        let records = Arc::new(store::MemoryRecords::default());
        let blobs = Arc::new(store::DiskBlobs::open(dir.path().join("blobs")).expect("blobs"));
        let images = Images::open(
            records,
            blobs,
            dir.path().join("images"),
            vec!["127.0.0.1:9".to_owned()],
        );
        let images = Arc::new(images.expect("images"));
        import(&images, dir.path()).await;
        let mut world = Self {
            dir,
            client,
            remote,
            sandbox,
            images,
            number,
            nodes,
            node: None,
            cluster,
        };
        world
            .make("v1", "Namespace", json!({ "metadata": { "name": "t" } }))
            .await;
        world
            .make_unless_there(
                "v1",
                "ServiceAccount",
                json!({ "metadata": { "name": "default", "namespace": "t" } }),
            )
            .await;
        let root = json!({ "metadata": { "name": "kube-root-ca.crt", "namespace": "t" }, "data": { "ca.crt": "x" } });
        world.make_unless_there("v1", "ConfigMap", root).await;
        world.start_node().await;
        world
    }

    pub fn node_name(&self) -> String {
        format!("node-{}", self.number)
    }

    fn bridge(&self) -> String {
        format!("lftest{}", self.number)
    }

    pub async fn start_node(&mut self) {
        let config = Config {
            name: self.node_name(),
            pod_cidr: format!("10.252.{}.0/24", self.number),
            bridge: self.bridge(),
            dns: Some([10, 96, 0, 10].into()),
            cluster_domain: "cluster.local".to_owned(),
            state: self.dir.path().join("node"),
            api_address: ([10, 96, 0, 1], 443).into(),
            address: None,
            kubelet_port: None,
            drain: None,
            labels: BTreeMap::new(),
        };
        let sandbox = Arc::new(self.sandbox.clone());
        let node = Node::start(
            config,
            self.cluster.client("node"),
            sandbox.clone(),
            sandbox,
            self.images.clone(),
        )
        .await;
        let node = node.expect("a node");
        *self.nodes.lock().expect("a lock") = Some(node.router());
        self.node = Some(node);
    }

    pub async fn stop_node(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().await;
        }
    }

    async fn finish(mut self) {
        if self.node.is_none() {
            self.start_node().await;
        }
        if let Some(node) = self.node.take() {
            node.purge().await.expect("purged");
        }
        self.cluster.stop();
        self.sandbox
            .shutdown_spawner(Running::Kill)
            .await
            .expect("the spawner ends");
        sandbox::remove_bridge(&self.bridge()).expect("the bridge is removed");
    }

    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        let plural = format!("{}s", kind.to_lowercase());
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), &plural);
        match kind {
            "Namespace" | "Node" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), "t", &resource),
        }
    }

    pub async fn make(&self, version: &str, kind: &str, object: Value) {
        self.try_make(version, kind, object).await.expect("made");
    }

    async fn make_unless_there(&self, version: &str, kind: &str, object: Value) {
        match self.try_make(version, kind, object).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            made => made.expect("made"),
        }
    }

    async fn try_make(&self, version: &str, kind: &str, mut object: Value) -> kube::Result<()> {
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        self.api(kind)
            .create(&Default::default(), &object)
            .await
            .map(drop)
    }

    /// Makes a pod that is bound to the node; `spec` is the pod's, with the image filled in.
    pub async fn pod(&self, name: &str, mut spec: Value) {
        spec["nodeName"] = json!(self.node_name());
        for list in ["containers", "initContainers"] {
            for container in spec[list].as_array_mut().into_iter().flatten() {
                if container.get("image").is_none() {
                    container["image"] = json!(IMAGE);
                }
            }
        }
        if spec.get("terminationGracePeriodSeconds").is_none() {
            spec["terminationGracePeriodSeconds"] = json!(1);
        }
        self.make(
            "v1",
            "Pod",
            json!({ "metadata": { "name": name, "namespace": "t" }, "spec": spec }),
        )
        .await;
    }

    /// Waits until the pod is as `holds` says, and returns it.
    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let last = Mutex::new(Value::Null);
        let found = self.watch(name, |pod| {
            *last.lock().expect("a lock") = pod.cloned().unwrap_or_default();
            pod.filter(|pod| holds(pod)).cloned()
        });
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(pod) => pod,
            Err(_) => {
                let last = last.lock().expect("a lock").clone();
                panic!(
                    "`{name}` is not {what}: {}\nevents: {:#?}",
                    last["status"],
                    self.events(name).await
                )
            }
        }
    }

    pub async fn until_gone(&self, name: &str) {
        let gone = self.watch(name, |pod| pod.is_none().then_some(()));
        tokio::time::timeout(PATIENCE, gone)
            .await
            .unwrap_or_else(|_| panic!("`{name}` is still there"));
    }

    async fn watch<T>(&self, name: &str, look: impl Fn(Option<&Value>) -> Option<T>) -> T {
        let mut changes = std::pin::pin!(watcher::watch_object(self.api("Pod"), name));
        loop {
            let pod = changes
                .next()
                .await
                .expect("the watch goes on")
                .expect("a change");
            let pod = pod.map(|pod| serde_json::to_value(pod).expect("JSON"));
            if let Some(found) = look(pod.as_ref()) {
                return found;
            }
        }
    }

    /// The reasons and messages of the pod's events, sorted.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let list = self
            .api("Event")
            .list(&Default::default())
            .await
            .expect("events");
        let mine = list
            .items
            .into_iter()
            .filter(|event| event.data["involvedObject"]["name"] == name);
        let text = |event: DynamicObject| {
            let text = |field: &str| event.data[field].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("reason"), text("message"))
        };
        let mut events: Vec<_> = mine.map(text).collect();
        events.sort();
        events
    }

    /// Waits until there is an event that begins so.
    pub async fn until_event(&self, name: &str, begin: &str) -> String {
        let mut changes = std::pin::pin!(watcher(self.api("Event"), watcher::Config::default()));
        let found = async {
            loop {
                if let Some(event) = self
                    .events(name)
                    .await
                    .into_iter()
                    .find(|event| event.starts_with(begin))
                {
                    return event;
                }
                changes.next().await;
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| panic!("no event `{begin}` for `{name}`"))
    }

    pub async fn logs(&self, name: &str, query: &str) -> String {
        let request = http::Request::get(format!("/api/v1/namespaces/t/pods/{name}/log?{query}"));
        self.client
            .request_text(request.body(Vec::new()).expect("a request"))
            .await
            .expect("a log")
    }

    pub async fn request(&self, method: Method, path: &str, body: Value) -> kube::Result<Value> {
        let content = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content);
        self.client
            .request(
                request
                    .body(body.to_string().into_bytes())
                    .expect("a request"),
            )
            .await
    }

    pub async fn delete(&self, name: &str) {
        self.request(
            Method::DELETE,
            &format!("/api/v1/namespaces/t/pods/{name}"),
            json!({}),
        )
        .await
        .expect("deleted");
    }
}

/// Whether a condition of the pod is true.
pub fn is(pod: &Value, condition: &str) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|known| known["type"] == condition && known["status"] == "True")
}

/// A container that is the given script.
pub fn script(name: &str, text: &str) -> Value {
    json!({ "name": name, "command": ["/bin/sh", "-c", text] })
}

/// Serves the API as its owner would reach it.
async fn serve(router: Router) -> kube_rs::Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = router.layer(axum::middleware::from_fn(
        |mut request: Request, next: Next| {
            request.extensions_mut().insert(access::Principal::Admin);
            next.run(request)
        },
    ));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let url = format!("http://{address}").parse().expect("a URL");
    kube_rs::Client::try_from(kube_rs::Config::new(url)).expect("a client")
}

/// Imports a folder with busybox under the names that scripts use.
async fn import(images: &Images, dir: &Path) {
    let root = dir.join("root");
    let bin = root.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    fs::create_dir_all(root.join("etc")).expect("a folder");
    fs::copy("/usr/bin/busybox", bin.join("busybox")).expect("busybox");
    fs::set_permissions(bin.join("busybox"), fs::Permissions::from_mode(0o755)).expect("a program");
    for applet in [
        "sh", "cat", "echo", "env", "httpd", "id", "ls", "mkdir", "rm", "sleep", "sort", "stat",
        "head", "tr", "dd",
    ] {
        symlink("busybox", bin.join(applet)).expect("a link");
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("users");
    let name = IMAGE.parse().expect("a name");
    images
        .import(&root, &name, &Origin::default(), Arc::new(|_| {}))
        .await
        .expect("an image");
}
