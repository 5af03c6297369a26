//! The names of the cluster and what they stand for.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use simple_dns::{
    CLASS, Name, QTYPE, ResourceRecord, TYPE,
    rdata::{A, CNAME, PTR, RData, SOA, SRV},
};
use workload::{
    Key,
    endpoints::{Endpoint, Service},
};

use crate::directory::Directory;

/// Long enough to spare a burst of equal questions, short enough that a new endpoint is found soon.
const TTL_SECONDS: u32 = 5;

/// A record that owns its names.
pub type Record = ResourceRecord<'static>;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Somebody else knows.
    NotOurs,
    NoSuchName,
    /// Empty when the name exists but has nothing of the kind asked for.
    Records(Vec<Record>),
}

/// The cluster's domain over the directory of its Services.
pub struct Zone {
    pub directory: Arc<Directory>,
    /// In lower case, without dots at the ends: `cluster.local`.
    pub domain: String,
}

impl Zone {
    /// Looks a name up. Names are compared without regard to case.
    pub fn answer(&self, name: &Name, kind: QTYPE) -> Answer {
        let text = name.to_string().to_ascii_lowercase();
        let text = text.as_str();
        if let Some(reversed) = text.strip_suffix(".in-addr.arpa") {
            return self.reverse(name, reversed, kind);
        }
        if text == self.domain {
            let soa = if kind == QTYPE::TYPE(TYPE::SOA) { self.authority().into_iter().collect() } else { Vec::new() };
            return Answer::Records(soa);
        }
        let Some(labels) = text.strip_suffix(&self.domain).and_then(|text| text.strip_suffix('.')) else {
            return Answer::NotOurs;
        };
        let mut labels: Vec<&str> = labels.split('.').collect();
        labels.reverse();
        match labels[..] {
            ["svc"] | ["pod"] => Answer::Records(Vec::new()),
            ["svc" | "pod", namespace] => self.namespace(namespace),
            ["pod", namespace, address] => self.pod(name, namespace, address, kind),
            ["svc", namespace, service] => self.service(name, &Key::new(namespace, service), kind),
            ["svc", namespace, service, host] => self.host(name, &Key::new(namespace, service), host, kind),
            ["svc", namespace, service, protocol, port] => {
                self.port(name, &Key::new(namespace, service), port, protocol, kind)
            }
            _ => Answer::NoSuchName,
        }
    }

    /// The record that tells how long a missing name may be remembered as missing.
    pub fn authority(&self) -> Option<Record> {
        let soa = SOA {
            mname: owned(&format!("ns.dns.{}", self.domain))?,
            rname: owned(&format!("hostmaster.{}", self.domain))?,
            serial: 1,
            refresh: 7200,
            retry: 1800,
            expire: 86_400,
            minimum: TTL_SECONDS,
        };
        Some(record(&owned(&self.domain)?, RData::SOA(soa)))
    }

    fn namespace(&self, namespace: &str) -> Answer {
        let known = self.directory.services().iter().any(|service| service.metadata.namespace == namespace);
        if known { Answer::Records(Vec::new()) } else { Answer::NoSuchName }
    }

    fn pod(&self, name: &Name, namespace: &str, address: &str, kind: QTYPE) -> Answer {
        if self.namespace(namespace) == Answer::NoSuchName {
            return Answer::NoSuchName;
        }
        match address.replace('-', ".").parse::<Ipv4Addr>() {
            Ok(address) => Answer::Records(addresses(name, [address], kind)),
            Err(_) => Answer::NoSuchName,
        }
    }

    fn service(&self, name: &Name, key: &Key, kind: QTYPE) -> Answer {
        let Some(service) = self.directory.service(key) else { return Answer::NoSuchName };
        if service.spec.kind == "ExternalName" {
            let target = owned(service.spec.external_name.trim_end_matches('.'));
            let alias = target.map(|target| record(name, RData::CNAME(CNAME(target))));
            return Answer::Records(alias.into_iter().collect());
        }
        if service.is_headless() {
            let found = self.ready(key).into_iter().filter_map(|endpoint| address_of(&endpoint));
            return Answer::Records(addresses(name, found, kind));
        }
        Answer::Records(addresses(name, service.spec.cluster_ip.parse(), kind))
    }

    /// One endpoint of a headless Service, by its host name or by its address with dashes.
    fn host(&self, name: &Name, key: &Key, host: &str, kind: QTYPE) -> Answer {
        if !self.directory.service(key).is_some_and(|service| service.is_headless()) {
            return Answer::NoSuchName;
        }
        let found: Vec<Ipv4Addr> =
            self.ready(key).iter().filter(|it| host_of(it) == host).filter_map(address_of).collect();
        if found.is_empty() { Answer::NoSuchName } else { Answer::Records(addresses(name, found, kind)) }
    }

    fn port(&self, name: &Name, key: &Key, port: &str, protocol: &str, kind: QTYPE) -> Answer {
        let (Some(port), Some(protocol)) = (port.strip_prefix('_'), protocol.strip_prefix('_')) else {
            return Answer::NoSuchName;
        };
        let Some(service) = self.directory.service(key) else { return Answer::NoSuchName };
        let same = |other: &str| (if other.is_empty() { "tcp" } else { other }).eq_ignore_ascii_case(protocol);
        let Some(found) = service.spec.ports.iter().find(|it| it.name == port && same(&it.protocol)) else {
            return Answer::NoSuchName;
        };
        if kind != QTYPE::TYPE(TYPE::SRV) {
            return Answer::Records(Vec::new());
        }
        let base = self.name_of(&service);
        let place = |target: String, port: u16| {
            Some(record(name, RData::SRV(SRV { priority: 0, weight: 100, port, target: owned(&target)? })))
        };
        if !service.is_headless() {
            return Answer::Records(place(base, found.port).into_iter().collect());
        }
        let mut records = Vec::new();
        for slice in self.directory.slices_of(key) {
            let Some(target) = slice.ports.iter().find(|it| it.name == port && same(&it.protocol)) else { continue };
            let ready = slice.endpoints.iter().filter(|it| it.is_ready());
            records.extend(ready.filter_map(|it| place(format!("{}.{base}", host_of(it)), target.port)));
        }
        Answer::Records(records)
    }

    fn reverse(&self, name: &Name, reversed: &str, kind: QTYPE) -> Answer {
        let parts: Vec<&str> = reversed.split('.').rev().collect();
        let Ok(address) = parts.join(".").parse::<Ipv4Addr>() else { return Answer::NotOurs };
        let text = address.to_string();
        let mut found = None;
        for service in self.directory.services() {
            if service.spec.cluster_ip == text {
                found = Some(self.name_of(&service));
            } else if service.is_headless() {
                let key = service.metadata.key();
                let here = self.ready(&key).into_iter().find(|it| address_of(it) == Some(address));
                found = found.or(here.map(|it| format!("{}.{}", host_of(&it), self.name_of(&service))));
            }
        }
        // The address may be one of the machine's network, which others name.
        let Some(target) = found.and_then(|target| owned(&target)) else { return Answer::NotOurs };
        let pointer = (kind == QTYPE::TYPE(TYPE::PTR)).then(|| record(name, RData::PTR(PTR(target))));
        Answer::Records(pointer.into_iter().collect())
    }

    fn name_of(&self, service: &Service) -> String {
        format!("{}.{}.svc.{}", service.metadata.name, service.metadata.namespace, self.domain)
    }

    fn ready(&self, key: &Key) -> Vec<Endpoint> {
        let slices = self.directory.slices_of(key);
        slices.iter().flat_map(|slice| slice.endpoints.iter().filter(|it| it.is_ready()).cloned()).collect()
    }
}

fn record(name: &Name, data: RData<'static>) -> Record {
    Record::new(name.clone().into_owned(), CLASS::IN, TTL_SECONDS, data)
}

/// A name from text without a dot at its end; `None` if it is none.
fn owned(text: &str) -> Option<Name<'static>> {
    Name::new(text).ok().map(Name::into_owned)
}

fn addresses(name: &Name, addresses: impl IntoIterator<Item = Ipv4Addr>, kind: QTYPE) -> Vec<Record> {
    // There are no IPv6 addresses; the names exist nevertheless.
    if kind != QTYPE::TYPE(TYPE::A) && kind != QTYPE::ANY {
        return Vec::new();
    }
    addresses.into_iter().map(|address| record(name, RData::A(A::from(address)))).collect()
}

fn address_of(endpoint: &Endpoint) -> Option<Ipv4Addr> {
    match endpoint.addresses.first()?.parse() {
        Ok(IpAddr::V4(address)) => Some(address),
        Ok(IpAddr::V6(_)) | Err(_) => None,
    }
}

fn host_of(endpoint: &Endpoint) -> String {
    let dashed = || endpoint.addresses.first().map(|address| address.replace(['.', ':'], "-")).unwrap_or_default();
    endpoint.hostname.clone().unwrap_or_else(dashed)
}

#[cfg(test)]
mod tests;
