//! A cluster for one test: on a file of its own, behind a port of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime},
};

use access::Principal;
use axum::{
    Router,
    body::Body,
    extract::{
        Request, WebSocketUpgrade,
        ws::{CloseFrame, Message, close_code},
    },
    middleware::{self, Next},
    response::Response,
    routing::any,
};
use cluster::{Cluster, Config, Token, TokenError, TokenRequest, Tokens};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};
use tower::ServiceExt as _;

/// No command here takes longer on a machine that is alive.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Home {
    folder: tempfile::TempDir,
}

/// Tokens that say in clear whose they are.
struct ClearTokens;

impl Tokens for ClearTokens {
    fn mint(&self, request: &TokenRequest) -> Result<Token, TokenError> {
        let expires = names::Timestamp::from(SystemTime::now()) + request.lifetime;
        Ok(Token {
            token: format!("{}/{}", request.namespace, request.account),
            expires,
        })
    }

    fn principal(&self, token: &str) -> Option<Principal> {
        let (namespace, name) = token.split_once('/')?;
        Some(Principal::ServiceAccount {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// A node that has one thing to say.
fn node() -> Router {
    async fn exec(upgrade: WebSocketUpgrade) -> Response {
        upgrade
            .protocols(["v5.channel.k8s.io"])
            .on_upgrade(|mut socket| async move {
                let told = [
                    (1_u8, "hello from the pod\n"),
                    (3, r#"{"metadata":{},"status":"Success"}"#),
                ];
                for (channel, text) in told {
                    let mut frame = vec![channel];
                    frame.extend_from_slice(text.as_bytes());
                    socket
                        .send(Message::Binary(frame.into()))
                        .await
                        .expect("the client listens");
                }
                // kubectl takes a close without a code for a fault.
                let end = CloseFrame {
                    code: close_code::NORMAL,
                    reason: "".into(),
                };
                socket
                    .send(Message::Close(Some(end)))
                    .await
                    .expect("the client listens");
                while socket.next().await.is_some_and(|message| message.is_ok()) {}
            })
    }
    Router::new()
        .route(
            "/containerLogs/{namespace}/{pod}/{container}",
            any(async || "first line\nsecond line\n"),
        )
        .route("/exec/{namespace}/{pod}/{container}", any(exec))
}

pub fn config(path: PathBuf, server_address: SocketAddr) -> Config {
    Config {
        path,
        service_cidr: "10.96.0.0/16".parse().expect("a range"),
        server_address,
        dns_ip: "10.96.0.10".parse().expect("an address"),
        ca_pem: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        kubelets: Arc::new(|name| (name == "node-1").then(node)),
        tokens: Arc::new(ClearTokens),
    }
}

pub fn open(path: &Path) -> Cluster {
    Cluster::open(config(
        path.to_owned(),
        SocketAddr::from(([127, 0, 0, 1], 6443)),
    ))
    .expect("a cluster")
}

async fn as_admin(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Principal::Admin);
    next.run(request).await
}

impl Home {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let cluster =
            Cluster::open(config(folder.path().join("cluster.db"), address)).expect("a cluster");
        let router = cluster.router().layer(middleware::from_fn(as_admin));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
             contexts: [{{name: here, context: {{cluster: here, user: me}}}}]\n\
             clusters: [{{name: here, cluster: {{server: \"http://{address}\"}}}}]\n\
             users: [{{name: me, user: {{}}}}]\n"
        );
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig).expect("a file");
        Self { folder }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(arguments)
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .env("HOME", self.folder.path())
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY")
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs kubectl with words separated by spaces and gives its exit code and all it printed.
    pub async fn kubectl(&self, line: &str, input: &str) -> (i32, String) {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.kubectl_words(&arguments, input).await
    }

    pub async fn kubectl_words(&self, arguments: &[&str], input: &str) -> (i32, String) {
        let mut child = self
            .command(arguments)
            .spawn()
            .expect("kubectl is in the path");
        let mut stdin = child.stdin.take().expect("piped");
        stdin
            .write_all(input.as_bytes())
            .await
            .expect("kubectl reads");
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .unwrap_or_else(|_| panic!("kubectl {arguments:?} hangs"))
            .expect("kubectl ends");
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.code().unwrap_or(-1), text)
    }

    /// Runs kubectl and compares all it says.
    #[track_caller]
    pub fn check<'a>(
        &'a self,
        line: &'a str,
        input: &'a str,
        code: i32,
        said: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let found = self.kubectl(line, input).await;
            assert_eq!(found, (code, said.to_owned()), "kubectl {line} at {place}");
        }
    }
}

/// One request to a router, without a socket.
pub struct Ask<'a> {
    pub router: Router,
    pub principal: Option<Principal>,
    pub headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Ask<'a> {
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            router: cluster.router(),
            principal: Some(Principal::Admin),
            headers: Vec::new(),
        }
    }

    pub fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        if let Some(principal) = &self.principal {
            request = request.extension(principal.clone());
        }
        let request = request.body(body.into()).expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("routers do not fail")
    }

    /// The status code and the answered JSON.
    pub async fn json(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let response = self.send(method, path, body).await;
        let code = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (
            code,
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes))),
        )
    }
}

/// A config map.
pub fn config_map(name: &str, data: &Value) -> Value {
    serde_json::json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
}
