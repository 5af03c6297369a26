//! The embedded cluster: API server, controllers, node, service proxy and names.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use anyhow::Context as _;
use axum::Router;
use cluster::Cluster;
use identity::Tokens;
use sandbox::Local;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::data::{DataFolder, NetworkSettings};

use super::{
    authority::Authority,
    member::{Member, Membership},
    service_tokens::ServiceTokens,
};

/// The name of the one node.
const NODE: &str = "landfall";

/// The parts of the cluster that must be stopped in order.
pub struct Embedded {
    cluster: Cluster,
    member: Member,
}

/// What the cluster is made with.
pub struct Foundation<'a> {
    pub data: &'a DataFolder,
    pub network: &'a NetworkSettings,
    pub port: u16,
    pub authority: &'a Authority,
    pub tokens: &'a Tokens,
    pub sandbox: &'a Local,
    pub images: &'a Arc<oci::Images>,
}

impl Embedded {
    /// Starts all parts; returns when pods can run.
    pub async fn start(
        foundation: Foundation<'_>,
        tasks: &mut JoinSet<anyhow::Result<()>>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let Foundation { data, network, port, authority, tokens, sandbox, images } = foundation;
        let folder = data.join("cluster");
        std::fs::create_dir_all(&folder)?;
        let kubelet: Arc<OnceLock<Router>> = Arc::default();
        let known = kubelet.clone();
        let config = cluster::Config {
            path: folder.join("objects.db"),
            service_cidr: network.services.parse()?,
            server_address: SocketAddr::from(([127, 0, 0, 1], port)),
            dns_ip: network.dns,
            ca_pem: authority.ca_pem.clone(),
            kubelets: Arc::new(move |name| known.get().filter(|_| name == NODE).cloned()),
            tokens: Arc::new(ServiceTokens(tokens.clone())),
        };
        let opening = tokio::task::spawn_blocking(move || Cluster::open(config));
        let cluster = opening.await?.context("the cluster's objects cannot be opened")?;

        let controllers = workloads::Config::new(authority.ca_pem.clone());
        let (client, stopped) = (cluster.client("controllers"), stop.clone());
        tasks.spawn(async move {
            workloads::run(client, controllers, stopped).await;
            Ok(())
        });

        let membership = Membership { name: NODE, address: None, kubelet_port: None, data, network, sandbox, images };
        let member = Member::start(membership, |component| cluster.client(component)).await?;
        // Set once, here.
        let _ = member.kubelet().map(|router| kubelet.set(router));
        Ok(Self { cluster, member })
    }

    /// What the proxy counts.
    pub fn counters(&self) -> Option<gitops::Counters> {
        self.member.counters()
    }

    pub fn client(&self, component: &str) -> kube::Client {
        self.cluster.client(component)
    }

    /// The API for principals that may administer the cluster.
    pub fn router(&self) -> Router {
        self.cluster.router()
    }

    /// Ends the pods, then the parts that served them.
    pub async fn shut_down(&mut self) {
        self.member.end_pods().await;
        self.cluster.stop();
        self.member.end_network().await;
    }
}
