//! What a pod's `/etc/hosts`, `/etc/resolv.conf` and host name say.

use std::net::IpAddr;

use crate::pod::{DnsPolicy, Pod};

/// What the node knows about name resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// The cluster's DNS server, if there is one.
    pub cluster_dns: Option<IpAddr>,
    /// Such as `cluster.local`.
    pub cluster_domain: String,
    /// The host's own `resolv.conf`.
    pub host: String,
}

/// Resolvers of the C library read no more than this.
const MOST_NAMESERVERS: usize = 3;

/// The longest host name that Linux takes.
const LONGEST_HOSTNAME: usize = 63;

/// The pod's host name.
pub fn hostname(pod: &Pod, resolver: &Resolver) -> String {
    let short = pod.spec.hostname.as_deref().unwrap_or(&pod.metadata.name);
    let short = short
        .get(..LONGEST_HOSTNAME)
        .unwrap_or(short)
        .trim_end_matches(['-', '.']);
    match full_name(pod, resolver) {
        Some(full) if pod.spec.set_hostname_as_fqdn => full,
        _ => short.to_owned(),
    }
}

fn full_name(pod: &Pod, resolver: &Resolver) -> Option<String> {
    let subdomain = pod.spec.subdomain.as_deref()?;
    let host = pod.spec.hostname.as_deref().unwrap_or(&pod.metadata.name);
    Some(format!(
        "{host}.{subdomain}.{}.svc.{}",
        pod.metadata.namespace, resolver.cluster_domain
    ))
}

/// The file `/etc/hosts` of a pod.
pub fn hosts(pod: &Pod, address: Option<IpAddr>, resolver: &Resolver) -> String {
    let mut text = "# Kubernetes-managed hosts file.\n\
        127.0.0.1\tlocalhost\n\
        ::1\tlocalhost ip6-localhost ip6-loopback\n\
        fe00::0\tip6-localnet\n\
        fe00::0\tip6-mcastprefix\n\
        fe00::1\tip6-allnodes\n\
        fe00::2\tip6-allrouters\n"
        .to_owned();
    if let Some(address) = address {
        let host = pod.spec.hostname.as_deref().unwrap_or(&pod.metadata.name);
        let full = full_name(pod, resolver)
            .map(|full| format!("{full}\t"))
            .unwrap_or_default();
        text.push_str(&format!("{address}\t{full}{host}\n"));
    }
    if !pod.spec.host_aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
    }
    for alias in &pod.spec.host_aliases {
        text.push_str(&format!("{}\t{}\n", alias.ip, alias.hostnames.join("\t")));
    }
    text
}

/// The file `/etc/resolv.conf` of a pod.
pub fn resolv_conf(pod: &Pod, resolver: &Resolver) -> String {
    let policy = match (pod.spec.dns_policy, pod.spec.host_network) {
        (DnsPolicy::ClusterFirst, true) => DnsPolicy::Default,
        (policy, _) => policy,
    };
    let host = Conf::parse(&resolver.host);
    let mut conf = match (policy, resolver.cluster_dns) {
        (DnsPolicy::None, _) => Conf::default(),
        (DnsPolicy::ClusterFirst | DnsPolicy::ClusterFirstWithHostNet, Some(dns)) => {
            let (namespace, domain) = (&pod.metadata.namespace, &resolver.cluster_domain);
            let mut searches = vec![
                format!("{namespace}.svc.{domain}"),
                format!("svc.{domain}"),
                domain.clone(),
            ];
            searches.extend(host.searches);
            Conf {
                nameservers: vec![dns.to_string()],
                searches,
                options: vec!["ndots:5".to_owned()],
            }
        }
        (DnsPolicy::Default | DnsPolicy::ClusterFirst | DnsPolicy::ClusterFirstWithHostNet, _) => {
            host
        }
    };
    let extra = &pod.spec.dns_config;
    conf.nameservers.extend(extra.nameservers.iter().cloned());
    conf.searches.extend(extra.searches.iter().cloned());
    for option in &extra.options {
        conf.options
            .retain(|known| known.split(':').next() != Some(option.name.as_str()));
        conf.options.push(match &option.value {
            Some(value) => format!("{}:{value}", option.name),
            None => option.name.clone(),
        });
    }
    conf.print()
}

#[derive(Default)]
struct Conf {
    nameservers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

impl Conf {
    fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let keyword = words.next();
            let words = words.map(str::to_owned);
            match keyword {
                Some("nameserver") => conf.nameservers.extend(words.take(1)),
                Some("search" | "domain") => conf.searches = words.collect(),
                Some("options") => conf.options.extend(words),
                _ => {}
            }
        }
        conf
    }

    fn print(self) -> String {
        let mut seen = std::collections::BTreeSet::new();
        let mut text = String::new();
        if !self.searches.is_empty() {
            let searches: Vec<_> = self
                .searches
                .into_iter()
                .filter(|search| seen.insert(search.clone()))
                .collect();
            text.push_str(&format!("search {}\n", searches.join(" ")));
        }
        let servers = self
            .nameservers
            .into_iter()
            .filter(|server| seen.insert(server.clone()));
        for server in servers.take(MOST_NAMESERVERS) {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            text.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn policies_choose_the_resolver() {
        let cluster = "search ns.svc.cluster.local svc.cluster.local cluster.local corp\nnameserver 10.96.0.10\noptions ndots:5\n";
        let host = "search corp\nnameserver 1.1.1.1\noptions edns0\n";
        check(json!({}), cluster);
        check(json!({ "hostNetwork": true }), host);
        check(
            json!({ "hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet" }),
            cluster,
        );
        check(json!({ "dnsPolicy": "Default" }), host);
        check(
            json!({
                "dnsPolicy": "None",
                "dnsConfig": { "nameservers": ["9.9.9.9"], "searches": ["a"], "options": [{ "name": "ndots", "value": "2" }] },
            }),
            "search a\nnameserver 9.9.9.9\noptions ndots:2\n",
        );
    }

    #[test]
    fn names_follow_hostname_and_subdomain() {
        let pod = pod(json!({ "hostname": "db-0", "subdomain": "db", "setHostnameAsFQDN": true }));
        assert_eq!(hostname(&pod, &resolver()), "db-0.db.ns.svc.cluster.local");
        let text = hosts(&pod, Some([10, 0, 0, 1].into()), &resolver());
        assert!(
            text.ends_with("10.0.0.1\tdb-0.db.ns.svc.cluster.local\tdb-0\n"),
            "{text}"
        );
    }

    #[track_caller]
    fn check(spec: Value, expected: &str) {
        assert_eq!(resolv_conf(&pod(spec), &resolver()), expected);
    }

    fn pod(spec: Value) -> Pod {
        Pod::read(json!({ "metadata": { "name": "p", "namespace": "ns" }, "spec": spec }))
            .expect("a pod")
    }

    fn resolver() -> Resolver {
        Resolver {
            cluster_dns: Some([10, 96, 0, 10].into()),
            cluster_domain: "cluster.local".to_owned(),
            host: "nameserver 1.1.1.1\nsearch corp\noptions edns0\n".to_owned(),
        }
    }
}
