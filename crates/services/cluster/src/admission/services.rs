//! Addresses and node ports of services: given out once, kept, refused when taken.

use std::{collections::BTreeSet, net::Ipv4Addr, str::FromStr};

use resource::{
    status::{self, Status},
    validate::Cause,
};
use serde_json::{Value, json};

use crate::{
    Config, object,
    server::{known, shelf},
    store::Transaction,
};

/// The ports given out on every node; Kubernetes' own default.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30000..=32767;

/// A range of IPv4 addresses, written `10.96.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: u32,
    /// Addresses in it.
    size: u32,
    prefix: u8,
}

/// Why a text is no [`AddressRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a range such as `10.96.0.0/16` of at least 8 addresses, found `{0}`")]
pub struct ParseRangeError(String);

impl FromStr for AddressRange {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseRangeError(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if !(8..=29).contains(&prefix) {
            return Err(wrong());
        }
        let size = 1_u32 << (32 - prefix);
        Ok(Self {
            first: u32::from(address) & !(size - 1),
            size,
            prefix,
        })
    }
}

impl std::fmt::Display for AddressRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

impl AddressRange {
    /// The address of the API server's own service.
    pub fn first_host(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.first + 1)
    }

    fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first + 1..self.first + self.size - 1).contains(&u32::from(address))
    }

    /// Addresses to give out: the first few are left for those who ask for them by name.
    fn free(&self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        let reserved = (self.size / 16).clamp(4, 256);
        let upper = self.first + reserved..self.first + self.size - 1;
        let lower = self.first + 1..self.first + reserved;
        upper
            .chain(lower)
            .map(Ipv4Addr::from)
            .find(|address| !taken.contains(address))
    }
}

/// A change that says nothing of addresses keeps them.
pub fn keep_addresses(next: &mut Value, old: &Value) {
    if service_type(next) == "ExternalName" {
        return;
    }
    let spec = object::child(next, "spec");
    let unset = |value: Option<&Value>| {
        value.is_none_or(|it| {
            it.as_str().is_some_and(str::is_empty) || it.as_array().is_some_and(Vec::is_empty)
        })
    };
    for member in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if unset(spec.get(member))
            && let Some(there) = old["spec"].get(member)
        {
            spec.insert(member.to_owned(), there.clone());
        }
    }
    let takes_node_ports = matches!(
        spec.get("type").and_then(Value::as_str),
        Some("NodePort" | "LoadBalancer")
    );
    if !takes_node_ports {
        return;
    }
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let before = old["spec"]["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|it| it["port"] == port["port"] && it["protocol"] == port["protocol"]);
        if port["nodePort"].as_u64().unwrap_or_default() == 0
            && let Some(node_port) = before.and_then(|it| it.get("nodePort"))
        {
            object::members(port).insert("nodePort".to_owned(), node_port.clone());
        }
    }
}

/// Gives a service the addresses and ports it needs and has not.
pub fn assign(
    config: &Config,
    service: &mut Value,
    old: Option<&Value>,
    transaction: &Transaction<'_>,
) -> Result<(), Status> {
    let kind = known("v1", "Service");
    let name = object::name(service).to_owned();
    let others: Vec<&Value> = transaction
        .all(shelf(kind))
        .map(|it| &it.value)
        .filter(|it| object::uid(it) != object::uid(service))
        .collect();
    let refused = |cause: Cause| status::invalid(kind, &name, &[cause]);
    let address = match service_type(service) {
        "ExternalName" => {
            release(
                service,
                &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
            );
            return Ok(());
        }
        _ => address(config, service, old, &others).map_err(refused)?,
    };
    let spec = object::child(service, "spec");
    spec.insert("clusterIP".to_owned(), Value::from(address.as_str()));
    spec.insert("clusterIPs".to_owned(), json!([address]));
    spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
    spec.entry("ipFamilyPolicy")
        .or_insert_with(|| json!("SingleStack"));
    assign_node_ports(service, &others).map_err(refused)
}

fn service_type(service: &Value) -> &str {
    match object::text(service, &["spec", "type"]) {
        "" => "ClusterIP",
        said => said,
    }
}

fn release(service: &mut Value, members: &[&str]) {
    let spec = object::child(service, "spec");
    for member in members {
        spec.shift_remove(*member);
    }
}

/// The service's `clusterIP`: what it says, if that may be, else a free one.
fn address(
    config: &Config,
    service: &Value,
    old: Option<&Value>,
    others: &[&Value],
) -> Result<String, Cause> {
    let said = object::text(service, &["spec", "clusterIP"]);
    let said = if said.is_empty() {
        service["spec"]["clusterIPs"][0]
            .as_str()
            .unwrap_or_default()
    } else {
        said
    };
    if said == "None" {
        return Ok(said.to_owned());
    }
    let taken: BTreeSet<Ipv4Addr> = others
        .iter()
        .filter_map(|it| object::text(it, &["spec", "clusterIP"]).parse().ok())
        .collect();
    let wrong = |message: String| Cause {
        field: "spec.clusterIPs".to_owned(),
        reason: "FieldValueInvalid",
        message,
    };
    let failed = |why: &str| {
        wrong(format!(
            "Invalid value: {}: failed to allocate IP {said}: {why}",
            json!([said])
        ))
    };
    if said.is_empty() {
        let free = config.service_cidr.free(&taken).ok_or_else(|| {
            wrong("Internal error: failed to allocate a serviceIP: range is full".to_owned())
        })?;
        return Ok(free.to_string());
    }
    let is_kept = old.is_some_and(|old| object::text(old, &["spec", "clusterIP"]) == said);
    if is_kept {
        return Ok(said.to_owned());
    }
    let Ok(wanted) = said.parse::<Ipv4Addr>() else {
        return Err(wrong(format!(
            "Invalid value: {}: must be a valid IP address",
            json!(said)
        )));
    };
    if !config.service_cidr.contains(wanted) {
        return Err(failed(&format!(
            "the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {}",
            config.service_cidr
        )));
    }
    if taken.contains(&wanted) {
        return Err(failed("provided IP is already allocated"));
    }
    Ok(said.to_owned())
}

fn assign_node_ports(service: &mut Value, others: &[&Value]) -> Result<(), Cause> {
    let wants = match service_type(service) {
        "NodePort" => true,
        "LoadBalancer" => service["spec"]["allocateLoadBalancerNodePorts"]
            .as_bool()
            .unwrap_or(true),
        _ => false,
    };
    let mut taken: BTreeSet<u64> = others
        .iter()
        .flat_map(|it| it["spec"]["ports"].as_array().into_iter().flatten())
        .filter_map(|port| port["nodePort"].as_u64())
        .collect();
    let spec = object::child(service, "spec");
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for (index, port) in ports.into_iter().flatten().enumerate() {
        let said = port["nodePort"].as_u64().unwrap_or_default();
        let port = object::members(port);
        if !wants {
            // What is left over from another type goes back.
            port.shift_remove("nodePort");
            continue;
        }
        let wrong = |message: String| Cause {
            field: format!("spec.ports[{index}].nodePort"),
            reason: "FieldValueInvalid",
            message,
        };
        let given = if said == 0 {
            NODE_PORTS
                .map(u64::from)
                .find(|it| !taken.contains(it))
                .ok_or_else(|| {
                    wrong("Internal error: failed to allocate a nodePort: range is full".to_owned())
                })?
        } else if !u16::try_from(said).is_ok_and(|it| NODE_PORTS.contains(&it)) {
            return Err(wrong(format!(
                "Invalid value: {said}: provided port is not in the valid range. The range of valid ports is {}-{}",
                NODE_PORTS.start(),
                NODE_PORTS.end()
            )));
        } else if taken.contains(&said) {
            return Err(wrong(format!(
                "Invalid value: {said}: provided port is already allocated"
            )));
        } else {
            said
        };
        taken.insert(given);
        port.insert("nodePort".to_owned(), Value::from(given));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_from_the_upper_part_first() {
        let range: AddressRange = "10.96.0.0/24".parse().expect("a range");
        assert_eq!(range.first_host(), Ipv4Addr::new(10, 96, 0, 1));
        let mut taken = BTreeSet::new();
        let mut given = Vec::new();
        while let Some(address) = range.free(&taken) {
            taken.insert(address);
            given.push(address);
        }
        assert_eq!((given.len(), given[0]), (254, Ipv4Addr::new(10, 96, 0, 16)));
        assert!(given.iter().all(|it| range.contains(*it)));
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for text in ["10.96.0.0", "10.96.0.0/33", "x/16", "10.96.0.0/30"] {
            assert_eq!(
                AddressRange::from_str(text),
                Err(ParseRangeError(text.to_owned()))
            );
        }
    }
}
