//! What makes this machine a node: pods, the addresses of Services, and the cluster's names.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use network::{Dns, DnsConfig, LocalRoute, ServiceProxy};
use node::Node;
use sandbox::Local;

use super::counters;
use crate::data::{DataFolder, NetworkSettings};

pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// A pod that is asked to end is out of use within this time.
const DRAIN: Duration = Duration::from_secs(2);

/// Requests through the proxy may end within this time after a stop.
const FAREWELL: Duration = Duration::from_millis(200);

/// The parts of the machine's membership in a cluster, embedded or not.
pub struct Member {
    node: Option<Node>,
    proxy: Option<Arc<ServiceProxy>>,
    dns: Option<Dns>,
}

/// What a member is made with.
pub struct Membership<'a> {
    /// The name of the node.
    pub name: &'a str,
    /// The node's own address; that of its bridge if there is none.
    pub address: Option<IpAddr>,
    /// Where API servers reach the kubelet's part, if over the network.
    pub kubelet_port: Option<u16>,
    pub data: &'a DataFolder,
    pub network: &'a NetworkSettings,
    pub sandbox: &'a Local,
    pub images: &'a Arc<oci::Images>,
}

impl Member {
    /// Starts all parts, each with a client of its own; returns when pods can run.
    pub async fn start(membership: Membership<'_>, client: impl Fn(&str) -> kube::Client) -> anyhow::Result<Self> {
        let Membership { name, address, kubelet_port, data, network, sandbox, images } = membership;
        let proxy_config = network::Config {
            service_cidr: network.services.parse()?,
            local_route: LocalRoute::Add,
            node_addresses: vec![IpAddr::from([127, 0, 0, 1])],
            reserved: vec![network.dns],
        };
        let proxy = ServiceProxy::start(client("service-proxy"), proxy_config)
            .context("the addresses of Services cannot be served; running pods needs root")?;
        let proxy = Arc::new(proxy);
        let dns_config = DnsConfig::new(SocketAddr::from((network.dns, 53)), CLUSTER_DOMAIN);
        let dns = Dns::start(client("dns"), dns_config).await.context("the cluster's names cannot be served")?;

        let drained = proxy.clone();
        let node_config = node::Config {
            name: name.to_owned(),
            pod_cidr: network.pods.clone(),
            bridge: network.bridge.clone(),
            dns: Some(network.dns.into()),
            cluster_domain: CLUSTER_DOMAIN.to_owned(),
            state: data.join("node"),
            api_address: SocketAddr::from((network.api, 443)),
            address,
            kubelet_port,
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
        let node = Node::start(node_config, client("node"), sandbox, networks, images.clone()).await?;
        Ok(Self { node: Some(node), proxy: Some(proxy), dns: Some(dns) })
    }

    /// What the proxy counted of the pods of a Deployment; nothing once it is stopped.
    pub fn counters(&self) -> Option<gitops::Counters> {
        self.proxy.as_ref().map(counters::of)
    }

    /// The kubelet's paths; whoever serves them has authorised the request.
    pub fn kubelet(&self) -> Option<Router> {
        self.node.as_ref().map(Node::router)
    }

    /// Stops looking after pods and removes them from the machine.
    pub async fn end_pods(&mut self) {
        if let Some(node) = self.node.take()
            && let Err(error) = node.purge().await
        {
            tracing::error!(%error, "pods could not be removed");
        }
    }

    /// Ends the names and the addresses; pods come first.
    pub async fn end_network(&mut self) {
        if let Some(dns) = self.dns.take() {
            dns.stop().await;
        }
        // The node held the proxy, too, and is gone.
        if let Some(proxy) = self.proxy.take().and_then(Arc::into_inner) {
            proxy.stop(FAREWELL).await;
        }
    }
}
