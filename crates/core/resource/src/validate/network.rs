//! Rules of Services, Endpoints and EndpointSlices.

use serde_json::{Value, json};

use super::{list, meta, pod::Seen, probe, report::Report, str_of, text};

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
/// The longest a client may stick to one pod: a day.
const MAX_STICKY_SECONDS: i64 = 86_400;

pub(super) fn service(spec: &Value, report: &mut Report) {
    let kind = str_of(&spec["type"]);
    let headless = spec["clusterIP"] == "None";
    let ports_field = list(&spec["ports"]);
    if ports_field.is_empty() && !headless && kind != "ExternalName" {
        report.required("spec.ports");
    }
    if kind == "ExternalName" {
        match str_of(&spec["externalName"]).trim_end_matches('.') {
            "" => report.required("spec.externalName"),
            name => report.invalid_text("spec.externalName", name, text::subdomain(name)),
        }
    }
    ports(spec, kind, report);
    meta::labels("spec.selector", &spec["selector"], report);
    report.one_of(
        "spec.sessionAffinity",
        &spec["sessionAffinity"],
        &["ClientIP", "None"],
    );
    if spec["sessionAffinity"] == "ClientIP" {
        let field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
        let seconds = &spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"];
        if seconds
            .as_i64()
            .is_some_and(|it| !(1..=MAX_STICKY_SECONDS).contains(&it))
        {
            let why = format!("must be greater than 0 and less than {MAX_STICKY_SECONDS}");
            report.invalid(field, seconds.clone(), &why);
        }
    }
    if !TYPES.contains(&kind) {
        report.unsupported("spec.type", kind, &TYPES);
    }
    addresses(spec, kind, report);
}

fn addresses(spec: &Value, kind: &str, report: &mut Report) {
    let (first, all) = (str_of(&spec["clusterIP"]), list(&spec["clusterIPs"]));
    if kind != "ExternalName" && !first.is_empty() && !all.is_empty() && all[0] != first {
        let why = "first value must match `clusterIP`";
        report.invalid("spec.clusterIPs", spec["clusterIPs"].clone(), why);
    } else if kind != "ExternalName" && all.is_empty() && !matches!(first, "" | "None") {
        report.invalid_text("spec.clusterIP", first, text::address(first));
    }
    for (index, address) in list(&spec["externalIPs"]).iter().enumerate() {
        let address = str_of(address);
        let field = format!("spec.externalIPs[{index}]");
        let faults = text::address(address);
        let faults = if faults.is_empty() {
            text::special_address(address)
        } else {
            faults
        };
        report.invalid_text(&field, address, faults);
    }
    let ranges = list(&spec["loadBalancerSourceRanges"]);
    if !ranges.is_empty() && kind != "LoadBalancer" {
        let why = "may only be used when `type` is 'LoadBalancer'";
        report.forbidden("spec.LoadBalancerSourceRanges", why);
    }
    for (index, range) in ranges.iter().enumerate() {
        let range = str_of(range);
        report.invalid_text(
            &format!("spec.LoadBalancerSourceRanges[{index}]"),
            range,
            text::cidr(range.trim()),
        );
    }
    let external =
        matches!(kind, "NodePort" | "LoadBalancer") || !list(&spec["externalIPs"]).is_empty();
    let policy = str_of(&spec["externalTrafficPolicy"]);
    if !policy.is_empty() {
        if external {
            report.one_of(
                "spec.externalTrafficPolicy",
                &spec["externalTrafficPolicy"],
                &["Cluster", "Local"],
            );
        } else {
            let why = "may only be set for externally-accessible services";
            report.invalid("spec.externalTrafficPolicy", policy, why);
        }
    }
    if spec["healthCheckNodePort"].as_i64().unwrap_or_default() != 0
        && !(kind == "LoadBalancer" && policy == "Local")
    {
        let why =
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        report.invalid(
            "spec.healthCheckNodePort",
            spec["healthCheckNodePort"].clone(),
            why,
        );
    }
    if spec["internalTrafficPolicy"].is_string() {
        report.one_of(
            "spec.internalTrafficPolicy",
            &spec["internalTrafficPolicy"],
            &["Cluster", "Local"],
        );
    }
}

fn ports(spec: &Value, kind: &str, report: &mut Report) {
    let ports = list(&spec["ports"]);
    let mut names = Seen::default();
    for (index, port) in ports.iter().enumerate() {
        let at = |name: &str| format!("spec.ports[{index}].{name}");
        port_name(&at("name"), port, ports.len() > 1, &mut names, report);
        report.port(&at("port"), &port["port"]);
        report.one_of(&at("protocol"), &port["protocol"], &PROTOCOLS);
        probe::port(&at("targetPort"), &port["targetPort"], report);
        if kind == "ClusterIP" && port["nodePort"].as_i64().unwrap_or_default() != 0 {
            report.forbidden(
                &at("nodePort"),
                "may not be used when `type` is 'ClusterIP'",
            );
        }
    }
    for (index, port) in ports.iter().enumerate() {
        let same = |it: &&Value| it["port"] == port["port"] && it["protocol"] == port["protocol"];
        if ports[..index].iter().any(|it| same(&it)) {
            let value = json!({
                "Name": "", "Protocol": port["protocol"], "AppProtocol": null,
                "Port": port["port"], "TargetPort": 0, "NodePort": 0,
            });
            report.duplicate(&format!("spec.ports[{index}]"), value);
        }
    }
}

/// Ports need names as soon as there are several; names are unique labels.
fn port_name<'v>(
    field: &str,
    port: &'v Value,
    several: bool,
    names: &mut Seen<'v>,
    report: &mut Report,
) {
    match str_of(&port["name"]) {
        "" if several => report.required(field),
        "" => {}
        name => {
            let faults = text::label(name);
            let sound = faults.is_empty();
            report.invalid_text(field, name, faults);
            if names.again(name) && sound {
                report.duplicate(field, name);
            }
        }
    }
}

pub(super) fn endpoints(object: &Value, report: &mut Report) {
    for (index, subset) in list(&object["subsets"]).iter().enumerate() {
        let field = format!("subsets[{index}]");
        let ready = list(&subset["addresses"]);
        let unready = list(&subset["notReadyAddresses"]);
        if ready.is_empty() && unready.is_empty() {
            report.required_because(&field, "must specify `addresses` or `notReadyAddresses`");
        }
        for (list_name, addresses) in [("addresses", ready), ("notReadyAddresses", unready)] {
            for (index, address) in addresses.iter().enumerate() {
                let field = format!("{field}.{list_name}[{index}].ip");
                let address = str_of(&address["ip"]);
                report.invalid_text(&field, address, text::address(address));
                if text::address(address).is_empty() {
                    report.invalid_text(&field, address, text::special_address(address));
                } else {
                    report.invalid(&field, address, "must be a valid IP address");
                }
            }
        }
        let ports = list(&subset["ports"]);
        for (index, port) in ports.iter().enumerate() {
            let at = |name: &str| format!("{field}.ports[{index}].{name}");
            match str_of(&port["name"]) {
                "" if ports.len() > 1 => report.required(&at("name")),
                "" => {}
                name => report.invalid_text(&at("name"), name, text::label(name)),
            }
            report.port(&at("port"), &port["port"]);
            report.one_of(&at("protocol"), &port["protocol"], &PROTOCOLS);
        }
    }
}

pub(super) fn slice(object: &Value, report: &mut Report) {
    let kind = str_of(&object["addressType"]);
    if kind.is_empty() {
        report.required("addressType");
    } else {
        report.one_of(
            "addressType",
            &object["addressType"],
            &["FQDN", "IPv4", "IPv6"],
        );
    }
    let mut names = Seen::default();
    for (index, port) in list(&object["ports"]).iter().enumerate() {
        let at = |name: &str| format!("ports[{index}].{name}");
        let name = str_of(&port["name"]);
        if !name.is_empty() {
            report.invalid_text(&at("name"), name, text::label(name));
        }
        if names.again(name) {
            report.duplicate(&at("name"), name);
        }
        report.one_of(&at("protocol"), &port["protocol"], &PROTOCOLS);
    }
    for (index, endpoint) in list(&object["endpoints"]).iter().enumerate() {
        let field = format!("endpoints[{index}].addresses");
        let addresses = list(&endpoint["addresses"]);
        if addresses.is_empty() {
            report.required_because(&field, "must contain at least 1 address");
        }
        for (index, address) in addresses.iter().enumerate() {
            let address = str_of(address);
            let faults = match kind {
                "FQDN" => text::subdomain(address),
                _ => text::address(address),
            };
            report.invalid_text(&format!("{field}[{index}]"), address, faults);
        }
    }
}
