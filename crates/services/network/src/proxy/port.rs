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

use delivery::rollout::{Split, version_of};

use super::{
    backend::{Backend, Lease},
    stats::{Counts, EndpointStats, ServiceStats, VersionStats},
};

/// Versions that have no pods any more are forgotten beyond this number, the oldest first.
const VERSIONS_KEPT: usize = 8;

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
    ready: Mutex<Ready>,
    turn: AtomicUsize,
    /// Counts what is divided, so that the share is exact and not by chance.
    share: AtomicUsize,
    sticky: AtomicBool,
    progress: Arc<Notify>,
    /// Told when endpoints came.
    came: Notify,
}

/// Who may be chosen, in force from one request to the next.
#[derive(Debug, Default)]
struct Ready {
    backends: Vec<Arc<Backend>>,
    split: Option<Split>,
    /// The oldest first.
    versions: Vec<(String, Arc<Counts>)>,
}

/// The part of the endpoints that a request is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    All,
    /// The Deployment that the split names.
    Named,
    Rest,
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
            share: AtomicUsize::new(0),
            sticky: AtomicBool::new(false),
            progress,
            came: Notify::new(),
        }
    }

    /// Replaces the ready set; hands back those that left it and still have work.
    pub fn set_ready(&self, wanted: &[Place], affinity: Affinity, split: Option<Split>) -> Vec<Arc<Backend>> {
        self.sticky.store(affinity == Affinity::ClientIp, Relaxed);
        let mut ready = self.ready();
        let is = |backend: &Backend, place: &Place| backend.address == place.address && backend.uid == place.uid;
        let (mut kept, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut ready.backends).into_iter().partition(|backend: &Arc<Backend>| wanted.iter().any(|place| is(backend, place)));
        for place in wanted {
            if !kept.iter().any(|backend| is(backend, place)) {
                let version = ready.version(version_of(&place.pod));
                let backend = Backend::new(place.address, &place.uid, &place.pod, version, Arc::clone(&self.progress));
                kept.push(Arc::new(backend));
            }
        }
        if !kept.is_empty() {
            self.came.notify_waiters();
        }
        (ready.backends, ready.split) = (kept, split);
        left.iter().for_each(|backend| backend.leave());
        left
    }

    /// Chooses an endpoint for a request: the next in turn with the least to do,
    /// or with affinity always the same one for a client. `tried` come last in line.
    pub fn pick(&self, client: IpAddr, tried: &[SocketAddr]) -> Option<Lease> {
        let ready = self.ready();
        let sides = match &ready.split {
            None => [Some(Side::All), None],
            Some(split) => self.sides(split, &ready.backends, client, tried),
        };
        sides.into_iter().flatten().find_map(|side| self.pick_of(&ready, side, client, tried))
    }

    /// The side that a request is meant for, then the one that may help out.
    fn sides(&self, split: &Split, backends: &[Arc<Backend>], client: IpAddr, tried: &[SocketAddr]) -> [Option<Side>; 2] {
        let weight = usize::from(split.weight);
        // A request that is tried again stays on its side.
        let before = tried.first().and_then(|address| backends.iter().find(|backend| backend.address == *address));
        let is_named = match before {
            Some(backend) => split.has(&backend.pod),
            None if self.sticky.load(Relaxed) => client_share(client) < weight,
            None => share_of(self.share.fetch_add(1, Relaxed)) < weight,
        };
        match (is_named, weight) {
            // Nobody has said that this side may serve.
            (_, 0) => [Some(Side::Rest), None],
            (true, _) => [Some(Side::Named), Some(Side::Rest)],
            (false, _) => [Some(Side::Rest), Some(Side::Named)],
        }
    }

    fn pick_of(&self, ready: &Ready, side: Side, client: IpAddr, tried: &[SocketAddr]) -> Option<Lease> {
        let is_meant = |backend: &Backend| match (&ready.split, side) {
            (None, _) | (_, Side::All) => true,
            (Some(split), Side::Named) => split.has(&backend.pod),
            (Some(split), Side::Rest) => !split.has(&backend.pod),
        };
        let backends = &ready.backends;
        let untried = |backend: &Arc<Backend>| !tried.contains(&backend.address) && is_meant(backend);
        if self.sticky.load(Relaxed) {
            let own = backends.iter().filter(|it| untried(it)).max_by_key(|backend| affinity(client, backend));
            return own.map(|backend| backend.lease());
        }
        let start = self.turn.fetch_add(1, Relaxed);
        let count = backends.len();
        let place_of = |index: usize| (index + count - start % count) % count;
        let best = backends
            .iter()
            .enumerate()
            .filter(|(_, backend)| untried(backend))
            .min_by_key(|(index, backend)| (backend.in_flight(), place_of(*index)));
        best.map(|(_, backend)| backend.lease())
    }

    pub fn has_endpoints(&self) -> bool {
        !self.ready().backends.is_empty()
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
        self.ready().backends.iter().any(|backend| backend.address.ip() == address)
    }

    pub fn stats(&self) -> ServiceStats {
        let ready = self.ready();
        let in_flight = |version: &Arc<Counts>| {
            let of_it = ready.backends.iter().filter(|backend| Arc::ptr_eq(&backend.version, version));
            of_it.map(|backend| backend.in_flight()).sum::<usize>()
        };
        let versions = ready.versions.iter();
        let versions = versions.map(|(version, counts)| VersionStats { version: version.clone(), tally: counts.tally(in_flight(counts)) }).collect();
        let mut endpoints: Vec<EndpointStats> = ready
            .backends
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
            versions,
        }
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    /// The counters of a version, which stay while its pods come and go.
    fn version(&mut self, name: &str) -> Arc<Counts> {
        if let Some((_, counts)) = self.versions.iter().find(|(it, _)| it == name) {
            return Arc::clone(counts);
        }
        while self.versions.len() >= VERSIONS_KEPT {
            let Some(unused) = self.versions.iter().position(|(_, counts)| Arc::strong_count(counts) == 1) else { break };
            self.versions.remove(unused);
        }
        let counts: Arc<Counts> = Arc::default();
        self.versions.push((name.to_owned(), Arc::clone(&counts)));
        counts
    }
}

/// Which of a hundred shares a request is: each once in a hundred requests, and in no order that
/// a client's own habits could fall in step with.
fn share_of(count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    (count / 100).hash(&mut hasher);
    let start = usize::try_from(hasher.finish() % 100).unwrap_or(0);
    (count % 100 * 37 + start) % 100
}

/// Which of a hundred shares a client is.
fn client_share(client: IpAddr) -> usize {
    let mut hasher = DefaultHasher::new();
    client.hash(&mut hasher);
    usize::try_from(hasher.finish() % 100).unwrap_or(0)
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
        let left = port.set_ready(&[], Affinity::None, None);
        assert_eq!((left.len(), left[0].in_flight(), port.pick(client, &[]).is_none()), (1, 1, true));
        drop(lease);
        assert_eq!(left[0].in_flight(), 0);
    }

    /// How many of `requests` each version gets, `weight` of a hundred meant for the second one.
    #[track_caller]
    fn check(pods: &str, weight: u8, requests: usize, expected: &[(&str, u64)]) {
        let port = divided(pods, weight);
        let client = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..requests {
            let Some(lease) = port.pick(client, &[]) else { continue };
            lease.version.answered(http::StatusCode::OK, std::time::Duration::ZERO);
        }
        let found = port.stats().versions;
        let found: Vec<_> = found.iter().map(|it| (it.version.as_str(), it.tally.requests)).collect();
        assert_eq!(found, expected);
    }

    const BOTH: &str = "web-1-a web-1-b web-canary-2-a";

    #[test]
    fn requests_are_divided_exactly() {
        check(BOTH, 0, 100, &[("web-1", 100), ("web-canary-2", 0)]);
        check(BOTH, 1, 1000, &[("web-1", 990), ("web-canary-2", 10)]);
        check(BOTH, 37, 200, &[("web-1", 126), ("web-canary-2", 74)]);
        check(BOTH, 50, 100, &[("web-1", 50), ("web-canary-2", 50)]);
        check(BOTH, 100, 100, &[("web-1", 0), ("web-canary-2", 100)]);
    }

    #[test]
    fn every_second_request_gets_the_same_share_as_all() {
        let even = (0..1000).filter(|count| count % 2 == 0 && share_of(*count) < 50).count();
        assert!((225..=275).contains(&even), "{even}");
    }

    #[test]
    fn a_side_without_pods_is_helped_out_but_never_by_one_that_may_not_serve() {
        check("web-1-a", 50, 10, &[("web-1", 10)]);
        check("web-canary-2-a", 50, 10, &[("web-canary-2", 10)]);
        check("web-1-a", 100, 10, &[("web-1", 10)]);
        check("web-canary-2-a", 0, 10, &[("web-canary-2", 0)]);
    }

    #[test]
    fn a_repeated_request_stays_on_its_side_as_long_as_it_can() {
        let port = divided("web-1-a web-1-b web-canary-2-a", 50);
        let client = IpAddr::from([127, 0, 0, 1]);
        let address = |last: u16| SocketAddr::from(([127, 0, 0, 1], last));
        let again = |tried: &[SocketAddr]| port.pick(client, tried).map(|lease| lease.pod.clone());
        assert_eq!(again(&[address(1)]).as_deref(), Some("web-1-b"));
        assert_eq!(again(&[address(1), address(2)]).as_deref(), Some("web-canary-2-a"));
        assert_eq!(again(&[address(3)]).as_deref().map(version_of), Some("web-1"));
    }

    #[test]
    fn what_was_counted_of_a_version_outlives_its_pods() {
        let port = divided(BOTH, 50);
        let lease = port.pick(IpAddr::from([127, 0, 0, 1]), &[]).expect("an endpoint");
        lease.version.answered(http::StatusCode::INTERNAL_SERVER_ERROR, std::time::Duration::ZERO);
        drop(lease);
        port.set_ready(&[], Affinity::None, None);
        let failed: u64 = port.stats().versions.iter().map(|it| it.tally.by_class[4]).sum();
        assert_eq!(failed, 1);
    }

    fn divided(pods: &str, weight: u8) -> Port {
        let split = Split { deployment: "web-canary".to_owned(), weight };
        port_with(pods, Affinity::None, Some(split))
    }

    fn port(pods: &str, affinity: Affinity) -> Port {
        port_with(pods, affinity, None)
    }

    fn port_with(pods: &str, affinity: Affinity, split: Option<Split>) -> Port {
        let id = PortId { service: Key::new("n", "web"), port: 80, transport: Transport::Tcp };
        let port = Port::new(id, Arc::default());
        let place = |(index, pod): (usize, &str)| Place {
            address: SocketAddr::from(([127, 0, 0, 1], u16::try_from(index).unwrap_or(0) + 1)),
            uid: pod.to_owned(),
            pod: pod.to_owned(),
        };
        let places: Vec<Place> = pods.split(' ').enumerate().map(place).collect();
        port.set_ready(&places, affinity, split);
        port
    }
}
