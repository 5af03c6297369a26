//! ReplicaSets: keep as many pods as asked for.
//!
//! [`plan`] only decides. Pods that match and belong to nobody are adopted, own
//! pods that no longer match are released; then pods are created or deleted.

use std::{sync::Arc, time::Duration};

use names::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Meta, Object, Pod,
    action::{Action, Kind, Plan, Propagation, Target, as_value, status_patch},
    meta::{Condition, OwnerReference, condition, whole_seconds},
    ranking,
    selector::LabelSelector,
};

/// How many pods one reconcile creates or deletes at most, so that one huge set does not starve the others.
const BURST: usize = 500;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ReplicaSet {
    pub metadata: Meta,
    pub spec: ReplicaSetSpec,
    pub status: ReplicaSetStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetSpec {
    pub replicas: Option<i32>,
    pub min_ready_seconds: i32,
    pub selector: LabelSelector,
    pub template: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetStatus {
    /// Always written: `kubectl get` shows it even when it is nought.
    pub replicas: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub fully_labeled_replicas: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub ready_replicas: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub available_replicas: i32,
    pub observed_generation: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

pub(crate) fn is_zero(count: &i32) -> bool {
    *count == 0
}

impl Object for ReplicaSet {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl ReplicaSet {
    pub fn replicas(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    pub(crate) fn target(&self) -> Target {
        Target::of(Kind::ReplicaSet, &self.metadata)
    }

    /// Whether this set owns the pod, or would like to.
    pub fn wants(&self, pod: &Pod) -> bool {
        match pod.metadata.controller() {
            Some(owner) => owner.uid == self.metadata.uid,
            None => !self.spec.selector.is_empty() && self.spec.selector.matches(&pod.metadata.labels),
        }
    }
}

/// Why the last reconcile could not do what it planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Create(String),
    Delete(String),
}

/// Brings the number of a set's pods in line with its spec.
///
/// `pods` are all pods of the namespace. The plan holds no status: that comes
/// from [`status`] once the actions were carried out.
pub fn plan(set: &ReplicaSet, pods: &[Arc<Pod>]) -> Plan {
    let mut plan = Plan::default();
    if set.metadata.is_going() || set.spec.selector.is_empty() {
        return plan;
    }
    for pod in pods.iter().filter(|pod| set.wants(pod) && !pod.metadata.is_going()) {
        let owned = pod.metadata.controller().is_some();
        let matches = set.spec.selector.matches(&pod.metadata.labels);
        if !owned && !pod.is_finished() {
            plan.actions.push(adopt(set, pod));
        } else if owned && !matches {
            plan.actions.push(release(&set.metadata.uid, pod));
        }
    }
    let active = active_pods(set, pods);
    let wanted = usize::try_from(set.replicas()).unwrap_or(0);
    if active.len() < wanted {
        let missing = (wanted - active.len()).min(BURST);
        plan.actions.extend((0..missing).map(|_| Action::Create { kind: Kind::Pod, manifest: new_pod(set) }));
    } else {
        let surplus = (active.len() - wanted).min(BURST);
        let doomed = ranking::least_worth(&active, pods, surplus);
        plan.actions.extend(doomed.into_iter().map(|pod| Action::Delete {
            target: Target::of(Kind::Pod, &pod.metadata),
            propagation: Propagation::Background,
        }));
    }
    plan
}

/// The pods that count as this set's replicas.
pub fn active_pods(set: &ReplicaSet, pods: &[Arc<Pod>]) -> Vec<Arc<Pod>> {
    let selector = &set.spec.selector;
    let counts = |pod: &&Arc<Pod>| pod.is_active() && set.wants(pod) && selector.matches(&pod.metadata.labels);
    pods.iter().filter(counts).cloned().collect()
}

/// Writes the set's status down, if it changed, and says when a pod becomes available by time alone.
pub fn status(set: &ReplicaSet, pods: &[Arc<Pod>], failure: Option<&Failure>, now: Timestamp) -> Plan {
    let active = active_pods(set, pods);
    let min_ready = Duration::from_secs(u64::try_from(set.spec.min_ready_seconds).unwrap_or(0));
    let template: Meta = serde_json::from_value(set.spec.template["metadata"].clone()).unwrap_or_default();
    let mut plan = Plan::default();
    let mut new = ReplicaSetStatus {
        observed_generation: set.metadata.generation,
        conditions: set.status.conditions.clone(),
        ..ReplicaSetStatus::default()
    };
    for pod in &active {
        new.replicas += 1;
        if template.labels.iter().all(|(key, value)| pod.metadata.labels.get(key) == Some(value)) {
            new.fully_labeled_replicas += 1;
        }
        let Some(from) = pod.available_from(min_ready) else { continue };
        new.ready_replicas += 1;
        if min_ready.is_zero() || from <= now {
            new.available_replicas += 1;
        } else {
            plan.wake_at(from);
        }
    }
    set_failure(&mut new.conditions, failure, now);
    plan.actions.extend(status_patch(set.target(), &set.status, &new));
    plan
}

fn set_failure(conditions: &mut Vec<Condition>, failure: Option<&Failure>, now: Timestamp) {
    let (reason, message) = match failure {
        None => return conditions.retain(|condition| condition.kind != "ReplicaFailure"),
        Some(Failure::Create(message)) => ("FailedCreate", message),
        Some(Failure::Delete(message)) => ("FailedDelete", message),
    };
    if condition(conditions, "ReplicaFailure").is_some_and(|known| known.reason == reason) {
        return;
    }
    conditions.retain(|condition| condition.kind != "ReplicaFailure");
    conditions.push(Condition {
        kind: "ReplicaFailure".to_owned(),
        status: "True".to_owned(),
        reason: reason.to_owned(),
        message: message.clone(),
        last_transition_time: Some(whole_seconds(now)),
        last_update_time: None,
    });
}

pub(crate) fn owner_reference(kind: Kind, meta: &Meta) -> OwnerReference {
    OwnerReference {
        api_version: kind.api_version().to_owned(),
        kind: kind.name().to_owned(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        controller: true,
        block_owner_deletion: true,
    }
}

fn adopt(set: &ReplicaSet, pod: &Pod) -> Action {
    let mut owners = pod.metadata.owner_references.clone();
    owners.push(owner_reference(Kind::ReplicaSet, &set.metadata));
    own(Target::of(Kind::Pod, &pod.metadata), &owners)
}

fn release(uid: &str, pod: &Pod) -> Action {
    let mut owners = pod.metadata.owner_references.clone();
    owners.retain(|owner| owner.uid != uid);
    own(Target::of(Kind::Pod, &pod.metadata), &owners)
}

/// Names the uid, so that a namesake that came since is left alone.
pub(crate) fn own(target: Target, owners: &[OwnerReference]) -> Action {
    let patch = json!({ "metadata": { "uid": target.uid, "ownerReferences": as_value(&owners) } });
    Action::Patch { target, patch }
}

fn new_pod(set: &ReplicaSet) -> Value {
    let template = &set.spec.template;
    let mut metadata = json!({
        "generateName": format!("{}-", set.metadata.name),
        "namespace": set.metadata.namespace,
        "ownerReferences": [as_value(&owner_reference(Kind::ReplicaSet, &set.metadata))],
    });
    for field in ["labels", "annotations", "finalizers"] {
        if !template["metadata"][field].is_null() {
            metadata[field] = template["metadata"][field].clone();
        }
    }
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_pods_are_created() {
        check(2, "", "create Pod web-\ncreate Pod web-");
        check(2, "a ready", "create Pod web-\nstatus 1 1");
    }

    #[test]
    fn surplus_pods_go_least_worth_first() {
        check(1, "a ready, b pending", "delete Pod n/b\nstatus 2 1");
        check(1, "a ready, b going", "status 1 1");
        check(0, "a finished", "");
    }

    #[test]
    fn orphans_are_adopted_and_strangers_released() {
        let owners = r#"[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"set","controller":true,"blockOwnerDeletion":true}]"#;
        let adopt = format!("patch Pod n/a {{\"metadata\":{{\"uid\":\"a\",\"ownerReferences\":{owners}}}}}\nstatus 1 1");
        check(1, "a ready orphan", &adopt);
        check(0, "a ready relabelled", "patch Pod n/a {\"metadata\":{\"uid\":\"a\",\"ownerReferences\":[]}}");
        check(0, "a ready orphan relabelled", "");
    }

    /// Each pod: its name and words about its state.
    #[track_caller]
    fn check(replicas: i32, pods: &str, expected: &str) {
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": { "name": "web", "namespace": "n", "uid": "set" },
            "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "web" } }, "template": {
                "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [] } } },
        }))
        .expect("a set");
        let pods: Vec<Arc<Pod>> = pods.split(", ").filter(|text| !text.is_empty()).map(|text| Arc::new(pod(text))).collect();
        let now = Timestamp::from_micros(0);
        let mut lines = plan(&set, &pods).to_string();
        for action in status(&set, &pods, None, now).actions {
            if let Action::PatchStatus { patch, .. } = action {
                let status = &patch["status"];
                lines.push_str(&format!("status {} {}", status["replicas"], status["readyReplicas"].as_i64().unwrap_or(0)));
            }
        }
        assert_eq!(lines.trim_end(), expected);
    }

    fn pod(text: &str) -> Pod {
        let is = |word: &str| text.split(' ').any(|it| it == word);
        let mut pod = Pod::default();
        pod.metadata.name = text.split(' ').next().unwrap_or_default().to_owned();
        pod.metadata.uid = pod.metadata.name.clone();
        pod.metadata.namespace = "n".to_owned();
        if !is("relabelled") {
            pod.metadata.labels.insert("app".to_owned(), "web".to_owned());
        }
        if !is("orphan") {
            let set = Meta { name: "web".to_owned(), uid: "set".to_owned(), ..Meta::default() };
            pod.metadata.owner_references.push(owner_reference(Kind::ReplicaSet, &set));
        }
        if is("ready") {
            let ready = Condition { kind: "Ready".to_owned(), status: "True".to_owned(), ..Condition::default() };
            pod.status.conditions.push(ready);
        }
        if is("going") {
            pod.metadata.deletion_timestamp = Some(Timestamp::default());
        }
        pod.status.phase = if is("finished") { "Failed" } else { "Running" }.to_owned();
        pod
    }
}
