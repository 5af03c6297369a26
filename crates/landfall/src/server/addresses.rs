//! Chooses the addresses of the embedded cluster, out of everybody's way.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Seek as _, Write as _},
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rustix::fs::FlockOperation;
use sandbox::netlink::{self, Cidr};

use super::join::Ranges;
use crate::data::NetworkSettings;

/// So many installations fit on one machine.
const INSTALLATIONS_MAX: u8 = 64;

/// Two installations that start for the first time at once must not choose the same.
const LOCK: &str = "/run/lock/landfall-addresses";

/// Finds ranges that no route of this machine touches, and takes them.
///
/// Begins at another number for each data folder, and passes over those of installations that
/// are stopped: they have no route, and their ranges must be free when they start again.
///
/// The `cluster` that pods belong to may have a range for its Services already.
pub fn choose(data: &Path, cluster: Option<&Ranges>) -> anyhow::Result<NetworkSettings> {
    let mut lock = lock(LOCK)?;
    let mut known = lock.as_mut().map(installations).unwrap_or_default();
    let first = data.as_os_str().as_encoded_bytes().iter().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
    let routes = netlink::routes().context("the machine's routes cannot be read")?;
    let links = netlink::links().context("the machine's links cannot be read")?;
    for number in (0..INSTALLATIONS_MAX).map(|step| first.wrapping_add(step) % INSTALLATIONS_MAX) {
        let own = Ranges {
            services: Cidr { address: Ipv4Addr::new(10, 96, number * 4, 0), prefix: 22 },
            dns: Ipv4Addr::new(10, 96, number * 4, 10),
            api: Ipv4Addr::new(10, 96, number * 4, 1),
        };
        let Ranges { services, dns, api } = cluster.copied().unwrap_or(own);
        let pods = Cidr { address: Ipv4Addr::new(10, 244, number, 0), prefix: 24 };
        let bridge = format!("landfall{number}");
        let touched = |route: &netlink::Route| {
            // The default route touches all and means nothing.
            route.destination.prefix > 0
                && [services, pods].iter().any(|range| {
                    range.contains(route.destination.address) || route.destination.contains(range.address)
                })
        };
        if known.contains_key(&number) || routes.iter().any(touched) || links.iter().any(|link| link.name == bridge) {
            continue;
        }
        // Taken from here on, also for an installation that looks a moment later.
        netlink::add_local_route(services).with_context(|| {
            format!("the route for Services ({services}) cannot be added; the embedded cluster needs root")
        })?;
        known.insert(number, data.to_owned());
        if let Some(lock) = &mut lock {
            note(lock, &known)?;
        }
        return Ok(NetworkSettings {
            services: services.to_string(),
            pods: pods.to_string(),
            bridge,
            dns,
            api,
        });
    }
    if let Some(cluster) = cluster {
        bail!("no free range of addresses is left: 10.244.0.0/16 or the cluster's own {} is in use on this machine", cluster.services);
    }
    bail!("no free range of addresses is left: 10.96.0.0/16 and 10.244.0.0/16 are all in use")
}

fn lock(path: &str) -> anyhow::Result<Option<fs::File>> {
    let Some(file) = open(path) else { return Ok(None) };
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    Ok(Some(file))
}

/// The installations of this machine by the number of their ranges; deleted ones do not count.
fn installations(file: &mut fs::File) -> BTreeMap<u8, PathBuf> {
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    let known: BTreeMap<u8, PathBuf> = read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default();
    known.into_iter().filter(|(_, data)| data.join("settings.json").exists()).collect()
}

/// Notes which installation has which number.
fn note(file: &mut fs::File, known: &BTreeMap<u8, PathBuf>) -> anyhow::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    Ok(file.write_all(serde_json::to_string(known)?.as_bytes())?)
}

/// Where there is no such folder, two installations at once are a risk worth taking.
fn open(path: &str) -> Option<fs::File> {
    fs::OpenOptions::new().create(true).read(true).write(true).truncate(false).mode(0o600).open(path).ok()
}

/// Says that a server uses the ranges, as long as the returned file is open.
///
/// # Errors
///
/// When another server uses them.
pub fn hold(network: &NetworkSettings) -> anyhow::Result<Option<fs::File>> {
    let Some(file) = open(&held_path(network)) else { return Ok(None) };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(_) => bail!(
            "another installation uses the addresses {} now; stop it, or begin anew with another data folder",
            network.services
        ),
    }
}

/// Gives the ranges back: routes, bridge and address translation.
///
/// Those of an installation that was stopped long ago may serve another one by now; then they stay.
pub fn remove(network: &NetworkSettings) -> anyhow::Result<()> {
    let Ok(_held) = hold(network) else { return Ok(()) };
    give_back(network)?;
    // It lies where a restart of the machine clears it, too.
    let _ = fs::remove_file(held_path(network));
    Ok(())
}

fn held_path(network: &NetworkSettings) -> String {
    format!("{LOCK}-{}", network.bridge)
}

/// The bridge of the services that jobs bring.
pub fn job_bridge(network: &NetworkSettings) -> String {
    network.bridge.replace("landfall", "lfci")
}

/// As [`remove`], for the server that holds the ranges.
pub fn give_back(network: &NetworkSettings) -> anyhow::Result<()> {
    let services: Cidr = network.services.parse()?;
    netlink::delete_local_route(services).context("the route for Services cannot be removed")?;
    sandbox::remove_bridge(&job_bridge(network)).context("the bridge of the services of jobs cannot be removed")?;
    sandbox::remove_bridge(&network.bridge).context("the bridge of the pods cannot be removed")
}
