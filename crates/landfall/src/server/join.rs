//! An existing cluster, and this machine as one more node of it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use sandbox::{Local, netlink::Cidr};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    kubelet,
    member::{Member, Membership},
};
use crate::data::{DataFolder, NetworkSettings};

/// Where a kubelet is usually reached.
const KUBELET_PORT: u16 = 10250;

/// By convention the names of a cluster are served here, counted from the start of the Services' range.
const DNS_OFFSET: u32 = 10;

/// A cluster that is there already.
pub struct Existing {
    pub client: kube::Client,
    pub name: String,
    server: http::Uri,
}

/// The addresses that belong to the cluster as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges {
    pub services: Cidr,
    pub dns: Ipv4Addr,
    pub api: Ipv4Addr,
}

impl Existing {
    /// Reads the kubeconfig and asks the cluster for its version.
    pub async fn connect(file: &Path, context: Option<&str>) -> anyhow::Result<Self> {
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let read = Kubeconfig::read_from(file).with_context(|| format!("the kubeconfig `{}` cannot be read", file.display()))?;
        let config = kube::Config::from_custom_kubeconfig(read, &options)
            .await
            .with_context(|| format!("the kubeconfig `{}` names no usable cluster", file.display()))?;
        let server = config.cluster_url.clone();
        let client = kube::Client::try_from(config)?;
        client.apiserver_version().await.context("the cluster does not answer")?;
        let name = format!("{} ({})", file.display(), context.unwrap_or("its current context"));
        Ok(Self { client, name, server })
    }

    /// Asks for what a node must know.
    pub async fn ranges(&self) -> anyhow::Result<Ranges> {
        let services = self.get("/apis/networking.k8s.io/v1/servicecidrs/kubernetes").await?;
        let services = services.as_ref().and_then(ipv4_range).context(
            "the cluster does not tell its range of IPv4 addresses for Services; to run pods here it must serve ServiceCIDR objects (Kubernetes 1.33 or newer)",
        )?;
        let address_of = |service: Option<Value>| service?.pointer("/spec/clusterIP")?.as_str()?.parse::<Ipv4Addr>().ok();
        let api = address_of(self.get("/api/v1/namespaces/default/services/kubernetes").await?)
            .context("the cluster has no Service `kubernetes` in the namespace `default`")?;
        let dns = address_of(self.get("/api/v1/namespaces/kube-system/services/kube-dns").await?);
        let dns = dns.unwrap_or(Ipv4Addr::from(u32::from(services.address) + DNS_OFFSET));
        Ok(Ranges { services, dns, api })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let request = http::Request::get(path).body(Vec::new())?;
        match self.client.request::<Value>(request).await {
            Ok(found) => Ok(Some(found)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error).with_context(|| format!("the cluster does not tell `{path}`")),
        }
    }

    /// The address of this machine on the way to the API server.
    async fn own_address(&self) -> anyhow::Result<IpAddr> {
        let host = self.server.host().context("the kubeconfig names no server")?.trim_matches(['[', ']']);
        let port = self.server.port_u16().unwrap_or(443);
        let server = tokio::net::lookup_host((host, port)).await?.next().context("the API server has no address")?;
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        // Nothing is sent; only the route is looked up.
        let socket = std::net::UdpSocket::bind((any, 0))?;
        socket.connect(server)?;
        Ok(socket.local_addr()?.ip())
    }
}

fn ipv4_range(object: &Value) -> Option<Cidr> {
    let ranges = object.pointer("/spec/cidrs")?.as_array()?;
    ranges.iter().find_map(|range| range.as_str()?.parse().ok())
}

/// This machine as a node of an existing cluster.
pub struct Joined {
    member: Member,
}

/// What a node of an existing cluster is made with.
pub struct Joining<'a> {
    pub name: &'a str,
    pub data: &'a DataFolder,
    pub network: &'a NetworkSettings,
    pub sandbox: &'a Local,
    pub images: &'a Arc<oci::Images>,
}

impl Joined {
    /// Starts all parts; returns when the node is registered and pods can run.
    pub async fn start(
        existing: &Existing,
        joining: Joining<'_>,
        tasks: &mut JoinSet<anyhow::Result<()>>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let Joining { name, data, network, sandbox, images } = joining;
        let address = existing.own_address().await.context("the way to the API server is not known")?;
        let listener = match TcpListener::bind((address, KUBELET_PORT)).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind(SocketAddr::new(address, 0)).await.context("no port is left for the kubelet's paths")?,
        };
        let kubelet_port = Some(listener.local_addr()?.port());
        let membership = Membership { name, address: Some(address), kubelet_port, data, network, sandbox, images };
        let member = Member::start(membership, |_| existing.client.clone()).await?;
        let router = member.kubelet().context("a node that just started has its paths")?;
        tasks.spawn(kubelet::serve(listener, name.to_owned(), router, existing.client.clone(), stop.clone()));
        Ok(Self { member })
    }

    /// What the proxy counts.
    pub fn counters(&self) -> Option<gitops::Counters> {
        self.member.counters()
    }

    /// Ends the pods, then the parts that served them.
    pub async fn shut_down(&mut self) {
        self.member.end_pods().await;
        self.member.end_network().await;
    }
}

/// The addresses that a start found must be those that were settled at the first one.
pub fn check(network: &NetworkSettings, ranges: &Ranges) -> anyhow::Result<()> {
    if network.services == ranges.services.to_string() && network.api == ranges.api {
        return Ok(());
    }
    bail!(
        "this data folder belongs to a cluster whose Services are at {}, and those of the cluster to join are at {}; choose another folder with --data DIR",
        network.services,
        ranges.services
    )
}
