//! Addresses of services: each has one of its own, and is known by its name.

use std::{collections::BTreeSet, fmt::Write as _, net::Ipv4Addr, path::Path, sync::Arc};

use sandbox::{NetworkName, PodAddress, PodNetworks};
use tokio::sync::Mutex;

/// Where services of jobs get their addresses.
pub struct JobNetworks {
    pub networks: Arc<dyn PodNetworks>,
    /// The first address of the range; the next is the bridge's own.
    pub base: Ipv4Addr,
    /// Bits of the range.
    pub prefix: u8,
    /// A link name of at most 15 bytes.
    pub bridge: String,
    /// Two services must not choose one address.
    choosing: Mutex<()>,
}

impl JobNetworks {
    pub fn new(networks: Arc<dyn PodNetworks>, base: Ipv4Addr, prefix: u8, bridge: impl Into<String>) -> Self {
        Self { networks, base, prefix, bridge: bridge.into(), choosing: Mutex::new(()) }
    }

    /// Makes the network of a service, or finds the one that an earlier server made.
    pub async fn open(&self, name: &NetworkName) -> Result<Ipv4Addr, String> {
        let _alone = self.choosing.lock().await;
        let made = self.networks.list().await.map_err(|error| error.to_string())?;
        if let Some(known) = made.get(name) {
            return Ok(known.address);
        }
        let taken: BTreeSet<Ipv4Addr> = made.values().map(|it| it.address).collect();
        let base = u32::from(self.base);
        let gateway = Ipv4Addr::from(base + 1);
        let last = base + (1_u32 << (32 - u32::from(self.prefix.clamp(8, 30)))) - 1;
        let free = (base + 2..last).map(Ipv4Addr::from).find(|it| !taken.contains(it));
        let address = free.ok_or("no free address is left for services of jobs")?;
        let place = PodAddress { address, prefix: self.prefix, gateway, bridge: self.bridge.clone() };
        self.networks.create(name, &place).await.map_err(|error| error.to_string())?;
        Ok(address)
    }

    pub async fn close(&self, name: &NetworkName) {
        if let Err(error) = self.networks.remove(name).await {
            tracing::error!(%error, "the network of a service could not be removed");
        }
    }
}

/// Writes a hosts file for those who reach services by name.
pub fn write_hosts(path: &Path, own: &str, names: &[(String, String)]) -> std::io::Result<()> {
    let mut text = format!("127.0.0.1 localhost {own}\n::1 localhost\n");
    for (name, address) in names {
        // Writing to a `String` never fails.
        let _ = writeln!(text, "{address} {name}");
    }
    std::fs::write(path, text)
}
