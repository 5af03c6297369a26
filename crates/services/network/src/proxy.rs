//! Makes the addresses of Services answer.
//!
//! Every cluster address is made this machine's own by one route, and each port
//! of each Service is a socket here. HTTP finds an endpoint for every request,
//! anything else for every connection. An endpoint that leaves the ready set
//! gets nothing new from that moment on, and [`ServiceProxy::wait_drained`]
//! tells when the last request to a pod is answered.

mod backend;
mod body;
mod http;
mod listeners;
mod port;
mod sniff;
pub mod stats;
mod tcp;
mod udp;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use delivery::rollout::{Split, TRAFFIC};
use sandbox::netlink::{self, Cidr};
use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use workload::{
    Key,
    endpoints::{EndpointSlice, Service, ServicePort},
};

use self::{
    backend::Backend,
    listeners::{Listeners, Place},
    port::{Affinity, Port, PortId, Transport},
    stats::ServiceStats,
};
use crate::directory::Directory;

/// What the proxy must be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the addresses of Services come from.
    pub service_cidr: Cidr,
    pub local_route: LocalRoute,
    /// Where node ports listen.
    pub node_addresses: Vec<IpAddr>,
    /// Addresses of Services that somebody else answers on, such as the DNS server's.
    pub reserved: Vec<Ipv4Addr>,
}

/// Whether the range must be made this machine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalRoute {
    /// Needs the right to change routes.
    Add,
    /// The range is local as it is, such as part of 127.0.0.0/8.
    Present,
}

/// Why the proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("no local route for `{cidr}`")]
    Route {
        cidr: Cidr,
        #[source]
        cause: io::Error,
    },
}

/// Whether a pod is free of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    Yes,
    /// Some request was still under way when patience ended.
    NotYet,
}

/// The running proxy; it ends when dropped or stopped.
pub struct ServiceProxy {
    table: Arc<Table>,
    directory: Arc<Directory>,
    config: Config,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl ServiceProxy {
    /// Starts to follow the API server. Needs a tokio runtime.
    pub fn start(client: kube::Client, config: Config) -> Result<Self, StartError> {
        let proxy = Self::new(config)?;
        let (directory, table) = (Arc::clone(&proxy.directory), Arc::clone(&proxy.table));
        let ended = proxy.stop.clone();
        proxy.tasks.spawn(async move {
            let follow = directory.follow(client, move |directory, key| table.apply(directory, key));
            tokio::select! {
                () = follow => {}
                () = ended.cancelled() => {}
            }
        });
        Ok(proxy)
    }

    /// A proxy that knows of no Service yet.
    fn new(config: Config) -> Result<Self, StartError> {
        if config.local_route == LocalRoute::Add {
            let cidr = config.service_cidr;
            netlink::add_local_route(cidr).map_err(|cause| StartError::Route { cidr, cause })?;
        }
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let listeners = Listeners::new(tasks.clone(), stop.clone());
        let table = Arc::new(Table {
            config: config.clone(),
            progress: Arc::default(),
            state: Mutex::new(State { ports: BTreeMap::new(), leaving: Vec::new(), listeners }),
        });
        let directory = Arc::new(Directory::default());
        Ok(Self { table, directory, config, tasks, stop })
    }

    /// Waits until the Services that existed at the start are known.
    pub async fn ready(&self) {
        self.directory.complete().await;
    }

    /// What was counted since the start, by Service and port.
    pub fn stats(&self) -> Vec<ServiceStats> {
        self.table.state().ports.values().map(|port| port.stats()).collect()
    }

    /// Whether the proxy sends nothing new to a pod and has all its answers.
    pub fn drained(&self, pod: IpAddr) -> bool {
        self.table.drained(pod)
    }

    /// Waits until [`ServiceProxy::drained`], at most for `patience`.
    pub async fn wait_drained(&self, pod: IpAddr, patience: Duration) -> Drained {
        let drained = async {
            loop {
                let mut progress = std::pin::pin!(self.table.progress.notified());
                progress.as_mut().enable();
                if self.table.drained(pod) {
                    return;
                }
                progress.await;
            }
        };
        match timeout(patience, drained).await {
            Ok(()) => Drained::Yes,
            Err(_) => Drained::NotYet,
        }
    }

    /// Closes all sockets, lets answers that are under way finish for at most `patience`, and takes the route away.
    pub async fn stop(self, patience: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::debug!("connections through the proxy were cut off");
        }
        if self.config.local_route == LocalRoute::Add
            && let Err(error) = netlink::delete_local_route(self.config.service_cidr)
        {
            tracing::warn!(%error, "the local route of the service addresses stays");
        }
    }
}

impl Drop for ServiceProxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// All ports of all Services.
struct Table {
    config: Config,
    /// Told whenever an endpoint left or a leaving one became free.
    progress: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    ports: BTreeMap<PortId, Arc<Port>>,
    /// Endpoints that left with requests under way.
    leaving: Vec<Arc<Backend>>,
    listeners: Listeners,
}

impl Table {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drained(&self, pod: IpAddr) -> bool {
        let state = self.state();
        let used = state.ports.values().any(|port| port.uses(pod));
        let busy = state.leaving.iter().any(|backend| backend.address.ip() == pod && backend.in_flight() > 0);
        !used && !busy
    }

    /// Brings one Service's sockets and endpoints in line with what the directory says.
    fn apply(&self, directory: &Directory, key: &Key) {
        let service = directory.service(key).filter(|service| !service.metadata.is_going());
        let slices = directory.slices_of(key);
        let mut state = self.state();
        let mut wanted_ports = Vec::new();
        let mut wanted_places = BTreeMap::new();
        for (service, port) in service.iter().flat_map(|service| service.spec.ports.iter().map(move |port| (service, port))) {
            let Some(transport) = transport(&port.protocol) else { continue };
            let places = self.places(service, port, transport);
            if places.is_empty() {
                continue;
            }
            let id = PortId { service: key.clone(), port: port.port, transport };
            let progress = Arc::clone(&self.progress);
            let entry = state.ports.entry(id.clone()).or_insert_with(|| Arc::new(Port::new(id.clone(), progress)));
            let entry = Arc::clone(entry);
            let affinity = if service.spec.session_affinity == "ClientIP" { Affinity::ClientIp } else { Affinity::None };
            let left = entry.set_ready(&ready(port, transport, &slices), affinity, split(service));
            state.leaving.extend(left);
            wanted_places.extend(places.into_iter().map(|place| (place, Arc::clone(&entry))));
            wanted_ports.push(id);
        }
        let gone: Vec<PortId> =
            state.ports.keys().filter(|id| id.service == *key && !wanted_ports.contains(id)).cloned().collect();
        for id in gone {
            let left = state.ports.remove(&id).map(|port| port.set_ready(&[], Affinity::None, None));
            state.leaving.extend(left.into_iter().flatten());
        }
        state.leaving.retain(|backend| backend.in_flight() > 0);
        state.listeners.set(&wanted_places, key);
        drop(state);
        self.progress.notify_waiters();
    }

    /// Where a port of a Service listens.
    fn places(&self, service: &Service, port: &ServicePort, transport: Transport) -> Vec<Place> {
        let Ok(address) = service.spec.cluster_ip.parse::<Ipv4Addr>() else { return Vec::new() };
        if service.spec.kind == "ExternalName" || self.config.reserved.contains(&address) {
            return Vec::new();
        }
        let own = self.config.service_cidr.contains(address).then_some((IpAddr::V4(address), port.port, transport));
        let node_port = (port.node_port > 0).then_some(port.node_port);
        let nodes = node_port.into_iter().flat_map(|number| {
            self.config.node_addresses.iter().map(move |address| (*address, number, transport))
        });
        own.into_iter().chain(nodes).collect()
    }
}

/// How the requests to a Service are to be divided, if they are.
fn split(service: &Service) -> Option<Split> {
    let said = service.metadata.annotations.get(TRAFFIC)?;
    match said.parse() {
        Ok(split) => Some(split),
        Err(error) => {
            tracing::warn!(%error, service = %service.metadata.key(), "requests are not divided");
            None
        }
    }
}

fn transport(protocol: &str) -> Option<Transport> {
    match protocol {
        "" | "TCP" => Some(Transport::Tcp),
        "UDP" => Some(Transport::Udp),
        _ => None,
    }
}

/// The ready endpoints of a port, in a fixed order.
fn ready(port: &ServicePort, wanted: Transport, slices: &[Arc<EndpointSlice>]) -> Vec<port::Place> {
    let mut places = Vec::new();
    for slice in slices {
        let named = slice.ports.iter().find(|it| it.name == port.name && transport(&it.protocol) == Some(wanted));
        let Some(target) = named else { continue };
        for endpoint in slice.endpoints.iter().filter(|endpoint| endpoint.is_ready()) {
            let Some(address) = endpoint.addresses.first().and_then(|it| it.parse::<IpAddr>().ok()) else { continue };
            let reference = endpoint.target_ref.as_ref();
            places.push(port::Place {
                address: SocketAddr::new(address, target.port),
                uid: reference.map_or_else(String::new, |pod| pod.uid.clone()),
                pod: reference.map_or_else(String::new, |pod| pod.name.clone()),
            });
        }
    }
    places.sort();
    places.dedup();
    places
}

#[cfg(test)]
mod tests;
