//! Pods, as the controllers read them.

use std::{collections::BTreeMap, time::Duration};

use names::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Labels, Meta, Object,
    amount::thousandths,
    meta::{Condition, condition},
    selector::Requirement,
};

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Pod {
    pub metadata: Meta,
    pub spec: PodSpec,
    pub status: PodStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    pub node_name: String,
    pub containers: Vec<Container>,
    pub init_containers: Vec<Container>,
    pub node_selector: Labels,
    pub affinity: Affinity,
    pub tolerations: Vec<Toleration>,
    pub scheduling_gates: Vec<Value>,
    pub scheduler_name: String,
    pub hostname: String,
    pub subdomain: String,
    pub overhead: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub name: String,
    pub ports: Vec<ContainerPort>,
    pub resources: Resources,
    pub restart_policy: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    pub name: String,
    pub container_port: u16,
    pub host_port: u16,
    pub protocol: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Resources {
    pub requests: BTreeMap<String, Value>,
    pub limits: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Affinity {
    pub node_affinity: NodeAffinity,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NodeAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Option<NodeSelector>,
}

/// One of the terms must match.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelector {
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelectorTerm {
    pub match_expressions: Vec<Requirement>,
    pub match_fields: Vec<Requirement>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    pub key: String,
    pub operator: String,
    pub value: String,
    pub effect: String,
    pub toleration_seconds: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub phase: String,
    #[serde(rename = "podIP")]
    pub pod_ip: String,
    pub conditions: Vec<Condition>,
    pub container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub restart_count: i32,
}

impl Object for Pod {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Pod {
    /// Whether all its containers ended for good.
    pub fn is_finished(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Whether it counts as a replica: neither ended nor on its way out.
    pub fn is_active(&self) -> bool {
        !self.is_finished() && !self.metadata.is_going()
    }

    pub fn is_bound(&self) -> bool {
        !self.spec.node_name.is_empty()
    }

    pub fn ready_condition(&self) -> Option<&Condition> {
        condition(&self.status.conditions, "Ready")
    }

    pub fn is_ready(&self) -> bool {
        self.ready_condition().is_some_and(|ready| ready.status == "True")
    }

    /// When it has been ready for `min_ready`; `None` while it is not ready.
    pub fn available_from(&self, min_ready: Duration) -> Option<Timestamp> {
        let ready = self.ready_condition().filter(|ready| ready.status == "True")?;
        Some(ready.last_transition_time.unwrap_or_default() + min_ready)
    }

    pub fn restarts(&self) -> i32 {
        self.status.container_statuses.iter().map(|container| container.restart_count).max().unwrap_or(0)
    }

    /// What it asks for, in thousandths: the containers together, or the
    /// largest init container (with the sidecars before it) if that is more.
    pub fn requests(&self) -> BTreeMap<String, i64> {
        let mut running = BTreeMap::new();
        for container in &self.spec.containers {
            add(&mut running, &container.requests());
        }
        let mut sidecars = BTreeMap::new();
        let mut peak = BTreeMap::new();
        for container in &self.spec.init_containers {
            let mut now = container.requests();
            if container.restart_policy == "Always" {
                add(&mut sidecars, &now);
                now = BTreeMap::new();
            }
            add(&mut now, &sidecars);
            raise(&mut peak, &now);
        }
        add(&mut running, &sidecars);
        raise(&mut running, &peak);
        add(&mut running, &amounts(&self.spec.overhead));
        running
    }
}

impl Container {
    fn requests(&self) -> BTreeMap<String, i64> {
        let mut requests = amounts(&self.resources.limits);
        requests.extend(amounts(&self.resources.requests));
        requests
    }
}

/// Quantities are text, but plain numbers are allowed too.
pub(crate) fn amounts(quantities: &BTreeMap<String, Value>) -> BTreeMap<String, i64> {
    let amount = |value: &Value| value.as_str().map_or_else(|| thousandths(&value.to_string()), thousandths);
    quantities.iter().map(|(name, value)| (name.clone(), amount(value))).collect()
}

fn add(sum: &mut BTreeMap<String, i64>, more: &BTreeMap<String, i64>) {
    for (name, amount) in more {
        let entry = sum.entry(name.clone()).or_insert(0);
        *entry = entry.saturating_add(*amount);
    }
}

fn raise(high: &mut BTreeMap<String, i64>, other: &BTreeMap<String, i64>) {
    for (name, amount) in other {
        let entry = high.entry(name.clone()).or_insert(0);
        *entry = (*entry).max(*amount);
    }
}
