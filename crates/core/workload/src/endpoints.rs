//! Which pods stand behind a Service: EndpointSlices, and the older Endpoints.
//!
//! A pod that is asked to go leaves the ready set at once, however its own
//! readiness looks, so that nobody sends it anything new.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Labels, Meta, Object, Pod,
    action::{Action, Kind, Plan, Propagation, Target, as_value},
    replica_set::owner_reference,
};

/// The label that ties a slice to its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";
/// Kubernetes' own limit, so that one change does not resend thousands of addresses.
const SLICE_LIMIT: usize = 100;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Service {
    pub metadata: Meta,
    pub spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(rename = "clusterIP")]
    pub cluster_ip: String,
    pub external_name: String,
    pub selector: Labels,
    pub ports: Vec<ServicePort>,
    pub publish_not_ready_addresses: bool,
    pub session_affinity: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    pub name: String,
    pub protocol: String,
    pub port: u16,
    pub target_port: Value,
    pub node_port: u16,
    pub app_protocol: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSlice {
    pub metadata: Meta,
    pub address_type: String,
    pub endpoints: Vec<Endpoint>,
    pub ports: Vec<EndpointPort>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    pub addresses: Vec<String>,
    pub conditions: EndpointConditions,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<TargetRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct EndpointConditions {
    pub ready: Option<bool>,
    pub serving: Option<bool>,
    pub terminating: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct TargetRef {
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointPort {
    pub name: String,
    pub port: u16,
    pub protocol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
}

/// The older form of the same facts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    pub metadata: Meta,
    pub subsets: Value,
}

impl Object for Service {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Object for EndpointSlice {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Object for Endpoints {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Service {
    pub fn is_headless(&self) -> bool {
        self.spec.cluster_ip == "None"
    }

    /// Whether this controller keeps its endpoints; without a selector somebody else does.
    pub fn selects_pods(&self) -> bool {
        !self.spec.selector.is_empty() && self.spec.kind != "ExternalName"
    }

    pub fn selects(&self, pod: &Pod) -> bool {
        self.selects_pods() && self.spec.selector.iter().all(|(key, value)| pod.metadata.labels.get(key) == Some(value))
    }
}

impl Endpoint {
    /// A missing condition means ready, says the API.
    pub fn is_ready(&self) -> bool {
        self.conditions.ready.unwrap_or(true)
    }
}

impl EndpointSlice {
    pub fn service(&self) -> Option<&str> {
        self.metadata.labels.get(SERVICE_NAME).map(String::as_str)
    }
}

/// Brings the slices and the Endpoints of a Service in line with its pods.
///
/// `slices` are those that carry the Service's name; slices of other managers are left alone.
pub fn plan(service: &Service, pods: &[Arc<Pod>], slices: &[Arc<EndpointSlice>], endpoints: Option<&Endpoints>) -> Plan {
    let mut plan = Plan::default();
    if service.metadata.is_going() || !service.selects_pods() {
        return plan;
    }
    let groups = group_by_ports(service, pods);
    plan_slices(service, &groups, slices, &mut plan);
    plan_endpoints(service, &groups, endpoints, &mut plan);
    plan
}

type Groups = BTreeMap<Vec<EndpointPort>, Vec<Endpoint>>;

/// Named target ports may mean other numbers in other pods; each set of numbers has slices of its own.
fn group_by_ports(service: &Service, pods: &[Arc<Pod>]) -> Groups {
    let mut groups = Groups::new();
    for pod in pods.iter().filter(|pod| service.selects(pod) && !pod.is_finished() && !pod.status.pod_ip.is_empty()) {
        groups.entry(ports(service, pod)).or_default().push(endpoint(service, pod));
    }
    for endpoints in groups.values_mut() {
        endpoints.sort_by(|a, b| a.addresses.cmp(&b.addresses));
    }
    // An empty slice tells that the Service is known and has nobody.
    if groups.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    groups
}

fn ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let resolve = |port: &ServicePort| match &port.target_port {
        Value::String(name) => pod
            .spec
            .containers
            .iter()
            .chain(&pod.spec.init_containers)
            .flat_map(|container| &container.ports)
            .find(|it| it.name == *name && protocol(&it.protocol) == protocol(&port.protocol))
            .map(|it| it.container_port)
            .or_else(|| name.parse().ok()),
        Value::Number(number) if number.as_u64() != Some(0) => number.as_u64().and_then(|it| u16::try_from(it).ok()),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Some(port.port),
    };
    let entry = |port: &ServicePort| {
        Some(EndpointPort {
            name: port.name.clone(),
            port: resolve(port)?,
            protocol: protocol(&port.protocol).to_owned(),
            app_protocol: port.app_protocol.clone(),
        })
    };
    service.spec.ports.iter().filter_map(entry).collect()
}

fn protocol(text: &str) -> &str {
    if text.is_empty() { "TCP" } else { text }
}

fn endpoint(service: &Service, pod: &Pod) -> Endpoint {
    let terminating = pod.metadata.is_going();
    let serving = pod.is_ready();
    let ready = service.spec.publish_not_ready_addresses || (serving && !terminating);
    let has_name = !pod.spec.hostname.is_empty() && pod.spec.subdomain == service.metadata.name;
    Endpoint {
        addresses: vec![pod.status.pod_ip.clone()],
        conditions: EndpointConditions { ready: Some(ready), serving: Some(serving), terminating: Some(terminating) },
        hostname: has_name.then(|| pod.spec.hostname.clone()),
        target_ref: Some(TargetRef {
            kind: "Pod".to_owned(),
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
        }),
        node_name: pod.is_bound().then(|| pod.spec.node_name.clone()),
    }
}

fn plan_slices(service: &Service, groups: &Groups, slices: &[Arc<EndpointSlice>], plan: &mut Plan) {
    let is_own = |slice: &&Arc<EndpointSlice>| {
        slice.metadata.labels.get(MANAGED_BY).map(String::as_str) == Some(MANAGER) && !slice.metadata.is_going()
    };
    let mut free: Vec<&Arc<EndpointSlice>> = slices.iter().filter(is_own).collect();
    let mut labels = service.metadata.labels.clone();
    labels.insert(SERVICE_NAME.to_owned(), service.metadata.name.clone());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if service.is_headless() {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    for (ports, endpoints) in groups {
        let parts = endpoints.chunks(SLICE_LIMIT).map(<[Endpoint]>::to_vec);
        let parts: Vec<Vec<Endpoint>> = if endpoints.is_empty() { vec![Vec::new()] } else { parts.collect() };
        for part in parts {
            // The slice that has these ports already changes least.
            let chosen = free.iter().position(|slice| slice.ports == *ports).or((!free.is_empty()).then_some(0));
            let Some(index) = chosen else {
                let manifest = new_slice(service, &labels, ports, &part);
                plan.actions.push(Action::Create { kind: Kind::EndpointSlice, manifest });
                continue;
            };
            let slice = free.remove(index);
            if slice.endpoints == part && slice.ports == *ports && slice.metadata.labels == labels {
                continue;
            }
            let mut new_labels = as_value(&labels);
            for old in slice.metadata.labels.keys().filter(|key| !labels.contains_key(*key)) {
                new_labels[old] = Value::Null;
            }
            let patch = json!({ "metadata": { "labels": new_labels }, "endpoints": as_value(&part), "ports": as_value(ports) });
            plan.actions.push(Action::Patch { target: Target::of(Kind::EndpointSlice, &slice.metadata), patch });
        }
    }
    plan.actions.extend(free.into_iter().map(|slice| Action::Delete {
        target: Target::of(Kind::EndpointSlice, &slice.metadata),
        propagation: Propagation::Background,
    }));
}

fn new_slice(service: &Service, labels: &Labels, ports: &[EndpointPort], endpoints: &[Endpoint]) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": format!("{}-", service.metadata.name),
            "namespace": service.metadata.namespace,
            "labels": labels,
            "ownerReferences": [as_value(&owner_reference(Kind::Service, &service.metadata))],
        },
        "addressType": "IPv4",
        "endpoints": as_value(&endpoints),
        "ports": as_value(&ports),
    })
}

fn plan_endpoints(service: &Service, groups: &Groups, known: Option<&Endpoints>, plan: &mut Plan) {
    let address = |endpoint: &Endpoint| {
        let mut address = json!({ "ip": endpoint.addresses[0] });
        if let Some(hostname) = &endpoint.hostname {
            address["hostname"] = json!(hostname);
        }
        if let Some(node) = &endpoint.node_name {
            address["nodeName"] = json!(node);
        }
        address["targetRef"] = as_value(&endpoint.target_ref);
        address
    };
    let mut subsets = Vec::new();
    for (ports, endpoints) in groups.iter().filter(|(_, endpoints)| !endpoints.is_empty()) {
        let (ready, rest): (Vec<&Endpoint>, Vec<&Endpoint>) = endpoints.iter().partition(|it| it.is_ready());
        let waiting: Vec<&Endpoint> = rest.into_iter().filter(|it| it.conditions.terminating != Some(true)).collect();
        let mut subset = json!({});
        if !ready.is_empty() {
            subset["addresses"] = ready.into_iter().map(address).collect();
        }
        if !waiting.is_empty() {
            subset["notReadyAddresses"] = waiting.into_iter().map(address).collect();
        }
        if subset.as_object().is_some_and(|subset| !subset.is_empty()) {
            let port = |port: &EndpointPort| {
                let mut port = as_value(port);
                if port["name"] == "" {
                    port.as_object_mut().and_then(|port| port.shift_remove("name"));
                }
                port
            };
            subset["ports"] = ports.iter().map(port).collect();
            subsets.push(subset);
        }
    }
    let subsets = if subsets.is_empty() { Value::Null } else { Value::Array(subsets) };
    match known {
        Some(known) if known.subsets == subsets => {}
        Some(known) => {
            let target = Target::of(Kind::Endpoints, &known.metadata);
            plan.actions.push(Action::Patch { target, patch: json!({ "subsets": subsets }) });
        }
        None => {
            let mut manifest = json!({
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {
                    "name": service.metadata.name,
                    "namespace": service.metadata.namespace,
                    "labels": service.metadata.labels,
                },
            });
            if !subsets.is_null() {
                manifest["subsets"] = subsets;
            }
            plan.actions.push(Action::Create { kind: Kind::Endpoints, manifest });
        }
    }
}

/// The Endpoints object of a Service that is no more.
pub fn plan_orphan(endpoints: &Endpoints) -> Plan {
    let target = Target::of(Kind::Endpoints, &endpoints.metadata);
    Plan { actions: vec![Action::Delete { target, propagation: Propagation::Background }], wake: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_listed_with_their_conditions() {
        check("10.0.0.2 ready, 10.0.0.3", "8080: 10.0.0.2 ready serving, 10.0.0.3");
    }

    #[test]
    fn pod_on_its_way_out_is_not_ready_but_may_serve() {
        check("10.0.0.2 ready going", "8080: 10.0.0.2 serving terminating");
    }

    #[test]
    fn pods_without_address_or_life_are_left_out() {
        check("- ready, 10.0.0.2 ready finished", ": ");
    }

    #[track_caller]
    fn check(pods: &str, expected: &str) {
        let service: Service = serde_json::from_value(json!({
            "metadata": { "name": "web", "namespace": "n" },
            "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": "http" }] },
        }))
        .expect("a service");
        let pods: Vec<Arc<Pod>> = pods.split(", ").map(|text| Arc::new(pod(text))).collect();
        let plan = plan(&service, &pods, &[], None);
        let Some(Action::Create { manifest, .. }) = plan.actions.first() else { panic!("no slice in {plan}") };
        let slice: EndpointSlice = serde_json::from_value(manifest.clone()).expect("a slice");
        let ports: Vec<String> = slice.ports.iter().map(|port| port.port.to_string()).collect();
        let line = |it: &Endpoint| {
            let marks = [(it.conditions.ready, " ready"), (it.conditions.serving, " serving"), (it.conditions.terminating, " terminating")];
            let marks: String = marks.into_iter().filter(|(on, _)| *on == Some(true)).map(|(_, mark)| mark).collect();
            format!("{}{marks}", it.addresses[0])
        };
        let endpoints: Vec<String> = slice.endpoints.iter().map(line).collect();
        assert_eq!(format!("{}: {}", ports.join(" "), endpoints.join(", ")), expected);
        let unchanged = super::plan(&service, &pods, &[Arc::new(slice)], None);
        assert_eq!(unchanged.actions.iter().filter(|action| !matches!(action, Action::Create { kind: Kind::Endpoints, .. })).count(), 0);
    }

    fn pod(text: &str) -> Pod {
        let is = |word: &str| text.split(' ').any(|it| it == word);
        let address = text.split(' ').next().filter(|it| *it != "-").unwrap_or_default();
        let ready = if is("ready") { "True" } else { "False" };
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "p", "labels": { "app": "web" } },
            "spec": { "containers": [{ "ports": [{ "name": "http", "containerPort": 8080 }] }] },
            "status": { "podIP": address, "phase": if is("finished") { "Failed" } else { "Running" },
                "conditions": [{ "type": "Ready", "status": ready }] },
        }))
        .expect("a pod");
        if is("going") {
            pod.metadata.deletion_timestamp = Some(names::Timestamp::default());
        }
        pod
    }
}
