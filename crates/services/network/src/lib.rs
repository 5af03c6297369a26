//! Service addresses and names: the proxy that splits and counts traffic, and the cluster's DNS.
//!
//! Both follow the API server by watches and keep what they need in memory, so
//! a change is in force as soon as the watch tells of it.

mod directory;
mod dns;
mod proxy;

pub use dns::{Config as DnsConfig, Dns, StartError as DnsError};
pub use proxy::{
    Config, Drained, LocalRoute, ServiceProxy, StartError,
    stats::{EndpointStats, LATENCY_BOUNDS_MS, ServiceStats, Tally, VersionStats},
};
