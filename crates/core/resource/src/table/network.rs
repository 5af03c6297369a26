//! Rows of Services, Endpoints and EndpointSlices.

use serde_json::{Value, json};

use super::{list, number, or, text};
use crate::selector::LabelSelector;

/// Longer lists are cut so that a row stays a row.
const SHOWN: usize = 3;

pub(super) fn service(object: &Value, name: &str, age: &str) -> Vec<Value> {
    let spec = &object["spec"];
    let address = match list(&spec["clusterIPs"]).first() {
        Some(address) => text(address),
        None => or(text(&spec["clusterIP"]), "<none>"),
    };
    let ports: Vec<String> = list(&spec["ports"]).iter().map(port).collect();
    let selector = LabelSelector::from_map(&spec["selector"]).to_string();
    vec![
        json!(name),
        json!(text(&spec["type"])),
        json!(address),
        json!(external_address(object)),
        json!(or(&ports.join(","), "<none>")),
        json!(age),
        json!(or(&selector, "<none>")),
    ]
}

fn port(port: &Value) -> String {
    let (own, protocol) = (number(&port["port"]), text(&port["protocol"]));
    match number(&port["nodePort"]) {
        0 => format!("{own}/{protocol}"),
        node => format!("{own}:{node}/{protocol}"),
    }
}

fn external_address(object: &Value) -> String {
    let spec = &object["spec"];
    let external: Vec<&str> = list(&spec["externalIPs"]).iter().map(text).collect();
    match text(&spec["type"]) {
        "ClusterIP" | "NodePort" => or(&external.join(","), "<none>").to_owned(),
        "LoadBalancer" => {
            let ingress = list(&object["status"]["loadBalancer"]["ingress"]);
            let mut all: Vec<&str> = ingress
                .iter()
                .map(|it| or(text(&it["ip"]), text(&it["hostname"])))
                .collect();
            all.sort_unstable();
            all.extend(external);
            or(&all.join(","), "<pending>").to_owned()
        }
        "ExternalName" => text(&spec["externalName"]).to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

pub(super) fn endpoints(object: &Value) -> String {
    let mut shown = Vec::new();
    let subsets = list(&object["subsets"]);
    for subset in subsets {
        let addresses = || list(&subset["addresses"]).iter().map(|it| text(&it["ip"]));
        let ports = list(&subset["ports"]);
        if ports.is_empty() {
            shown.extend(addresses().map(str::to_owned));
        }
        for port in ports {
            let number = number(&port["port"]);
            shown.extend(addresses().map(|it| match it.contains(':') {
                true => format!("[{it}]:{number}"),
                false => format!("{it}:{number}"),
            }));
        }
    }
    if subsets.is_empty() {
        "<none>".to_owned()
    } else {
        cut(&shown)
    }
}

pub(super) fn slice(object: &Value, name: &str, age: &str) -> Vec<Value> {
    let ports: Vec<String> = list(&object["ports"])
        .iter()
        .map(|it| match (&it["port"], &it["name"]) {
            (Value::Number(number), _) => number.to_string(),
            (_, Value::String(name)) => name.clone(),
            _ => "*".to_owned(),
        })
        .collect();
    let endpoints = list(&object["endpoints"]);
    let addresses: Vec<String> = endpoints
        .iter()
        .flat_map(|it| list(&it["addresses"]))
        .map(|it| text(it).to_owned())
        .collect();
    let shown = |all: &[String]| or(&cut(all), "<unset>").to_owned();
    vec![
        json!(name),
        json!(text(&object["addressType"])),
        json!(shown(&ports)),
        json!(shown(&addresses)),
        json!(age),
    ]
}

fn cut(all: &[String]) -> String {
    match all.split_at_checked(SHOWN) {
        Some((head, rest)) if !rest.is_empty() => {
            format!("{} + {} more...", head.join(","), rest.len())
        }
        _ => all.join(","),
    }
}
