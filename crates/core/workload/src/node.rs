//! Nodes: what they offer, what keeps pods off them, and what becomes of their pods when they fall silent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use names::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Meta, Object, Pod,
    action::{Action, Kind, Notice, Plan, Propagation, Target, as_value},
    meta::{Condition, condition, whole_seconds},
    pod::Toleration,
};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// How long pods that say nothing else stay on a lost node, as on any cluster.
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Node {
    pub metadata: Meta,
    pub spec: NodeSpec,
    pub status: NodeStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NodeSpec {
    pub unschedulable: bool,
    pub taints: Vec<Taint>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    pub key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    pub effect: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_added: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    pub allocatable: BTreeMap<String, Value>,
    pub conditions: Vec<Condition>,
}

/// The heartbeat of a node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Lease {
    pub metadata: Meta,
    pub spec: LeaseSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeaseSpec {
    pub renew_time: Option<Timestamp>,
}

impl Object for Node {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Object for Lease {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Taint {
    pub fn is_tolerated(&self, tolerations: &[Toleration]) -> bool {
        tolerations.iter().any(|toleration| toleration.covers(self))
    }
}

impl Toleration {
    pub fn covers(&self, taint: &Taint) -> bool {
        let effect = self.effect.is_empty() || self.effect == taint.effect;
        let key = self.key.is_empty() || self.key == taint.key;
        let value = match self.operator.as_str() {
            "Exists" => true,
            _ => !self.key.is_empty() && self.value == taint.value,
        };
        effect && key && value
    }
}

impl Node {
    /// The taints that the node has, and those that its state would earn it at the next look.
    pub fn effective_taints(&self) -> Vec<Taint> {
        let mut taints = self.spec.taints.clone();
        for taint in self.earned_taints() {
            if !taints.iter().any(|known| known.key == taint.key && known.effect == taint.effect) {
                taints.push(taint);
            }
        }
        taints
    }

    fn earned_taints(&self) -> Vec<Taint> {
        let taint = |key: &str, effect: &str| Taint { key: key.to_owned(), effect: effect.to_owned(), ..Taint::default() };
        let mut earned = match condition(&self.status.conditions, "Ready").map(|ready| ready.status.as_str()) {
            Some("True") => Vec::new(),
            Some("Unknown") => vec![taint(UNREACHABLE, "NoSchedule"), taint(UNREACHABLE, "NoExecute")],
            Some(_) | None => vec![taint(NOT_READY, "NoSchedule"), taint(NOT_READY, "NoExecute")],
        };
        if self.spec.unschedulable {
            earned.push(taint(UNSCHEDULABLE, "NoSchedule"));
        }
        earned
    }
}

/// Looks after one node: silent ones are declared lost, and pods that do not tolerate that are moved.
///
/// `heard` is when this process last saw the heartbeat change; the node's own
/// clock does not matter. `pods` are those bound to the node.
pub fn plan(node: &Node, pods: &[Arc<Pod>], heard: Timestamp, grace: Duration, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut node = node.clone();
    let target = Target::of(Kind::Node, &node.metadata);
    let ready = condition(&node.status.conditions, "Ready").map_or("", |ready| ready.status.as_str()).to_owned();
    let silent = heard + grace <= now;
    if silent && ready != "Unknown" {
        node.status.conditions = lost(&node.status.conditions, now);
        let patch = json!({ "status": { "conditions": as_value(&node.status.conditions) } });
        plan.actions.push(Action::PatchStatus { target: target.clone(), patch });
        let message = format!("Node {} status is now: NodeNotReady", node.metadata.name);
        plan.actions.push(Action::Tell { about: target.clone(), notice: Notice::normal("NodeNotReady", message) });
    } else if !silent {
        plan.wake_at(heard + grace);
    }
    plan_taints(&mut node, target, now, &mut plan);
    if node.earned_taints().iter().any(|taint| taint.effect == "NoExecute") {
        let seen = pods.iter().filter(|pod| pod.is_active() && pod.is_ready());
        plan.actions.extend(seen.map(|pod| not_ready(pod, now)));
    }
    plan_evictions(&node, pods, now, &mut plan);
    plan
}

/// Pods of a node that no longer exists cannot end in order.
pub fn plan_missing(pods: &[Arc<Pod>]) -> Plan {
    let actions = pods.iter().map(|pod| Action::Kill { target: Target::of(Kind::Pod, &pod.metadata) });
    Plan { actions: actions.collect(), wake: None }
}

fn lost(conditions: &[Condition], now: Timestamp) -> Vec<Condition> {
    let mut conditions = conditions.to_vec();
    conditions.retain(|condition| condition.kind != "Ready");
    conditions.push(Condition {
        kind: "Ready".to_owned(),
        status: "Unknown".to_owned(),
        reason: "NodeStatusUnknown".to_owned(),
        message: "Kubelet stopped posting node status.".to_owned(),
        last_transition_time: Some(whole_seconds(now)),
        last_update_time: None,
    });
    conditions
}

fn plan_taints(node: &mut Node, target: Target, now: Timestamp, plan: &mut Plan) {
    let mut earned = node.earned_taints();
    let own = |taint: &Taint| [NOT_READY, UNREACHABLE, UNSCHEDULABLE].contains(&taint.key.as_str());
    let known = |taint: &Taint| node.spec.taints.iter().find(|it| it.key == taint.key && it.effect == taint.effect);
    for taint in &mut earned {
        taint.time_added = match known(taint) {
            Some(known) => known.time_added,
            None => Some(whole_seconds(now)),
        };
    }
    let mut taints: Vec<Taint> = node.spec.taints.iter().filter(|taint| !own(taint)).cloned().collect();
    taints.extend(earned);
    if taints != node.spec.taints {
        let patch = json!({ "spec": { "taints": as_value(&taints) } });
        plan.actions.push(Action::Patch { target, patch });
        node.spec.taints = taints;
    }
}

/// Nobody can say whether a pod on a lost node still answers, so it must not get requests.
fn not_ready(pod: &Pod, now: Timestamp) -> Action {
    let mut conditions = pod.status.conditions.clone();
    for condition in &mut conditions {
        if condition.kind == "Ready" {
            condition.status = "False".to_owned();
            condition.last_transition_time = Some(whole_seconds(now));
        }
    }
    let patch = json!({ "status": { "conditions": as_value(&conditions) } });
    Action::PatchStatus { target: Target::of(Kind::Pod, &pod.metadata), patch }
}

fn plan_evictions(node: &Node, pods: &[Arc<Pod>], now: Timestamp, plan: &mut Plan) {
    let taints: Vec<&Taint> = node.spec.taints.iter().filter(|taint| taint.effect == "NoExecute").collect();
    for pod in pods.iter().filter(|pod| pod.is_active()) {
        let Some(at) = taints.iter().filter_map(|taint| leaves_at(pod, taint, now)).min() else { continue };
        if at > now {
            plan.wake_at(at);
            continue;
        }
        let target = Target::of(Kind::Pod, &pod.metadata);
        let message = format!("Marking for deletion Pod {}", target.key);
        plan.actions.push(Action::Tell { about: target.clone(), notice: Notice::normal("TaintManagerEviction", message) });
        plan.actions.push(Action::Delete { target, propagation: Propagation::Background });
    }
}

/// `None` when the pod may stay for good.
fn leaves_at(pod: &Pod, taint: &Taint, now: Timestamp) -> Option<Timestamp> {
    let since = taint.time_added.unwrap_or(now);
    let covering: Vec<&Toleration> = pod.spec.tolerations.iter().filter(|it| it.covers(taint)).collect();
    if covering.is_empty() {
        let by_default = [NOT_READY, UNREACHABLE].contains(&taint.key.as_str());
        return Some(if by_default { since + DEFAULT_TOLERANCE } else { now });
    }
    let seconds = covering.iter().filter_map(|it| it.toleration_seconds).min()?;
    Some(since + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeat_in_time_needs_nothing() {
        check("True", 10, "wake 1970-01-01T00:00:40Z\n");
    }

    #[test]
    fn silent_node_is_lost_and_its_pods_leave_in_time() {
        check(
            "True",
            40,
            "status Node a {\"conditions\":[{\"type\":\"Ready\",\"status\":\"Unknown\",\"reason\":\"NodeStatusUnknown\",\"message\":\"Kubelet stopped posting node status.\",\"lastTransitionTime\":\"1970-01-01T00:00:40Z\"}]}\n\
             tell Node a NodeNotReady: Node a status is now: NodeNotReady\n\
             patch Node a {\"spec\":{\"taints\":[{\"key\":\"node.kubernetes.io/unreachable\",\"effect\":\"NoSchedule\",\"timeAdded\":\"1970-01-01T00:00:40Z\"},{\"key\":\"node.kubernetes.io/unreachable\",\"effect\":\"NoExecute\",\"timeAdded\":\"1970-01-01T00:00:40Z\"}]}}\n\
             wake 1970-01-01T00:05:40Z\n",
        );
    }

    #[track_caller]
    fn check(ready: &str, seconds: u64, expected: &str) {
        let node: Node = serde_json::from_value(json!({
            "metadata": { "name": "a" }, "status": { "conditions": [{ "type": "Ready", "status": ready }] } }))
        .expect("a node");
        let pod: Pod = serde_json::from_value(json!({ "metadata": { "name": "p" }, "spec": { "nodeName": "a" } })).expect("a pod");
        let start = Timestamp::from_micros(0);
        let now = start + Duration::from_secs(seconds);
        let plan = plan(&node, &[Arc::new(pod)], start, Duration::from_secs(40), now);
        assert_eq!(plan.to_string(), expected);
    }
}
