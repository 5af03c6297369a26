//! One node: started, asked over HTTP, stopped.

use std::{fs, io, os::unix::fs::PermissionsExt as _, sync::Arc};

use oci::Images;
use sandbox::{PodNetworks, Sandbox};
use tokio::task::JoinSet;

use crate::{
    addresses::{Addresses, ParseRangeError, Range},
    agent::Agent,
    api::Requests,
    context::{Config, Context, Parts},
    dns::Resolver,
    ending,
    events::Recorder,
    folders::Folders,
    kubelet,
    register::{Machine, Registration},
};

/// A node that runs pods until it is stopped or dropped; what runs then goes on running.
pub struct Node {
    context: Arc<Context>,
    tasks: JoinSet<()>,
}

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Range(#[from] ParseRangeError),
    #[error("the node's folder `{path}` cannot be used: {source}")]
    Folder { path: String, source: io::Error },
    #[error("the node could not be registered: {0}")]
    Register(#[source] kube::Error),
    #[error("the sandboxes could not be listed: {0}")]
    Sandbox(#[from] sandbox::Error),
}

impl Node {
    /// Registers the node and takes over what an earlier life of it left running.
    pub async fn start(
        config: Config,
        client: kube::Client,
        sandbox: Arc<dyn Sandbox>,
        networks: Arc<dyn PodNetworks>,
        images: Arc<Images>,
    ) -> Result<Self, StartError> {
        let range: Range = config.pod_cidr.parse()?;
        let folders = Folders::new(config.state.clone());
        let addresses = open_folders(&folders, range).map_err(|source| StartError::Folder {
            path: folders.root().display().to_string(),
            source,
        })?;
        let requests = Requests::new(client);
        let machine = Machine::observe(folders.root());
        let registration = Registration {
            requests: requests.clone(),
            config: config.clone(),
            address: config.address.unwrap_or(range.gateway().into()),
            machine: machine.clone(),
        };
        registration
            .register()
            .await
            .map_err(StartError::Register)?;
        let resolver = Resolver {
            cluster_dns: config.dns,
            cluster_domain: config.cluster_domain.clone(),
            host: fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        };
        let parts = Parts {
            recorder: Recorder::start(requests.clone(), config.name.clone()),
            requests,
            sandbox,
            networks,
            images,
            addresses,
            folders,
            resolver,
            allocatable: machine.resources(),
            node_memory: machine.memory_bytes,
        };
        let context = Arc::new(Context::new(config, parts));
        let agent = Agent::new(context.clone()).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(agent.run());
        tasks.spawn(async move { registration.keep().await });
        Ok(Self { context, tasks })
    }

    /// The kubelet's HTTP paths for logs, `exec` and `attach`; whoever serves them has authorised the request.
    pub fn router(&self) -> axum::Router {
        kubelet::router(self.context.clone())
    }

    /// Stops looking after pods; what runs goes on running.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// Stops looking after pods and removes everything of theirs from the machine.
    pub async fn purge(mut self) -> Result<(), sandbox::Error> {
        self.tasks.shutdown().await;
        for uid in Agent::new(self.context.clone()).await?.leftovers() {
            if let Err(problem) = ending::clean_up(&self.context, &uid).await {
                tracing::warn!(uid, message = %problem.message, "a pod could not be removed");
            }
        }
        Ok(())
    }
}

/// Only root may look into volumes and scratch files from outside.
fn open_folders(folders: &Folders, range: Range) -> io::Result<Addresses> {
    fs::create_dir_all(folders.pods())?;
    fs::set_permissions(folders.root(), fs::Permissions::from_mode(0o700))?;
    // What an interrupted clean-up left behind.
    let _ = fs::remove_dir_all(folders.trash());
    Addresses::open(range, folders.addresses())
}
