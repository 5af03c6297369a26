//! Names against a small cluster.

use serde_json::json;

use super::*;

#[test]
fn services_have_addresses() {
    check("web.shop.svc.cluster.local", TYPE::A, "10.96.0.7");
    check("WEB.shop.svc.Cluster.Local", TYPE::A, "10.96.0.7");
    check("web.shop.svc.cluster.local", TYPE::AAAA, "");
    check("web.other.svc.cluster.local", TYPE::A, "no such name");
    check("shop.svc.cluster.local", TYPE::A, "");
    check("other.svc.cluster.local", TYPE::A, "no such name");
    check("example.com", TYPE::A, "not ours");
}

#[test]
fn headless_services_name_their_pods() {
    check("db.shop.svc.cluster.local", TYPE::A, "10.0.0.1 10.0.0.2");
    check("db-0.db.shop.svc.cluster.local", TYPE::A, "10.0.0.1");
    check("10-0-0-2.db.shop.svc.cluster.local", TYPE::A, "10.0.0.2");
    check("db-9.db.shop.svc.cluster.local", TYPE::A, "no such name");
    check("10-0-0-9.shop.pod.cluster.local", TYPE::A, "10.0.0.9");
}

#[test]
fn ports_and_addresses_lead_back() {
    check("_http._tcp.web.shop.svc.cluster.local", TYPE::SRV, "0 100 80 web.shop.svc.cluster.local");
    check("_udp._tcp.web.shop.svc.cluster.local", TYPE::SRV, "no such name");
    check(
        "_sql._tcp.db.shop.svc.cluster.local",
        TYPE::SRV,
        "0 100 5432 db-0.db.shop.svc.cluster.local 0 100 5432 10-0-0-2.db.shop.svc.cluster.local",
    );
    check("7.0.96.10.in-addr.arpa", TYPE::PTR, "web.shop.svc.cluster.local");
    check("1.0.0.10.in-addr.arpa", TYPE::PTR, "db-0.db.shop.svc.cluster.local");
    check("9.9.9.9.in-addr.arpa", TYPE::PTR, "not ours");
}

#[test]
fn external_names_are_aliases() {
    check("away.shop.svc.cluster.local", TYPE::A, "example.com");
}

#[track_caller]
fn check(name: &str, kind: TYPE, expected: &str) {
    let directory = Directory::default();
    for service in [
        json!({ "metadata": { "name": "web", "namespace": "shop" }, "spec": { "clusterIP": "10.96.0.7", "ports": [{ "name": "http", "port": 80 }] } }),
        json!({ "metadata": { "name": "db", "namespace": "shop" }, "spec": { "clusterIP": "None", "ports": [{ "name": "sql", "port": 5432 }] } }),
        json!({ "metadata": { "name": "away", "namespace": "shop" }, "spec": { "type": "ExternalName", "externalName": "example.com" } }),
    ] {
        directory.put_service(serde_json::from_value(service).expect("a service"));
    }
    directory.put_slice(
        serde_json::from_value(json!({
            "metadata": { "name": "db-1", "namespace": "shop", "labels": { "kubernetes.io/service-name": "db" } },
            "ports": [{ "name": "sql", "port": 5432, "protocol": "TCP" }],
            "endpoints": [
                { "addresses": ["10.0.0.1"], "hostname": "db-0" },
                { "addresses": ["10.0.0.2"] },
                { "addresses": ["10.0.0.3"], "conditions": { "ready": false } },
            ],
        }))
        .expect("a slice"),
    );
    let zone = Zone { directory: Arc::new(directory), domain: "cluster.local".to_owned() };
    let found = match zone.answer(&Name::new(name).expect("a name"), QTYPE::TYPE(kind)) {
        Answer::NotOurs => "not ours".to_owned(),
        Answer::NoSuchName => "no such name".to_owned(),
        Answer::Records(records) => {
            let texts: Vec<String> = records.iter().map(shown).collect();
            texts.join(" ")
        }
    };
    assert_eq!(found, expected, "{name}");
}

fn shown(record: &Record) -> String {
    match &record.rdata {
        RData::A(address) => Ipv4Addr::from(address.address).to_string(),
        RData::CNAME(alias) => alias.0.to_string(),
        RData::PTR(pointer) => pointer.0.to_string(),
        RData::SRV(place) => format!("{} {} {} {}", place.priority, place.weight, place.port, place.target),
        other => panic!("an unexpected {other:?}"),
    }
}
