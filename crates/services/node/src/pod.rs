//! The node's own view of a pod: the fields that decide how it runs, nothing else.
//!
//! Everything here is filled with Kubernetes' defaults where a field is absent, so
//! the rest of the agent never asks what an absent field means.

use std::collections::BTreeMap;

use names::Timestamp;
use serde::Deserialize;
use serde_json::Value;

pub use crate::pod_container::*;
pub use crate::pod_volume::*;

/// Texts by key, as labels and config data are.
pub type Texts = BTreeMap<String, String>;

/// A pod as its node sees it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    pub metadata: Metadata,
    pub spec: PodSpec,
    pub status: Value,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub resource_version: String,
    pub labels: Texts,
    pub annotations: Texts,
    pub deletion_timestamp: Option<Timestamp>,
    pub deletion_grace_period_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum RestartPolicy {
    #[default]
    Always,
    OnFailure,
    Never,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    pub node_name: String,
    pub containers: Vec<Container>,
    pub init_containers: Vec<Container>,
    pub ephemeral_containers: Vec<Value>,
    pub volumes: Vec<Volume>,
    pub restart_policy: RestartPolicy,
    pub termination_grace_period_seconds: u64,
    pub active_deadline_seconds: Option<u64>,
    pub dns_policy: DnsPolicy,
    pub dns_config: DnsConfig,
    pub hostname: Option<String>,
    pub subdomain: Option<String>,
    #[serde(rename = "setHostnameAsFQDN")]
    pub set_hostname_as_fqdn: bool,
    pub host_network: bool,
    #[serde(rename = "hostPID")]
    pub host_pid: bool,
    #[serde(rename = "hostIPC")]
    pub host_ipc: bool,
    pub share_process_namespace: bool,
    pub host_aliases: Vec<HostAlias>,
    pub service_account_name: String,
    pub image_pull_secrets: Vec<LocalReference>,
    pub security_context: PodSecurity,
    pub enable_service_links: bool,
    pub readiness_gates: Vec<ReadinessGate>,
}

impl Default for PodSpec {
    fn default() -> Self {
        Self {
            node_name: String::new(),
            containers: Vec::new(),
            init_containers: Vec::new(),
            ephemeral_containers: Vec::new(),
            volumes: Vec::new(),
            restart_policy: RestartPolicy::Always,
            termination_grace_period_seconds: 30,
            active_deadline_seconds: None,
            dns_policy: DnsPolicy::ClusterFirst,
            dns_config: DnsConfig::default(),
            hostname: None,
            subdomain: None,
            set_hostname_as_fqdn: false,
            host_network: false,
            host_pid: false,
            host_ipc: false,
            share_process_namespace: false,
            host_aliases: Vec::new(),
            service_account_name: String::new(),
            image_pull_secrets: Vec::new(),
            security_context: PodSecurity::default(),
            enable_service_links: true,
            readiness_gates: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum DnsPolicy {
    #[default]
    ClusterFirst,
    ClusterFirstWithHostNet,
    Default,
    None,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DnsConfig {
    pub nameservers: Vec<String>,
    pub searches: Vec<String>,
    pub options: Vec<DnsOption>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DnsOption {
    pub name: String,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HostAlias {
    pub ip: String,
    pub hostnames: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LocalReference {
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessGate {
    pub condition_type: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSecurity {
    pub run_as_user: Option<u32>,
    pub run_as_group: Option<u32>,
    pub run_as_non_root: Option<bool>,
    pub fs_group: Option<u32>,
    pub supplemental_groups: Vec<u32>,
    pub seccomp_profile: Option<SeccompProfile>,
    pub sysctls: Vec<Value>,
}

impl Pod {
    /// Reads a pod as the API writes it; explicit nulls count as absent.
    pub fn read(object: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(without_nulls(object))
    }

    /// Init containers first, then the others, as they are started.
    pub fn all_containers(&self) -> impl DoubleEndedIterator<Item = &Container> {
        self.spec
            .init_containers
            .iter()
            .chain(&self.spec.containers)
    }

    pub fn container(&self, name: &str) -> Option<&Container> {
        self.all_containers()
            .find(|container| container.name == name)
    }

    /// `spec.containers{web}`, as events point to a container.
    pub fn field_path(&self, container: &str) -> String {
        let is_init = self
            .spec
            .init_containers
            .iter()
            .any(|init| init.name == container);
        format!(
            "spec.{}{{{container}}}",
            if is_init {
                "initContainers"
            } else {
                "containers"
            }
        )
    }

    /// `web_shop(4b0c…)`, as the kubelet names a pod in its messages.
    pub fn title(&self) -> String {
        let Metadata {
            name,
            namespace,
            uid,
            ..
        } = &self.metadata;
        format!("{name}_{namespace}({uid})")
    }

    /// How long containers may take to end, counted from the order to end.
    pub fn grace_seconds(&self) -> u64 {
        let metadata = &self.metadata;
        metadata
            .deletion_grace_period_seconds
            .unwrap_or(self.spec.termination_grace_period_seconds)
    }

    pub fn is_being_deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// The quality-of-service class that follows from requests and limits.
    pub fn qos_class(&self) -> &'static str {
        let mut containers = self.all_containers().peekable();
        let mut any = false;
        let mut guaranteed = containers.peek().is_some();
        for container in containers {
            let resources = &container.resources;
            any |= !resources.limits.is_empty() || !resources.requests.is_empty();
            guaranteed &= ["cpu", "memory"].iter().all(|name| {
                let limit = resources.limits.get(*name);
                limit.is_some()
                    && resources
                        .requests
                        .get(*name)
                        .is_none_or(|r| Some(r) == limit)
            });
        }
        match (any, guaranteed) {
            (false, _) => "BestEffort",
            (true, true) => "Guaranteed",
            (true, false) => "Burstable",
        }
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key, without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quality_of_service_follows_requests_and_limits() {
        let full = json!({ "limits": { "cpu": "1", "memory": "1Gi" } });
        check(&[json!({})], "BestEffort");
        check(std::slice::from_ref(&full), "Guaranteed");
        check(&[full.clone(), json!({})], "Burstable");
        check(&[json!({ "requests": { "cpu": "1" } })], "Burstable");
        check(
            &[json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m" } })],
            "Burstable",
        );
    }

    #[test]
    fn nulls_are_absent_fields() {
        let pod = Pod::read(json!({
            "metadata": { "name": "a", "deletionTimestamp": null },
            "spec": { "containers": [{ "name": "c", "env": null, "resources": null }], "volumes": null },
        }));
        let pod = pod.expect("a pod");
        assert_eq!(
            (pod.metadata.name.as_str(), pod.spec.volumes.len()),
            ("a", 0)
        );
        assert!(pod.spec.enable_service_links && !pod.is_being_deleted());
    }

    #[track_caller]
    fn check(resources: &[Value], expected: &str) {
        let containers: Vec<_> = resources
            .iter()
            .map(|r| json!({ "name": "c", "resources": r }))
            .collect();
        let pod = Pod::read(json!({ "spec": { "containers": containers } })).expect("a pod");
        assert_eq!(pod.qos_class(), expected);
    }
}
