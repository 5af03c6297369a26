//! An installation of its own for the demo, used as any user would: by command and by HTTP.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use anyhow::{Context as _, bail};
use delivery::Thread;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::process::Command;

/// A server on a data folder of its own.
#[derive(Clone)]
pub struct Installation {
    program: PathBuf,
    data: PathBuf,
    status: Status,
    http: reqwest::Client,
}

/// What `landfall status --output json` tells.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    pub git_url: String,
    pub registry: String,
    pub web_url: String,
    #[serde(default)]
    pub login_url: Option<String>,
    pub kubeconfig: PathBuf,
}

/// A commit's thread as the API tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Told {
    pub thread: Thread,
    pub outcome: delivery::Outcome,
    pub lines: Vec<String>,
}

impl Installation {
    /// Runs `landfall up --detach` on `data`.
    pub async fn start(data: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own file cannot be found")?;
        succeeded(&landfall(&program, data, &["up", "--detach"]).await?).context("the server does not start")?;
        let told = landfall(&program, data, &["status", "--output", "json"]).await?;
        let told = succeeded(&told).context("the server's addresses cannot be learned")?;
        let status = serde_json::from_str(&told).context("what `landfall status` tells is not readable")?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { program, data: data.to_owned(), status, http })
    }

    /// Stops whatever runs on `data` and deletes it.
    pub async fn remove(data: &Path) -> anyhow::Result<()> {
        if !data.exists() {
            return Ok(());
        }
        let program = std::env::current_exe()?;
        succeeded(&landfall(&program, data, &["down", "--purge", "--yes"]).await?)?;
        Ok(())
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs a command of this program on the installation, whatever its exit code.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        landfall(&self.program, &self.data, arguments).await
    }

    /// What is known of a commit.
    pub async fn thread(&self, project: &str, commit: &str) -> anyhow::Result<Told> {
        self.get(&format!("threads/{commit}?project={project}")).await
    }

    /// An answer of the API, as it comes.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}/landfall/v1/{path}", self.status.web_url.trim_end_matches('/'));
        let answer = self.http.get(&url).bearer_auth(self.token()?).send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if !status.is_success() {
            bail!("GET {url} answers {status}: {}", body.trim());
        }
        serde_json::from_str(&body).with_context(|| format!("what GET {url} answers is not readable"))
    }

    /// The access token, which stands in the address to push to.
    fn token(&self) -> anyhow::Result<&str> {
        let (user, _) = self.status.git_url.split_once('@').context("`git_url` holds no token")?;
        let (_, token) = user.rsplit_once(':').context("`git_url` holds no token")?;
        Ok(token)
    }

    /// A client of the embedded cluster, from the printed kubeconfig.
    pub async fn cluster(&self) -> anyhow::Result<Cluster> {
        let kubeconfig = kube::config::Kubeconfig::read_from(&self.status.kubeconfig)?;
        let options = kube::config::KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        // The cluster is on this machine, whatever proxy the user has.
        config.proxy_url = None;
        Ok(Cluster { client: kube::Client::try_from(config)? })
    }
}

/// The Kubernetes API of the installation.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
}

impl Cluster {
    /// The answer to a GET of a path such as `/api/v1/namespaces/shop/pods`; `None` if nothing is there.
    pub async fn get(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let request = http::Request::get(path).body(Vec::new())?;
        match self.client.request::<Value>(request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error).with_context(|| format!("the cluster does not answer GET {path}")),
        }
    }
}

async fn landfall(program: &Path, data: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(program);
    command.arg("--data").arg(data).args(arguments).stdin(Stdio::null());
    // Ctrl-C is for the demo, which then ends everything in order.
    command.process_group(0);
    let output = command.output().await;
    output.with_context(|| format!("`landfall {}` cannot be started", arguments.join(" ")))
}

/// The output of a command that must succeed.
fn succeeded(output: &Output) -> anyhow::Result<String> {
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("{}\n{}", output.status, told.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
