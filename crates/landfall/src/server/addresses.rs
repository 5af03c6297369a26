//! Chooses the addresses of the embedded cluster, out of everybody's way.

use std::{fs, net::Ipv4Addr, os::unix::fs::OpenOptionsExt as _};

use anyhow::{Context as _, bail};
use sandbox::netlink::{self, Cidr};

use crate::data::NetworkSettings;

/// So many installations fit on one machine.
const INSTALLATIONS_MAX: u8 = 64;

/// Two installations that start for the first time at once must not choose the same.
const LOCK: &str = "/run/lock/landfall-addresses";

/// Finds ranges that no route of this machine touches, and takes them.
pub fn choose() -> anyhow::Result<NetworkSettings> {
    let _lock = lock()?;
    let routes = netlink::routes().context("the machine's routes cannot be read")?;
    let links = netlink::links().context("the machine's links cannot be read")?;
    for number in 0..INSTALLATIONS_MAX {
        let services = Cidr { address: Ipv4Addr::new(10, 96, number * 4, 0), prefix: 22 };
        let pods = Cidr { address: Ipv4Addr::new(10, 244, number, 0), prefix: 24 };
        let bridge = format!("landfall{number}");
        let touched = |route: &netlink::Route| {
            // The default route touches all and means nothing.
            route.destination.prefix > 0
                && [services, pods].iter().any(|range| {
                    range.contains(route.destination.address) || route.destination.contains(range.address)
                })
        };
        if routes.iter().any(touched) || links.iter().any(|link| link.name == bridge) {
            continue;
        }
        // Taken from here on, also for an installation that looks a moment later.
        netlink::add_local_route(services).with_context(|| {
            format!("the route for Services ({services}) cannot be added; the embedded cluster needs root")
        })?;
        return Ok(NetworkSettings {
            services: services.to_string(),
            pods: pods.to_string(),
            bridge,
            dns: Ipv4Addr::new(10, 96, number * 4, 10),
            api: Ipv4Addr::new(10, 96, number * 4, 1),
        });
    }
    bail!("no free range of addresses is left: 10.96.0.0/16 and 10.244.0.0/16 are all in use")
}

fn lock() -> anyhow::Result<Option<fs::File>> {
    let mut options = fs::OpenOptions::new();
    // Where there is no such folder, two first starts at once are a risk worth taking.
    let Ok(file) = options.create(true).write(true).truncate(false).mode(0o600).open(LOCK) else { return Ok(None) };
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(Some(file))
}

/// Gives the ranges back: routes, bridge and address translation.
pub fn remove(network: &NetworkSettings) -> anyhow::Result<()> {
    let services: Cidr = network.services.parse()?;
    netlink::delete_local_route(services).context("the route for Services cannot be removed")?;
    sandbox::remove_bridge(&network.bridge).context("the bridge of the pods cannot be removed")
}
