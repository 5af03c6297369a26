//! The embedded cluster: API server, controllers, node, service proxy and names.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use cluster::Cluster;
use identity::Tokens;
use network::{Dns, DnsConfig, LocalRoute, ServiceProxy};
use node::Node;
use sandbox::Local;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::data::{DataFolder, NetworkSettings};

use super::{authority::Authority, service_tokens::ServiceTokens};

/// The name of the one node.
const NODE: &str = "landfall";

const CLUSTER_DOMAIN: &str = "cluster.local";

/// A pod that is asked to end is out of use within this time.
const DRAIN: Duration = Duration::from_secs(2);

/// Requests through the proxy may end within this time after a stop.
const FAREWELL: Duration = Duration::from_millis(200);

/// The parts of the cluster that must be stopped in order.
pub struct Embedded {
    cluster: Cluster,
    node: Option<Node>,
    proxy: Option<Arc<ServiceProxy>>,
    dns: Option<Dns>,
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

        let proxy_config = network::Config {
            service_cidr: network.services.parse()?,
            local_route: LocalRoute::Add,
            node_addresses: vec![IpAddr::from([127, 0, 0, 1])],
            reserved: vec![network.dns],
        };
        let proxy = ServiceProxy::start(cluster.client("service-proxy"), proxy_config)
            .context("the addresses of Services cannot be served; the embedded cluster needs root")?;
        let proxy = Arc::new(proxy);
        let dns_config = DnsConfig::new(SocketAddr::from((network.dns, 53)), CLUSTER_DOMAIN);
        let dns = Dns::start(cluster.client("dns"), dns_config).await.context("the cluster's names cannot be served")?;

        let drained = proxy.clone();
        let node_config = node::Config {
            name: NODE.to_owned(),
            pod_cidr: network.pods.clone(),
            bridge: network.bridge.clone(),
            dns: Some(network.dns.into()),
            cluster_domain: CLUSTER_DOMAIN.to_owned(),
            state: data.join("node"),
            api_address: SocketAddr::from((network.api, 443)),
            drain: Some(Arc::new(move |pod| {
                let proxy = drained.clone();
                Box::pin(async move {
                    // What is still under way then gets its grace period from the pod itself.
                    let _ = proxy.wait_drained(pod, DRAIN).await;
                })
            })),
            labels: BTreeMap::new(),
        };
        let (sandbox, networks) = (Arc::new(sandbox.clone()), Arc::new(sandbox.clone()));
        let node = Node::start(node_config, cluster.client("node"), sandbox, networks, images.clone()).await?;
        // Set once, here.
        let _ = kubelet.set(node.router());
        Ok(Self { cluster, node: Some(node), proxy: Some(proxy), dns: Some(dns) })
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
        if let Some(node) = self.node.take()
            && let Err(error) = node.purge().await
        {
            tracing::error!(%error, "pods could not be removed");
        }
        self.cluster.stop();
        if let Some(dns) = self.dns.take() {
            dns.stop().await;
        }
        // The node held the proxy, too, and is gone.
        if let Some(proxy) = self.proxy.take().and_then(Arc::into_inner) {
            proxy.stop(FAREWELL).await;
        }
    }
}
