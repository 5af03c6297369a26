//! One port of a Service: the ready endpoints, and whose turn it is.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;
use workload::Key;

use super::{
    backend::{Backend, Lease},
    stats::{Counts, EndpointStats, ServiceStats},
};

/// Which port of which Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId {
    pub service: Key,
    pub port: u16,
    pub transport: Transport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    Tcp,
    Udp,
}

/// An endpoint as the slices name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub address: SocketAddr,
    pub uid: String,
    pub pod: String,
}

#[derive(Debug)]
pub struct Port {
    pub id: PortId,
    pub counts: Counts,
    ready: Mutex<Vec<Arc<Backend>>>,
    turn: AtomicUsize,
    sticky: AtomicBool,
    progress: Arc<Notify>,
    /// Told when endpoints came.
    came: Notify,
}

/// Whether a client stays with its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    None,
    ClientIp,
}

impl Port {
    pub fn new(id: PortId, progress: Arc<Notify>) -> Self {
        Self {
            id,
            counts: Counts::default(),
            ready: Mutex::default(),
            turn: AtomicUsize::new(0),
            sticky: AtomicBool::new(false),
            progress,
            came: Notify::new(),
        }
    }

    /// Replaces the ready set; hands back those that left it and still have work.
    pub fn set_ready(&self, wanted: &[Place], affinity: Affinity) -> Vec<Arc<Backend>> {
        self.sticky.store(affinity == Affinity::ClientIp, Relaxed);
        let mut ready = self.ready();
        let is = |backend: &Backend, place: &Place| backend.address == place.address && backend.uid == place.uid;
        let (mut kept, left): (Vec<_>, Vec<_>) =
            ready.drain(..).partition(|backend: &Arc<Backend>| wanted.iter().any(|place| is(backend, place)));
        for place in wanted {
            if !kept.iter().any(|backend| is(backend, place)) {
                let backend = Backend::new(place.address, &place.uid, &place.pod, Arc::clone(&self.progress));
                kept.push(Arc::new(backend));
            }
        }
        if !kept.is_empty() {
            self.came.notify_waiters();
        }
        *ready = kept;
        left.iter().for_each(|backend| backend.leave());
        left
    }

    /// Chooses an endpoint for a request: the next in turn with the least to do,
    /// or with affinity always the same one for a client. `tried` come last in line.
    pub fn pick(&self, client: IpAddr, tried: &[SocketAddr]) -> Option<Lease> {
        let ready = self.ready();
        let untried = || ready.iter().filter(|backend| !tried.contains(&backend.address));
        if self.sticky.load(Relaxed) {
            return untried().max_by_key(|backend| affinity(client, backend)).map(|backend| backend.lease());
        }
        let start = self.turn.fetch_add(1, Relaxed);
        let count = ready.len();
        let place_of = |index: usize| (index + count - start % count) % count;
        let best = ready
            .iter()
            .enumerate()
            .filter(|(_, backend)| !tried.contains(&backend.address))
            .min_by_key(|(index, backend)| (backend.in_flight(), place_of(*index)));
        best.map(|(_, backend)| backend.lease())
    }

    pub fn has_endpoints(&self) -> bool {
        !self.ready().is_empty()
    }

    /// Waits until there is an endpoint.
    pub async fn occupied(&self) {
        loop {
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            if self.has_endpoints() {
                return;
            }
            came.await;
        }
    }

    pub fn uses(&self, address: IpAddr) -> bool {
        self.ready().iter().any(|backend| backend.address.ip() == address)
    }

    pub fn stats(&self) -> ServiceStats {
        let ready = self.ready();
        let mut endpoints: Vec<EndpointStats> = ready
            .iter()
            .map(|backend| EndpointStats {
                address: backend.address,
                pod: backend.pod.clone(),
                tally: backend.counts.tally(backend.in_flight()),
            })
            .collect();
        endpoints.sort_by_key(|endpoint| endpoint.address);
        ServiceStats {
            namespace: self.id.service.namespace.clone(),
            service: self.id.service.name.clone(),
            port: self.id.port,
            total: self.counts.tally(endpoints.iter().map(|endpoint| endpoint.tally.in_flight).sum()),
            endpoints,
        }
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Arc<Backend>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of all endpoints the one with the highest value is a client's own; losing another one does not move it.
fn affinity(client: IpAddr, backend: &Backend) -> u64 {
    let mut hasher = DefaultHasher::new();
    (client, backend.address).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_endpoints_take_turns_and_busy_ones_wait() {
        let port = port("a b c", Affinity::None);
        let client = IpAddr::from([127, 0, 0, 1]);
        let next = || port.pick(client, &[]).map(|lease| lease.pod.clone());
        assert_eq!([next(), next(), next(), next()].map(Option::unwrap_or_default), ["a", "b", "c", "a"]);
        let busy: Vec<Lease> = (0..2).filter_map(|_| port.pick(client, &[])).collect();
        let free = next();
        assert!(busy.iter().all(|lease| Some(&lease.pod) != free.as_ref()));
    }

    #[test]
    fn sticky_clients_keep_their_endpoint() {
        let port = port("a b c", Affinity::ClientIp);
        let pick = |last: u8| port.pick(IpAddr::from([10, 0, 0, last]), &[]).map(|lease| lease.pod.clone());
        assert!((0..50).all(|last| pick(last) == pick(last)));
    }

    #[test]
    fn who_left_gets_nothing_new() {
        let port = port("a", Affinity::None);
        let client = IpAddr::from([127, 0, 0, 1]);
        let lease = port.pick(client, &[]).expect("an endpoint");
        let left = port.set_ready(&[], Affinity::None);
        assert_eq!((left.len(), left[0].in_flight(), port.pick(client, &[]).is_none()), (1, 1, true));
        drop(lease);
        assert_eq!(left[0].in_flight(), 0);
    }

    fn port(pods: &str, affinity: Affinity) -> Port {
        let id = PortId { service: Key::new("n", "web"), port: 80, transport: Transport::Tcp };
        let port = Port::new(id, Arc::default());
        let place = |(index, pod): (usize, &str)| Place {
            address: SocketAddr::from(([127, 0, 0, 1], u16::try_from(index).unwrap_or(0) + 1)),
            uid: pod.to_owned(),
            pod: pod.to_owned(),
        };
        let places: Vec<Place> = pods.split(' ').enumerate().map(place).collect();
        port.set_ready(&places, affinity);
        port
    }
}
