//! Chooses a node for a pod, or says in words why there is none.

use std::{collections::BTreeMap, fmt, sync::Arc};

use names::Timestamp;
use serde_json::json;

use crate::{
    Node, Pod,
    action::{Action, Kind, Notice, Plan, Target, as_value},
    meta::{Condition, condition, whole_seconds},
    pod::{NodeSelectorTerm, amounts},
};

/// Why no node will do: how many nodes there are, and how many have which fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoNode {
    nodes: usize,
    faults: BTreeMap<String, usize>,
}

impl fmt::Display for NoNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nodes == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        let mut faults: Vec<String> = self.faults.iter().map(|(fault, count)| format!("{count} {fault}")).collect();
        faults.sort();
        write!(f, "0/{} nodes are available: {}.", self.nodes, faults.join(", "))
    }
}

/// Whether the pod waits for a node and may have one.
pub fn is_waiting(pod: &Pod) -> bool {
    let ours = matches!(pod.spec.scheduler_name.as_str(), "" | "default-scheduler");
    !pod.is_bound() && pod.is_active() && ours && pod.spec.scheduling_gates.is_empty()
}

/// The fitting node with the fewest siblings of the pod, then with the fewest pods.
///
/// `pods` are all pods of the cluster.
pub fn choose(pod: &Pod, nodes: &[Arc<Node>], pods: &[Arc<Pod>]) -> Result<String, NoNode> {
    let mut faults: BTreeMap<String, usize> = BTreeMap::new();
    let mut best: Option<(usize, usize, &str)> = None;
    for node in nodes {
        let name = node.metadata.name.as_str();
        let tenants: Vec<&Pod> =
            pods.iter().filter(|it| it.spec.node_name == name && !it.is_finished()).map(|it| &**it).collect();
        let found = faults_of(pod, node, &tenants);
        if found.is_empty() {
            let siblings = tenants.iter().filter(|it| are_siblings(it, pod)).count();
            let rank = (siblings, tenants.len(), name);
            best = Some(best.map_or(rank, |known| known.min(rank)));
        }
        for fault in found {
            *faults.entry(fault).or_default() += 1;
        }
    }
    best.map(|(_, _, name)| name.to_owned()).ok_or(NoNode { nodes: nodes.len(), faults })
}

fn are_siblings(a: &Pod, b: &Pod) -> bool {
    let owner = |pod: &Pod| pod.metadata.controller().map(|owner| owner.uid.clone());
    a.metadata.namespace == b.metadata.namespace && owner(a).is_some() && owner(a) == owner(b)
}

fn faults_of(pod: &Pod, node: &Node, tenants: &[&Pod]) -> Vec<String> {
    let tolerations = &pod.spec.tolerations;
    let taints = node.effective_taints();
    let hard = taints.iter().filter(|taint| taint.effect != "PreferNoSchedule");
    if node.spec.unschedulable && !taints.iter().any(|taint| taint.key.ends_with("/unschedulable") && taint.is_tolerated(tolerations)) {
        return vec!["node(s) were unschedulable".to_owned()];
    }
    if let Some(taint) = hard.into_iter().find(|taint| !taint.is_tolerated(tolerations)) {
        return vec![format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value)];
    }
    if !matches_node(pod, node) {
        return vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
    }
    if !has_free_ports(pod, tenants) {
        return vec!["node(s) didn't have free ports for the requested pod ports".to_owned()];
    }
    lacking(pod, node, tenants)
}

fn matches_node(pod: &Pod, node: &Node) -> bool {
    let labels = &node.metadata.labels;
    let selected = pod.spec.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value));
    let term_holds = |term: &NodeSelectorTerm| {
        let named = !term.match_expressions.is_empty() || !term.match_fields.is_empty();
        named
            && term.match_expressions.iter().all(|it| it.holds(labels.get(&it.key)))
            && term.match_fields.iter().all(|it| it.key == "metadata.name" && it.holds(Some(&node.metadata.name)))
    };
    let required = pod.spec.affinity.node_affinity.required.as_ref();
    selected && required.is_none_or(|selector| selector.node_selector_terms.iter().any(term_holds))
}

fn has_free_ports(pod: &Pod, tenants: &[&Pod]) -> bool {
    let ports = |pod: &Pod| -> Vec<(u16, bool)> {
        let all = pod.spec.containers.iter().flat_map(|container| &container.ports);
        all.filter(|port| port.host_port > 0).map(|port| (port.host_port, port.protocol == "UDP")).collect()
    };
    let wanted = ports(pod);
    wanted.is_empty() || tenants.iter().flat_map(|it| ports(it)).all(|taken| !wanted.contains(&taken))
}

fn lacking(pod: &Pod, node: &Node, tenants: &[&Pod]) -> Vec<String> {
    let offered = amounts(&node.status.allocatable);
    let mut faults = Vec::new();
    if offered.get("pods").is_some_and(|room| i64::try_from(tenants.len()).unwrap_or(i64::MAX).saturating_mul(1000) >= *room) {
        faults.push("Too many pods".to_owned());
    }
    let requests = pod.requests();
    if requests.values().all(|amount| *amount == 0) {
        return faults;
    }
    let taken: Vec<BTreeMap<String, i64>> = tenants.iter().map(|it| it.requests()).collect();
    for (name, wanted) in requests.into_iter().filter(|(_, wanted)| *wanted > 0) {
        let used: i64 = taken.iter().filter_map(|it| it.get(&name)).fold(0, |sum, it| sum.saturating_add(*it));
        let room = offered.get(&name).copied().unwrap_or(0).saturating_sub(used);
        if wanted > room {
            faults.push(format!("Insufficient {name}"));
        }
    }
    faults
}

/// Tells the pod and people why it waits; nothing if that was said before.
pub fn plan_unschedulable(pod: &Pod, why: &NoNode, now: Timestamp) -> Plan {
    let message = why.to_string();
    let known = condition(&pod.status.conditions, "PodScheduled");
    if known.is_some_and(|known| known.status == "False" && known.message == message) {
        return Plan::default();
    }
    let since = known.filter(|known| known.status == "False").and_then(|known| known.last_transition_time);
    let mut conditions = pod.status.conditions.clone();
    conditions.retain(|condition| condition.kind != "PodScheduled");
    conditions.push(Condition {
        kind: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: "Unschedulable".to_owned(),
        message: message.clone(),
        last_transition_time: since.or(Some(whole_seconds(now))),
        last_update_time: None,
    });
    let target = Target::of(Kind::Pod, &pod.metadata);
    let patch = json!({ "status": { "conditions": as_value(&conditions) } });
    let notice = Notice::warning("FailedScheduling", message);
    Plan { actions: vec![Action::PatchStatus { target: target.clone(), patch }, Action::Tell { about: target, notice }], wake: None }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn pods_spread_over_fitting_nodes() {
        check(json!({}), "a 1 8, b 1 8", "", "a");
        check(json!({}), "a 1 8, b 1 8", "a", "b");
        check(json!({ "nodeSelector": { "kubernetes.io/hostname": "b" } }), "a 1 8, b 1 8", "b b", "b");
    }

    #[test]
    fn reasons_are_counted_in_words() {
        check(json!({}), "", "", "no nodes available to schedule pods");
        let large = json!({ "containers": [{ "resources": { "requests": { "cpu": "2", "memory": "9" } } }] });
        check(large.clone(), "a 1 8, b 3 8", "", "0/2 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.");
        check(large, "a 9 9 tainted", "", "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: db}.");
        check(json!({ "nodeSelector": { "disk": "ssd" } }), "a 1 8", "", "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
        check(json!({}), "a 1 8 unready", "", "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.");
        check(json!({}), "a 1 8 cordoned", "", "0/1 nodes are available: 1 node(s) were unschedulable.");
    }

    #[test]
    fn tolerated_taints_do_not_matter() {
        check(json!({ "tolerations": [{ "key": "dedicated", "value": "db" }] }), "a 1 8 tainted", "", "a");
    }

    /// Nodes: name, cpu, memory and words; `placed` names the node of each sibling that runs already.
    #[track_caller]
    fn check(spec: Value, nodes: &str, placed: &str, expected: &str) {
        let pod = |spec: Value| -> Pod {
            let metadata = json!({ "name": "p", "ownerReferences": [{ "uid": "set", "controller": true }] });
            serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).expect("a pod")
        };
        let nodes: Vec<Arc<Node>> = nodes.split(", ").filter(|it| !it.is_empty()).map(|text| Arc::new(node(text))).collect();
        let placed: Vec<Arc<Pod>> = placed.split_whitespace().map(|name| Arc::new(pod(json!({ "nodeName": name })))).collect();
        let answer = choose(&pod(spec), &nodes, &placed).unwrap_or_else(|why| why.to_string());
        assert_eq!(answer, expected);
    }

    fn node(text: &str) -> Node {
        let words: Vec<&str> = text.split(' ').collect();
        let is = |word: &str| words.contains(&word);
        serde_json::from_value(json!({
            "metadata": { "name": words[0], "labels": { "kubernetes.io/hostname": words[0] } },
            "spec": {
                "unschedulable": is("cordoned"),
                "taints": if is("tainted") { json!([{ "key": "dedicated", "value": "db", "effect": "NoSchedule" }]) } else { json!([]) },
            },
            "status": {
                "allocatable": { "cpu": words[1], "memory": words[2], "pods": 110 },
                "conditions": [{ "type": "Ready", "status": if is("unready") { "False" } else { "True" } }],
            },
        }))
        .expect("a node")
    }
}
