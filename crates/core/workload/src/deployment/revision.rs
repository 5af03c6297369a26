//! The numbered history of a Deployment's templates, kept in annotations of the sets.

use serde_json::json;

use super::{Deployment, Sets, fenceposts::fenceposts};
use crate::{
    Labels, ReplicaSet,
    action::{Action, Plan, Propagation},
};

pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// The revisions that a set had before it was chosen again.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's size when the set was last scaled.
pub const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// That size with the surge of that time.
pub const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const ROLLBACK: &str = "deprecated.deployment.rollback.to";

pub fn revision_of(set: &ReplicaSet) -> i64 {
    number(&set.metadata.annotations, REVISION).unwrap_or(0)
}

pub fn number(annotations: &Labels, key: &str) -> Option<i64> {
    annotations.get(key)?.parse().ok()
}

/// The size annotations that a set of this Deployment should have.
pub fn size_annotations(deployment: &Deployment) -> Labels {
    let desired = deployment.replicas();
    let maximum = desired.saturating_add(fenceposts(deployment).surge);
    Labels::from([(DESIRED.to_owned(), desired.to_string()), (MAXIMUM.to_owned(), maximum.to_string())])
}

fn inherited(deployment: &Deployment) -> impl Iterator<Item = (&String, &String)> {
    let own = [REVISION, HISTORY, DESIRED, MAXIMUM, LAST_APPLIED, ROLLBACK];
    deployment.metadata.annotations.iter().filter(move |(key, _)| !own.contains(&key.as_str()))
}

/// The revision that the newest template gets, and the annotations of its new set.
pub fn of_new_set(deployment: &Deployment, sets: &Sets) -> (i64, Labels) {
    let revision = next(sets);
    let mut annotations: Labels = inherited(deployment).map(|(key, value)| (key.clone(), value.clone())).collect();
    annotations.insert(REVISION.to_owned(), revision.to_string());
    annotations.extend(size_annotations(deployment));
    (revision, annotations)
}

fn next(sets: &Sets) -> i64 {
    sets.old.iter().map(|set| revision_of(set)).max().unwrap_or(0) + 1
}

/// Keeps the existing new set's revision, annotations and readiness time in step.
///
/// Returns whether the set was as it should be.
pub fn keep(deployment: &Deployment, sets: &Sets, plan: &mut Plan) -> Kept {
    let Some(new) = sets.new else { return Kept::Missing };
    let mut changed = Labels::new();
    let known = &new.metadata.annotations;
    for (key, value) in inherited(deployment) {
        if known.get(key) != Some(value) {
            changed.insert(key.clone(), value.clone());
        }
    }
    let (old, wanted) = (revision_of(new), next(sets));
    // The set's number may be higher than that of all others when some were cleaned up; then it stays.
    let revision = old.max(wanted);
    if old < wanted {
        changed.insert(REVISION.to_owned(), wanted.to_string());
        if known.contains_key(REVISION) {
            let history = known.get(HISTORY).map_or_else(|| old.to_string(), |past| format!("{past},{old}"));
            changed.insert(HISTORY.to_owned(), history);
        }
    }
    let min_ready = deployment.spec.min_ready_seconds;
    let late = new.spec.min_ready_seconds != min_ready;
    let kept = if changed.is_empty() && !late { Kept::InStep } else { Kept::Changed };
    if kept == Kept::Changed {
        let mut patch = json!({ "metadata": { "annotations": changed } });
        if late {
            patch["spec"] = json!({ "minReadySeconds": min_ready });
        }
        plan.actions.push(Action::Patch { target: new.target(), patch });
    }
    note(deployment, revision, plan);
    kept
}

/// What [`keep`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Missing,
    Changed,
    InStep,
}

/// Writes the current revision on the Deployment itself.
pub fn note(deployment: &Deployment, revision: i64, plan: &mut Plan) {
    if number(&deployment.metadata.annotations, REVISION) != Some(revision) {
        let patch = json!({ "metadata": { "annotations": { REVISION: revision.to_string() } } });
        plan.actions.push(Action::Patch { target: deployment.target(), patch });
    }
}

/// Deletes the oldest idle sets beyond the history limit.
pub fn clean_up(deployment: &Deployment, sets: &Sets, plan: &mut Plan) {
    let Some(limit) = deployment.spec.revision_history_limit else { return };
    let mut idle: Vec<&ReplicaSet> = sets.old.iter().copied().filter(|set| !set.metadata.is_going()).collect();
    let surplus = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    idle.sort_by_key(|set| revision_of(set));
    for set in idle.into_iter().take(surplus) {
        let settled = set.metadata.generation <= set.status.observed_generation;
        if set.replicas() == 0 && set.status.replicas == 0 && settled {
            let target = set.target();
            plan.actions.push(Action::Delete { target, propagation: Propagation::Background });
        }
    }
}
