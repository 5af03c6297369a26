//! The API server and the namespace that the kubeconfig and the flags name.

use std::time::Duration;

use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    discovery::{Discovery, Resource, encoded},
    fault::Fault,
};
use crate::{Console, failure::Failure, flags::Parsed, patience::Patience};

/// What a plain answer is asked for in.
pub const JSON: &str = "application/json";
/// A table made by the server.
pub const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// A connection to an API server.
pub struct Session {
    client: Client,
    /// Scheme, host and port.
    pub server: String,
    /// The namespace of the flags or of the context.
    pub namespace: String,
    /// Whether the namespace was named on the command line.
    pub namespace_is_given: bool,
    absence: Absence,
    discovery: OnceCell<Discovery>,
}

/// What it means that the server cannot be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// It is not there.
    Lasting,
    /// It is the server that runs this job, and was killed; it comes back.
    Passing,
}

/// A request to make.
pub struct Ask {
    method: Method,
    path: String,
    accept: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), accept: JSON, content_type: JSON, body: Vec::new() }
    }

    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self { method: Method::POST, body: body.to_string().into_bytes(), ..Self::get(path) }
    }

    pub fn delete(path: impl Into<String>, options: &Value) -> Self {
        Self { method: Method::DELETE, ..Self::post(path, options) }
    }

    pub fn patch(path: impl Into<String>, content_type: &'static str, body: &Value) -> Self {
        Self { method: Method::PATCH, content_type, ..Self::post(path, body) }
    }

    pub fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }
}

/// The kubeconfig: `--kubeconfig`, `$KUBECONFIG` or `~/.kube/config`; the first of several files wins.
pub fn kubeconfig(flag: Option<&str>, console: &Console) -> Result<Kubeconfig, Failure> {
    let files: Vec<std::path::PathBuf> = match (flag, console.env("KUBECONFIG"), console.env("HOME")) {
        (Some(file), _, _) => vec![console.path(file)],
        (None, Some(files), _) => files.split(':').filter(|it| !it.is_empty()).map(|it| console.path(it)).collect(),
        (None, None, Some(home)) => vec![console.path(home).join(".kube/config")],
        (None, None, None) => Vec::new(),
    };
    let mut all = Kubeconfig::default();
    for file in files {
        if !file.exists() {
            if flag.is_some() {
                return Err(Failure::new(format!("error: stat {}: no such file or directory", file.display())));
            }
            continue;
        }
        let one = Kubeconfig::read_from(&file);
        let one = one.map_err(|error| Failure::new(format!("error: error loading config file \"{}\": {error}", file.display())))?;
        all = all.merged(one);
    }
    Ok(all)
}

impl Session {
    /// Connects as kubeconfig and flags say. Nothing is sent yet.
    pub async fn open(global: &Parsed, console: &Console) -> Result<Self, Failure> {
        let kubeconfig = kubeconfig(global.last("kubeconfig"), console)?;
        let wrong = |error: &dyn std::fmt::Display| Failure::new(format!("error: {error}"));
        let proxied = kubeconfig.clusters.iter().any(|it| it.cluster.as_ref().is_some_and(|it| it.proxy_url.is_some()));
        let mut config = if kubeconfig.clusters.is_empty() && global.last("server").is_none() {
            match Config::incluster() {
                Ok(config) => config,
                Err(_) => return Err(Fault::Refused("localhost:8080".to_owned()).into()),
            }
        } else if kubeconfig.clusters.is_empty() {
            Config::new(http::Uri::from_static("http://localhost:8080"))
        } else {
            let options = KubeConfigOptions {
                context: global.last("context").map(str::to_owned),
                cluster: global.last("cluster").map(str::to_owned),
                user: global.last("user").map(str::to_owned),
            };
            if let Some(context) = &options.context
                && !kubeconfig.contexts.iter().any(|it| it.name == *context)
            {
                return Err(Failure::new(format!("Error in configuration: context was not found for specified context: {context}")));
            }
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|it| wrong(&it))?
        };
        if !proxied {
            // Proxies of the environment are for the outside; the cluster is on this machine or named as it is reached.
            config.proxy_url = None;
        }
        if let Some(server) = global.last("server") {
            let server = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
            config.cluster_url = server.parse().map_err(|it: http::uri::InvalidUri| wrong(&it))?;
        }
        if let Some(token) = global.last("token") {
            config.auth_info.token = Some(token.to_owned().into());
        }
        if global.is_on("insecure-skip-tls-verify") {
            config.accept_invalid_certs = true;
        }
        if let Some(timeout) = global.last("request-timeout").filter(|it| *it != "0") {
            let timeout = super::duration(timeout)?;
            config.read_timeout = Some(timeout);
        }
        config.connect_timeout = Some(Duration::from_secs(10));
        let given = global.last("namespace").filter(|it| !it.is_empty());
        let namespace = given.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config).map_err(|it| wrong(&it))?;
        let absence = if console.env("LANDFALL_TOKEN").is_some() { Absence::Passing } else { Absence::Lasting };
        Ok(Self { client, server, namespace, namespace_is_given: given.is_some(), absence, discovery: OnceCell::new() })
    }

    /// What the server serves; asked for once.
    pub async fn discovery(&self) -> Result<&Discovery, Fault> {
        self.discovery.get_or_try_init(|| Discovery::of(self)).await
    }

    /// Sends a request and gives the answer as it comes.
    pub async fn stream(&self, ask: Ask) -> Result<Body, Fault> {
        let mut patience = Patience::default();
        let answer = loop {
            let request = Request::builder()
                .method(ask.method.clone())
                .uri(&ask.path)
                .header(header::ACCEPT, ask.accept)
                .header(header::CONTENT_TYPE, ask.content_type)
                .body(Body::from(ask.body.clone()))
                .map_err(|error| Fault::here(error.to_string()))?;
            let fault = match self.client.send(request).await {
                Ok(answer) => break answer,
                Err(error) => self.unreachable(&error),
            };
            // What was refused was not done; what was cut off may have been, and only a creation shows it.
            let can_repeat = matches!(fault, Fault::Refused(_)) || ask.method != Method::POST;
            if self.absence == Absence::Lasting || !can_repeat || !patience.wait().await {
                return Err(fault);
            }
        };
        let code = answer.status().as_u16();
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let bytes = collected(answer.into_body()).await?;
        let status = serde_json::from_slice::<Value>(&bytes).ok().filter(|it| it["kind"] == "Status");
        let status = status.unwrap_or_else(|| {
            let message = String::from_utf8_lossy(&bytes).trim().to_owned();
            serde_json::json!({ "message": if message.is_empty() { format!("the server answered {code}") } else { message } })
        });
        Err(Fault::Status { code, status })
    }

    /// Sends a request and reads all of the answer.
    pub async fn bytes(&self, ask: Ask) -> Result<Vec<u8>, Fault> {
        collected(self.stream(ask).await?).await
    }

    /// Sends a request whose answer is JSON.
    pub async fn json(&self, ask: Ask) -> Result<Value, Fault> {
        let bytes = self.bytes(ask).await?;
        serde_json::from_slice(&bytes).map_err(|error| Fault::here(format!("the server's answer is no JSON: {error}")))
    }

    /// Reads one object. A namespace that is not there is told before the object in it.
    pub async fn object(&self, resource: &Resource, namespace: &str, name: &str, accept: &'static str) -> Result<Value, Fault> {
        match self.json(Ask::get(resource.object_path(namespace, name)).accepting(accept)).await {
            Err(fault) if fault.is_missing() && resource.namespaced && namespace != "default" => {
                match self.json(Ask::get(format!("/api/v1/namespaces/{}", encoded(namespace)))).await {
                    Err(other) if other.is_missing() => Err(other),
                    _ => Err(fault),
                }
            }
            answer => answer,
        }
    }

    fn unreachable(&self, error: &kube::Error) -> Fault {
        let mut texts = vec![error.to_string()];
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let refused = error.downcast_ref::<std::io::Error>().is_some_and(|it| it.kind() == std::io::ErrorKind::ConnectionRefused);
            if refused {
                let host = self.server.split_once("://").map_or(self.server.as_str(), |(_, host)| host);
                return Fault::Refused(host.to_owned());
            }
            texts.push(error.to_string());
            cause = error.source();
        }
        // The innermost cause says most.
        Fault::Unreachable(texts.pop().unwrap_or_default())
    }
}

async fn collected(body: Body) -> Result<Vec<u8>, Fault> {
    let collected = body.collect().await.map_err(|error| Fault::Unreachable(error.to_string()))?;
    Ok(collected.to_bytes().to_vec())
}
