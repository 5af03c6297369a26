//! The agent: makes the apps of one project follow Git in the cluster it runs in.
//!
//! It dials out to a server, which holds no credential of the cluster. What it is
//! to follow and the project's repository are copied into its own data folder, so
//! healing and going back work while the server is away.

mod link;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use gitops::{Breadth, GitOps, Nodes};
use identity::Seal;
use repo::Repositories;
use store::{Blobs, DiskBlobs, Records, SqliteRecords};
use tokio::{signal::unix, task::JoinSet};

use self::link::Link;
use crate::{data::DataFolder, server};

/// What a person chose at the start.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Where the server is, e.g. `https://landfall.example.org`.
    pub server: reqwest::Url,
    pub token: String,
    /// The server's authority, where its certificate is not of a public one.
    pub authority: Option<PathBuf>,
    /// The cluster; the one that this process runs in, if there is none.
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub breadth: Breadth,
}

/// Works until it is told to stop.
pub async fn run(data: &DataFolder, choice: Choice) -> anyhow::Result<()> {
    let _lock = data.lock()?;
    let records: Arc<dyn Records> =
        Arc::new(SqliteRecords::open(&data.join("records.db")).context("the record store cannot be opened")?);
    let blobs: Arc<dyn Blobs> = Arc::new(DiskBlobs::open(data.join("blobs")).context("the blob store cannot be opened")?);
    let seal = Seal::open(&data.join("seal.key"))?;
    let repositories = Repositories::open(data.join("git"))?;
    let images = oci::Images::open(records.clone(), blobs.clone(), data.join("images"), Vec::new())
        .context("the image store cannot be opened")?;
    let client = cluster(&choice).await?;
    let link = Link::new(&choice, records.clone(), repositories.clone())?;
    let address = link.repository_address();
    let config = gitops::Config {
        mirrors: data.join("mirrors"),
        render_key: server::render_key(&data.join("render.key"))?,
        push_url: Box::new(move |project| address(project)),
        node_registry: None,
        nodes: Nodes::PullThemselves,
        breadth: choice.breadth,
        pace: gitops::Pace::default(),
    };
    let gitops = GitOps::new(config, records, blobs, repositories, Arc::new(images), client, seal)?;

    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let (follower, reporter) = (link.clone(), link);
    tasks.spawn(async move { follower.follow().await });
    tasks.spawn(async move { reporter.report().await });
    tasks.spawn(async move { gitops.run().await.map_err(anyhow::Error::from) });
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        Some(task) = tasks.join_next() => task.context("a part of the agent failed")?,
    }
}

async fn cluster(choice: &Choice) -> anyhow::Result<kube::Client> {
    match &choice.kubeconfig {
        Some(file) => Ok(server::Existing::connect(file, choice.context.as_deref()).await?.client),
        None => {
            let config = kube::Config::incluster()
                .context("this process runs in no pod with a service account; name a cluster with --kubeconfig FILE")?;
            Ok(kube::Client::try_from(config)?)
        }
    }
}
