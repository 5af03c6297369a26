//! Deployments: bring a new pod template to life, step by step, and keep the old ones for a way back.
//!
//! [`plan`] looks at a Deployment, its ReplicaSets and their pods, and says the
//! next step. It is asked again whenever one of them changes, so it needs no
//! memory but what stands in the objects: annotations on the sets hold the
//! revision and the size that the Deployment had when the set was last scaled.

mod fenceposts;
mod revision;
mod rolling;
mod scaling;
mod status;
mod template;

use std::sync::Arc;

use names::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Meta, Object, Pod, ReplicaSet,
    action::{Action, Kind, Notice, Plan, Target},
    meta::Condition,
    replica_set::{is_zero, own, owner_reference},
    selector::LabelSelector,
};

pub use template::HASH_LABEL;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Deployment {
    pub metadata: Meta,
    pub spec: DeploymentSpec,
    pub status: DeploymentStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentSpec {
    pub replicas: Option<i32>,
    pub selector: LabelSelector,
    pub template: Value,
    pub strategy: Strategy,
    pub min_ready_seconds: i32,
    pub revision_history_limit: Option<i32>,
    pub paused: bool,
    pub progress_deadline_seconds: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    #[serde(rename = "type")]
    pub kind: String,
    pub rolling_update: RollingUpdate,
}

/// Numbers or percentages, as the user wrote them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RollingUpdate {
    pub max_surge: Value,
    pub max_unavailable: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentStatus {
    pub observed_generation: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub replicas: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub updated_replicas: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub ready_replicas: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub available_replicas: i32,
    #[serde(skip_serializing_if = "is_zero")]
    pub unavailable_replicas: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

impl Object for Deployment {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Deployment {
    pub fn replicas(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    pub(crate) fn target(&self) -> Target {
        Target::of(Kind::Deployment, &self.metadata)
    }

    fn is_rolling(&self) -> bool {
        self.spec.strategy.kind != "Recreate"
    }

    /// `None` when the user does not care how long a rollout takes.
    fn deadline(&self) -> Option<std::time::Duration> {
        let seconds = self.spec.progress_deadline_seconds.filter(|seconds| *seconds != i32::MAX)?;
        Some(std::time::Duration::from_secs(u64::try_from(seconds).ok()?))
    }

    /// Whether this Deployment owns the set, or would like to.
    pub fn wants(&self, set: &ReplicaSet) -> bool {
        match set.metadata.controller() {
            Some(owner) => owner.uid == self.metadata.uid,
            None => !self.spec.selector.is_empty() && self.spec.selector.matches(&set.metadata.labels),
        }
    }
}

/// A Deployment's sets, told apart by their template.
struct Sets<'a> {
    new: Option<&'a ReplicaSet>,
    /// The others, oldest first.
    old: Vec<&'a ReplicaSet>,
}

impl<'a> Sets<'a> {
    fn all(&self) -> impl Iterator<Item = &'a ReplicaSet> {
        self.old.iter().copied().chain(self.new)
    }

    fn active_old(&self) -> impl Iterator<Item = &'a ReplicaSet> {
        self.old.iter().copied().filter(|set| set.replicas() > 0)
    }
}

/// The next step of a Deployment. `sets` and `pods` are those of its namespace.
pub fn plan(deployment: &Deployment, sets: &[Arc<ReplicaSet>], pods: &[Arc<Pod>], now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if deployment.spec.selector.is_empty() {
        return plan;
    }
    let owned = claim(deployment, sets, &mut plan);
    let sets = template::tell_apart(deployment, owned);
    if deployment.metadata.is_going() {
        status::write(deployment, &sets, now, &mut plan);
        return plan;
    }
    let mut seen = deployment.clone();
    status::note_pause(&mut seen, now);
    if deployment.spec.paused || scaling::is_due(deployment, &sets) {
        // A paused Deployment gets no new set, but an existing one keeps its place in the history.
        revision::keep(&seen, &sets, &mut plan);
        scaling::scale(deployment, &sets, &mut plan);
        if deployment.spec.paused {
            revision::clean_up(deployment, &sets, &mut plan);
        }
    } else if deployment.is_rolling() {
        rolling::roll(&mut seen, &sets, now, &mut plan);
    } else {
        rolling::recreate(&mut seen, &sets, pods, now, &mut plan);
    }
    status::write_changed(deployment, &seen, &sets, now, &mut plan);
    plan
}

/// The sets that belong to the Deployment, after taking and giving back.
fn claim<'a>(deployment: &Deployment, sets: &'a [Arc<ReplicaSet>], plan: &mut Plan) -> Vec<&'a ReplicaSet> {
    let mut owned = Vec::new();
    for set in sets.iter().filter(|set| deployment.wants(set)) {
        let has_owner = set.metadata.controller().is_some();
        let matches = deployment.spec.selector.matches(&set.metadata.labels);
        let mut owners = set.metadata.owner_references.clone();
        let touchable = !deployment.metadata.is_going() && !set.metadata.is_going();
        if has_owner && !matches {
            owners.retain(|owner| owner.uid != deployment.metadata.uid);
            plan.actions.extend(touchable.then(|| own(set.target(), &owners)));
            continue;
        }
        if !has_owner {
            if !touchable {
                continue;
            }
            owners.push(owner_reference(Kind::Deployment, &deployment.metadata));
            plan.actions.push(own(set.target(), &owners));
        }
        owned.push(&**set);
    }
    owned
}

/// What to try next when the name of a new set is taken by another template.
pub fn next_collision(deployment: &Deployment) -> Action {
    let count = deployment.status.collision_count.unwrap_or(0) + 1;
    let patch = serde_json::json!({ "status": { "collisionCount": count } });
    Action::PatchStatus { target: deployment.target(), patch }
}

/// What becomes of a Deployment whose new set the server refused.
pub fn creation_failed(deployment: &Deployment, set: &str, error: &str, now: Timestamp) -> Plan {
    let message = format!("Failed to create new replica set \"{set}\": {error}");
    let mut plan = Plan::default();
    let notice = Notice::warning("ReplicaSetCreateError", message.clone());
    plan.actions.push(Action::Tell { about: deployment.target(), notice });
    if deployment.deadline().is_some() {
        let mut seen = deployment.clone();
        seen.status.observed_generation = deployment.metadata.generation;
        status::set(&mut seen.status.conditions, status::progressing("False", "ReplicaSetCreateError", message, now));
        plan.actions.extend(crate::action::status_patch(deployment.target(), &deployment.status, &seen.status));
    }
    plan
}

/// Whether an existing set of the name that was to be created is the one wanted.
pub fn is_own_new_set(deployment: &Deployment, set: &ReplicaSet) -> bool {
    set.metadata.is_controlled_by(&deployment.metadata.uid)
        && template::is_same(&deployment.spec.template, &set.spec.template)
}

#[cfg(test)]
mod tests;
