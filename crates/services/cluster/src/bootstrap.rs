//! The objects every cluster has from the start, and those every namespace has.
//!
//! A namespace gets its default service account and the certificate of the
//! cluster in the same commit in which it is made, so a pod that is created
//! right after it needs not wait for a controller.

use names::Timestamp;
use resource::{Kind, defaults, status::Status};
use serde_json::{Value, json};

use crate::{
    admission,
    object::{self, Key},
    prepare,
    server::{Server, known, now, shelf},
    store::{Mode, Transaction},
};

const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// The map in every namespace from which pods take the cluster's certificate.
const CERTIFICATE: &str = "kube-root-ca.crt";

/// Makes what is missing.
pub fn run(server: &Server) -> Result<(), Status> {
    refurnish(server)?;
    for name in NAMESPACES {
        let mut namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        ensure(server, known("v1", "Namespace"), &mut namespace)?;
    }
    let address = server.config.server_address;
    let mut kubernetes = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": { "component": "apiserver", "provider": "kubernetes" },
        },
        "spec": {
            "clusterIP": server.config.service_cidr.first_host().to_string(),
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": address.port() }],
        },
    });
    ensure(server, known("v1", "Service"), &mut kubernetes)?;
    let mut dns = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "kube-dns", "namespace": "kube-system",
            "labels": {
                "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS",
            },
        },
        "spec": {
            "clusterIP": server.config.dns_ip.to_string(),
            "ports": [
                { "name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53 },
                { "name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53 },
            ],
        },
    });
    ensure(server, known("v1", "Service"), &mut dns)?;
    announce_server(server)
}

/// Where the API server is, for those who look up the service `kubernetes`; it may have moved since the last start.
fn announce_server(server: &Server) -> Result<(), Status> {
    let address = server.config.server_address;
    let (ip, port) = (address.ip().to_string(), address.port());
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" },
        },
        "subsets": [{ "addresses": [{ "ip": ip }], "ports": [{ "name": "https", "port": port, "protocol": "TCP" }] }],
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": { "kubernetes.io/service-name": "kubernetes" },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [ip], "conditions": { "ready": true } }],
        "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
    });
    for (kind, wanted, member) in [
        (known("v1", "Endpoints"), endpoints, "subsets"),
        (
            known("discovery.k8s.io/v1", "EndpointSlice"),
            slice,
            "ports",
        ),
    ] {
        let there = server.find(kind, "default", "kubernetes");
        let is_right = there.as_ref().is_some_and(|it| {
            it.value[member] == wanted[member]
                && it.value["endpoints"][0]["addresses"] == wanted["endpoints"][0]["addresses"]
        });
        if is_right {
            continue;
        }
        let mut next = new(kind, wanted);
        if let Some(there) = &there {
            for member in ["uid", "creationTimestamp"] {
                object::copy_metadata(&mut next, &there.value, member);
            }
        }
        server.store.commit(Mode::Commit, |transaction| {
            transaction.put(shelf(kind), Key::new("default", "kubernetes"), next);
            Ok::<_, Status>(())
        })?;
    }
    Ok(())
}

/// Stores an object unless one of its name is there.
fn ensure(server: &Server, kind: &'static Kind, value: &mut Value) -> Result<(), Status> {
    let mut value = new(kind, value.take());
    admission::create(server, kind, &mut value)?;
    let key = Key::new(object::namespace(&value), object::name(&value));
    server.store.commit(Mode::Commit, |transaction| {
        if transaction.get(shelf(kind), &key).is_some() {
            return Ok(());
        }
        admission::enter(server, kind, &mut value, transaction)?;
        transaction.put(shelf(kind), key, value);
        Ok::<_, Status>(())
    })?;
    Ok(())
}

/// Puts into a new namespace what every namespace has.
pub fn furnish(server: &Server, namespace: &str, transaction: &mut Transaction<'_>) {
    let furniture = [
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": "default", "namespace": namespace },
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": CERTIFICATE, "namespace": namespace,
                "annotations": {
                    "kubernetes.io/description":
                        "Contains the CA bundle with which clients in this cluster check the API server's certificate.",
                },
            },
            "data": { "ca.crt": server.config.ca_pem },
        }),
    ];
    for value in furniture {
        let kind = known("v1", object::text(&value, &["kind"]));
        let key = Key::new(namespace, object::name(&value));
        if transaction.get(shelf(kind), &key).is_none() {
            transaction.put(shelf(kind), key, new(kind, value));
        }
    }
}

/// Sees to it that namespaces from an earlier life have what they need, and the certificate of this one.
fn refurnish(server: &Server) -> Result<(), Status> {
    let maps = known("v1", "ConfigMap");
    let (_, namespaces) = server.store.list(shelf(known("v1", "Namespace")), None);
    for namespace in namespaces
        .iter()
        .filter(|it| !object::is_terminating(&it.value))
    {
        let name = object::name(&namespace.value);
        server.store.commit(Mode::Commit, |transaction| {
            furnish(server, name, transaction);
            let key = Key::new(name, CERTIFICATE);
            let there = transaction.get(shelf(maps), &key).cloned();
            if let Some(there) =
                there.filter(|it| it.value["data"]["ca.crt"] != server.config.ca_pem.as_str())
            {
                let mut next = there.value.clone();
                object::child(&mut next, "data").insert(
                    "ca.crt".to_owned(),
                    Value::from(server.config.ca_pem.as_str()),
                );
                transaction.put(shelf(maps), key, next);
            }
            Ok::<_, Status>(())
        })?;
    }
    Ok(())
}

/// A new object of the server's own making.
fn new(kind: &Kind, mut value: Value) -> Value {
    let now: Timestamp = now();
    let namespace = object::namespace(&value).to_owned();
    let namespace = (!namespace.is_empty()).then_some(namespace.as_str());
    prepare::create(kind, &mut value, namespace, now).expect("our own objects lie where they say");
    defaults::apply(kind, &mut value);
    value
}
