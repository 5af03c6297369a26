//! What the proxy counts.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the latency buckets; a last one takes the rest.
pub const LATENCY_BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// Counters that many connections raise at once.
#[derive(Debug, Default)]
pub struct Counts {
    requests: AtomicU64,
    by_class: [AtomicU64; 5],
    failures: AtomicU64,
    retries: AtomicU64,
    connections: AtomicU64,
    open: AtomicUsize,
    latency: [AtomicU64; LATENCY_BOUNDS_MS.len() + 1],
}

/// A snapshot of the counters of a Service's port or of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were answered, by an endpoint or by the proxy itself.
    pub requests: u64,
    /// Answers of 1xx to 5xx.
    pub by_class: [u64; 5],
    /// Requests and connections that no endpoint could serve, and answers that broke off.
    pub failures: u64,
    /// Tries beyond the first of a request.
    pub retries: u64,
    /// Connections that were passed on as they are.
    pub connections: u64,
    pub connections_open: usize,
    pub in_flight: usize,
    /// Requests per bucket of [`LATENCY_BOUNDS_MS`], from the whole request to the end of the answer.
    pub latency: [u64; LATENCY_BOUNDS_MS.len() + 1],
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceStats {
    pub namespace: String,
    pub service: String,
    pub port: u16,
    pub total: Tally,
    /// The endpoints that are ready now.
    pub endpoints: Vec<EndpointStats>,
    /// Every version that was there lately, with or without pods now.
    pub versions: Vec<VersionStats>,
}

/// All pods of one version, those that are gone included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionStats {
    /// What the names of its pods begin with: the ReplicaSet's name.
    pub version: String,
    pub tally: Tally,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStats {
    pub address: SocketAddr,
    /// The pod's name; empty if the endpoint is no pod.
    pub pod: String,
    pub tally: Tally,
}

impl Counts {
    pub fn answered(&self, status: http::StatusCode, latency: Duration) {
        self.requests.fetch_add(1, Relaxed);
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.by_class[class].fetch_add(1, Relaxed);
        let millis = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_MS.iter().position(|bound| millis < *bound).unwrap_or(LATENCY_BOUNDS_MS.len());
        self.latency[bucket].fetch_add(1, Relaxed);
    }

    pub fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub fn retried(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    pub fn opened(&self) {
        self.connections.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
    }

    pub fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    pub fn tally(&self, in_flight: usize) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Tally {
            requests: read(&self.requests),
            by_class: std::array::from_fn(|index| read(&self.by_class[index])),
            failures: read(&self.failures),
            retries: read(&self.retries),
            connections: read(&self.connections),
            connections_open: self.open.load(Relaxed),
            in_flight,
            latency: std::array::from_fn(|index| read(&self.latency[index])),
        }
    }
}
