//! What all parts of one node share.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use futures_util::future::BoxFuture;
use oci::Images;
use sandbox::{PodNetworks, Sandbox};
use tokio::sync::watch;

use crate::{
    addresses::Addresses, api::Requests, dns::Resolver, events::Recorder, folders::Folders,
    pod::Pod, seen::Seen,
};

/// Takes a pod out of service: awaited, for at most [`LONGEST_DRAIN`], before its containers are asked to end.
///
/// [`LONGEST_DRAIN`]: crate::LONGEST_DRAIN
pub type Drain = Arc<dyn Fn(IpAddr) -> BoxFuture<'static, ()> + Send + Sync>;

/// What a node is told about itself and its cluster.
#[derive(Clone)]
pub struct Config {
    pub name: String,
    /// The range of its pods' addresses, such as `10.42.0.0/24`.
    pub pod_cidr: String,
    /// The link that connects its pods; at most 15 bytes.
    pub bridge: String,
    /// The cluster's DNS server.
    pub dns: Option<IpAddr>,
    /// Such as `cluster.local`.
    pub cluster_domain: String,
    /// The folder for volumes, scratch files and addresses; the node's own.
    pub state: PathBuf,
    /// Where pods reach the API, as `KUBERNETES_SERVICE_HOST` and `_PORT`.
    pub api_address: SocketAddr,
    /// The node's own address; that of its bridge if there is none.
    pub address: Option<IpAddr>,
    /// Where [`Node::router`](crate::Node::router) is served to API servers on other machines.
    pub kubelet_port: Option<u16>,
    pub drain: Option<Drain>,
    /// Further labels of the Node object.
    pub labels: BTreeMap<String, String>,
}

/// Shared by the workers, the watches and the HTTP handlers of one node.
pub struct Context {
    pub config: Config,
    pub requests: Requests,
    pub sandbox: Arc<dyn Sandbox>,
    pub networks: Arc<dyn PodNetworks>,
    pub images: Arc<Images>,
    pub recorder: Recorder,
    pub addresses: Addresses,
    pub folders: Folders,
    pub resolver: Resolver,
    /// The node's address.
    pub host_ip: IpAddr,
    pub allocatable: BTreeMap<String, String>,
    pub node_memory: u64,
    pods: RwLock<HashMap<(String, String), Known>>,
}

/// The parts that [`Context::new`] puts together.
pub struct Parts {
    pub requests: Requests,
    pub sandbox: Arc<dyn Sandbox>,
    pub networks: Arc<dyn PodNetworks>,
    pub images: Arc<Images>,
    pub recorder: Recorder,
    pub addresses: Addresses,
    pub folders: Folders,
    pub resolver: Resolver,
    pub allocatable: BTreeMap<String, String>,
    pub node_memory: u64,
}

/// A pod as the HTTP handlers find it.
#[derive(Clone)]
pub struct Known {
    pub pod: Arc<Pod>,
    pub seen: watch::Receiver<Seen>,
}

impl Context {
    pub fn new(config: Config, parts: Parts) -> Self {
        let bridge = IpAddr::V4(parts.addresses.range().gateway());
        Self {
            host_ip: config.address.unwrap_or(bridge),
            config,
            requests: parts.requests,
            sandbox: parts.sandbox,
            networks: parts.networks,
            images: parts.images,
            recorder: parts.recorder,
            addresses: parts.addresses,
            folders: parts.folders,
            resolver: parts.resolver,
            allocatable: parts.allocatable,
            node_memory: parts.node_memory,
            pods: RwLock::default(),
        }
    }

    pub fn find(&self, namespace: &str, name: &str) -> Option<Known> {
        let pods = self.pods.read().unwrap_or_else(PoisonError::into_inner);
        pods.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    pub fn show(&self, known: Known) {
        let key = (
            known.pod.metadata.namespace.clone(),
            known.pod.metadata.name.clone(),
        );
        self.pods
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, known);
    }

    /// Hides a pod, unless another one has taken its name.
    pub fn hide(&self, pod: &Pod) {
        let key = (pod.metadata.namespace.clone(), pod.metadata.name.clone());
        let mut pods = self.pods.write().unwrap_or_else(PoisonError::into_inner);
        if pods
            .get(&key)
            .is_some_and(|known| known.pod.metadata.uid == pod.metadata.uid)
        {
            pods.remove(&key);
        }
    }
}
