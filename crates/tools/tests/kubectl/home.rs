//! A cluster with controllers and a node that only pretends, and a namespace for each of the two.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use access::Principal;
use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::Response,
    routing::any,
};
use cluster::{Cluster, Config, Token, TokenError, TokenRequest, Tokens};
use futures_util::StreamExt as _;
use kube::{
    Client,
    api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
    runtime::watcher,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};
use tokio_util::sync::CancellationToken;
use tools::Console;

/// No command here takes longer on a machine that is alive.
const PATIENCE: Duration = Duration::from_secs(60);

/// The namespace in which the real kubectl works, and that of ours.
const NAMESPACES: [&str; 2] = ["real", "ours"];

pub struct Home {
    pub folder: tempfile::TempDir,
    client: Client,
    differences: Mutex<Vec<String>>,
}

/// An exit code, standard output and standard error.
pub type Ran = (u8, String, String);

struct NoTokens;

impl Tokens for NoTokens {
    fn mint(&self, request: &TokenRequest) -> Result<Token, TokenError> {
        Err(TokenError { account: request.account.clone(), why: "this test has none".to_owned() })
    }

    fn principal(&self, _: &str) -> Option<Principal> {
        None
    }
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Heard {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}

async fn as_admin(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Principal::Admin);
    next.run(request).await
}

fn kubelet() -> Router {
    Router::new().route("/containerLogs/{namespace}/{pod}/{container}", any(async || "first line\nsecond line\n"))
}

fn api(client: &Client, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match namespace {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}

/// Pods on the node are ready as soon as they are bound, and gone as soon as they shall be.
async fn pretend(client: Client) {
    let pods = api(&client, "v1", "Pod", "");
    let mut changes = std::pin::pin!(watcher(pods, watcher::Config::default()));
    while let Some(change) = changes.next().await {
        let (Ok(watcher::Event::Apply(pod)) | Ok(watcher::Event::InitApply(pod))) = change else { continue };
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        let name = pod.metadata.name.clone().unwrap_or_default();
        let pods = api(&client, "v1", "Pod", &namespace);
        if pod.metadata.deletion_timestamp.is_some() {
            // Somebody else may have been faster.
            let _ = pods.delete(&name, &DeleteParams::default().grace_period(0)).await;
        } else if pod.data["spec"]["nodeName"].is_string() && pod.data["status"]["phase"] != "Running" {
            let image = pod.data["spec"]["containers"][0]["image"].clone();
            let container = pod.data["spec"]["containers"][0]["name"].clone();
            let now = names::Timestamp::from(std::time::SystemTime::now()).to_seconds_text();
            let status = json!({ "status": {
                "phase": "Running", "podIP": "10.0.0.9", "hostIP": "10.0.0.1", "startTime": now,
                "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": now }],
                "containerStatuses": [{ "name": container, "image": image, "imageID": "", "ready": true, "restartCount": 0, "state": { "running": { "startedAt": now } } }],
            } });
            let _ = pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await;
        }
    }
}

impl Home {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cluster = Cluster::open(Config {
            path: folder.path().join("cluster.db"),
            service_cidr: "10.96.0.0/16".parse().expect("a range"),
            server_address: address,
            dns_ip: "10.96.0.10".parse().expect("an address"),
            ca_pem: "certificate".to_owned(),
            kubelets: Arc::new(|name| (name == "node-1").then(kubelet)),
            tokens: Arc::new(NoTokens),
        })
        .expect("a cluster");
        let router = cluster.router().layer(middleware::from_fn(as_admin));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = workloads::Config::new("certificate".to_owned());
        tokio::spawn(workloads::run(cluster.client("workloads"), config, CancellationToken::new()));
        let client = cluster.client("test");
        let home = Self { folder, client: client.clone(), differences: Mutex::default() };
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "node-1" } });
        home.create("v1", "Node", node).await;
        let status = json!({ "status": {
            "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "110" },
            "conditions": [{ "type": "Ready", "status": "True" }],
        } });
        let nodes = api(&client, "v1", "Node", "");
        nodes.patch_status("node-1", &PatchParams::default(), &Patch::Merge(&status)).await.expect("a node's status");
        tokio::spawn(pretend(client));
        for namespace in NAMESPACES {
            let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
            home.create("v1", "Namespace", object).await;
            let kubeconfig = format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
                 contexts: [{{name: here, context: {{cluster: here, user: me, namespace: {namespace}}}}}]\n\
                 clusters: [{{name: here, cluster: {{server: \"http://{address}\"}}}}]\n\
                 users: [{{name: me, user: {{}}}}]\n"
            );
            std::fs::write(home.folder.path().join(namespace), kubeconfig).expect("a file");
        }
        home
    }

    async fn create(&self, version: &str, kind: &str, object: Value) {
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        api(&self.client, version, kind, "").create(&PostParams::default(), &object).await.expect("created");
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }

    pub async fn real(&self, words: &[String], input: &str) -> Ran {
        let mut command = Command::new("kubectl");
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("KUBECONFIG", self.folder.path().join("real"))
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("kubectl is in the path");
        let mut stdin = child.stdin.take().expect("piped");
        // A command that reads no input may have closed it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("kubectl {words:?} hangs")).expect("kubectl ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().and_then(|it| u8::try_from(it).ok()).unwrap_or(u8::MAX);
        (code, text(&output.stdout), text(&output.stderr))
    }

    pub async fn ours(&self, words: &[String], input: &str) -> Ran {
        self.tool("kubectl", words, input).await
    }

    /// Runs one of our tools in the namespace that is ours.
    pub async fn tool(&self, tool: &str, words: &[String], input: &str) -> Ran {
        let env: BTreeMap<String, String> = [
            ("KUBECONFIG".to_owned(), self.folder.path().join("ours").display().to_string()),
            ("HOME".to_owned(), self.folder.path().display().to_string()),
        ]
        .into();
        let (out, err) = (Heard::default(), Heard::default());
        let input = Box::new(io::Cursor::new(input.as_bytes().to_vec()));
        let mut console = Console::new(Box::new(out.clone()), Box::new(err.clone()), input, env, self.folder.path().to_owned());
        let ran = tokio::time::timeout(PATIENCE, tools::main(tool, words, &mut console)).await;
        let code = ran.unwrap_or_else(|_| panic!("our {tool} {words:?} hangs: {} {}", out.text(), err.text()));
        (code, out.text(), err.text())
    }

    /// Runs the real helm in the namespace that is ours.
    pub async fn real_helm(&self, words: &[String]) -> Ran {
        let folder = std::env::var_os("LANDFALL_TOOLS").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin"),
            std::path::PathBuf::from,
        );
        let helm = folder.join("helm4");
        assert!(helm.exists(), "no `helm4` in {}: set LANDFALL_TOOLS to the folder of the referees", folder.display());
        let mut command = Command::new(helm);
        command
            .args(words)
            .env_clear()
            .env("KUBECONFIG", self.folder.path().join("ours"))
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("helm {words:?} hangs")).expect("helm ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().and_then(|it| u8::try_from(it).ok()).unwrap_or(u8::MAX);
        (code, text(&output.stdout), text(&output.stderr))
    }

    /// Runs both and compares all they say, but for what differs from object to object.
    #[track_caller]
    pub fn same<'a>(&'a self, line: &'a str, input: &'a str) -> impl Future<Output = String> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let words = words(line);
            let real = masked(self.real(&words, input).await);
            let ours = masked(self.ours(&words, input).await);
            if ours != real {
                let told = |it: &Ran| format!("code {}\n{}{}", it.0, it.1, it.2);
                let difference = format!("kubectl {line} at {place}\n--- real: {}--- ours: {}", told(&real), told(&ours));
                self.differences.lock().expect("no holder panics").push(difference);
            }
            format!("{} {}{}", ours.0, ours.1, ours.2)
        }
    }

    /// Runs both, which say on the way what is so at that moment, and compares how they end.
    pub async fn same_end(&self, line: &str, last: &str) {
        let words = words(line);
        for (code, out, err) in [self.real(&words, "").await, self.ours(&words, "").await] {
            assert_eq!((code, out.lines().last(), err.as_str()), (0, Some(last), ""), "kubectl {line}");
        }
    }

    /// Shows all differences at once.
    pub fn done(&self) {
        let differences = self.differences.lock().expect("no holder panics");
        assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    }
}

/// Words by spaces; quotes keep spaces together.
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for symbol in line.chars() {
        match symbol {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().expect("never empty").push(other),
        }
    }
    words
}

fn masked((code, out, err): Ran) -> Ran {
    (code, mask(&out), mask(&err))
}

/// Takes out namespaces, ages, times, uids, revisions and the random ends of names.
fn mask(text: &str) -> String {
    // The real one also writes its log of a server that does not answer.
    let is_log = |line: &&str| line.starts_with('E') && line[1..].bytes().take(4).all(|it| it.is_ascii_digit());
    let lines = text.lines().filter(|it| !is_log(it)).map(|line| {
        let line = line.replace("'real'", "'NS'").replace("'ours'", "'NS'");
        let line = match line.split_once("10.96.") {
            Some((before, after)) => format!("{before}ADDRESS{}", after.trim_start_matches(|it: char| it.is_ascii_digit() || it == '.')),
            None => line,
        };
        let mut out = String::new();
        let mut word = String::new();
        for symbol in line.chars().chain(['\n']) {
            if symbol.is_alphanumeric() || symbol == '-' || symbol == ':' {
                word.push(symbol);
                continue;
            }
            out.push_str(&masked_word(&word));
            word.clear();
            if symbol != '\n' {
                out.push(symbol);
            }
        }
        let out = out.replace("\"UID\"", "UID");
        // Widths of columns follow from what was masked.
        out.split(' ').filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
    });
    lines.map(|it| format!("{it}\n")).collect()
}

fn masked_word(word: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let is_age = word.len() < 6 && word.strip_suffix(['s', 'm']).is_some_and(digits);
    let is_time = word.len() == 20 && word.ends_with('Z') && word.contains('T');
    let is_uid = word.len() == 36 && word.matches('-').count() == 4;
    match word {
        "real" | "ours" => "NS".to_owned(),
        _ if word.len() == 7 && word.starts_with("1000") => "REVISION".to_owned(),
        _ if is_age => "AGE".to_owned(),
        _ if is_time => "TIME".to_owned(),
        _ if is_uid => "UID".to_owned(),
        _ => {
            // `web-7c5ddbdf54-x2x4q`: the names of pods and ReplicaSets end by chance.
            let mut parts: Vec<&str> = word.split('-').collect();
            let is_pod = parts.len() == 3 && parts[2].len() == 5 && parts[1].len() > 6;
            if is_pod {
                parts[2] = "POD";
            }
            parts.join("-")
        }
    }
}
