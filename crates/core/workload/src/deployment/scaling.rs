//! Changing the size of a Deployment, also in the middle of a rollout.

use serde_json::json;

use super::{Deployment, Sets, fenceposts::fenceposts, revision};
use crate::{
    ReplicaSet,
    action::{Action, Notice, Plan},
};

/// Whether the user changed the size since the sets were last scaled.
pub fn is_due(deployment: &Deployment, sets: &Sets) -> bool {
    let desired = i64::from(deployment.replicas());
    let recorded = |set: &ReplicaSet| revision::number(&set.metadata.annotations, revision::DESIRED);
    sets.all().filter(|set| set.replicas() > 0).any(|set| recorded(set).is_some_and(|recorded| recorded != desired))
}

/// Spreads the wanted size over the sets.
///
/// With one active set it takes all. Once the new set is complete the old ones
/// go. In between every set grows or shrinks by its share, so a rollout that
/// hangs does not put the whole growth on the template that may be bad.
pub fn scale(deployment: &Deployment, sets: &Sets, plan: &mut Plan) {
    let wanted = deployment.replicas();
    match only_one(sets) {
        One::Set(set) => {
            // An equal count still leaves the size annotations to be renewed.
            resize(deployment, set, wanted, plan);
            return;
        }
        One::None => return,
        One::Several => {}
    }
    if sets.new.is_some_and(|new| is_saturated(new, wanted)) {
        sets.active_old().for_each(|set| resize(deployment, set, 0, plan));
        sets.new.into_iter().for_each(|new| resize(deployment, new, wanted, plan));
        return;
    }
    if !deployment.is_rolling() {
        return;
    }
    let mut active: Vec<&ReplicaSet> = sets.all().filter(|set| set.replicas() > 0).collect();
    let allowed = if wanted > 0 { wanted.saturating_add(fenceposts(deployment).surge) } else { 0 };
    let to_add = allowed - active.iter().map(|set| set.replicas()).sum::<i32>();
    active.sort_by(|a, b| {
        let by_size = b.replicas().cmp(&a.replicas());
        let by_age = a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp);
        // Growth favours the newer of two equal sets, shrinking takes from the older.
        by_size.then(if to_add > 0 { by_age.reverse() } else { by_age })
    });
    let mut added = 0;
    let mut sizes: Vec<i32> = Vec::with_capacity(active.len());
    for set in &active {
        let part = if to_add == 0 { 0 } else { share(deployment, set, to_add, added) };
        added += part;
        sizes.push(set.replicas() + part);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    for (set, size) in active.into_iter().zip(sizes) {
        resize(deployment, set, size, plan);
    }
}

enum One<'a> {
    Set(&'a ReplicaSet),
    None,
    Several,
}

fn only_one<'a>(sets: &Sets<'a>) -> One<'a> {
    let mut active = sets.all().filter(|set| set.replicas() > 0);
    match (active.next(), active.next()) {
        (Some(set), None) => One::Set(set),
        (Some(_), Some(_)) => One::Several,
        (None, _) => sets.new.or(sets.old.last().copied()).map_or(One::None, One::Set),
    }
}

fn is_saturated(new: &ReplicaSet, wanted: i32) -> bool {
    let recorded = revision::number(&new.metadata.annotations, revision::DESIRED);
    recorded == Some(i64::from(wanted)) && new.replicas() == wanted && new.status.available_replicas == wanted
}

/// How many of the pods to add (or to take, if negative) fall to this set.
fn share(deployment: &Deployment, set: &ReplicaSet, to_add: i32, added: i32) -> i32 {
    let size = set.replicas();
    if size == 0 || to_add == added {
        return 0;
    }
    let part = if deployment.replicas() == 0 {
        -size
    } else {
        let maximum = i64::from(deployment.replicas().saturating_add(fenceposts(deployment).surge));
        let recorded = revision::number(&set.metadata.annotations, revision::MAXIMUM).filter(|before| *before > 0);
        let before = recorded.unwrap_or(i64::from(deployment.status.replicas));
        if before == 0 {
            return 0;
        }
        // Sizes are far below 2^52, so the division is exact enough to round.
        let grown = (i64::from(size) * maximum) as f64 / before as f64;
        grown.round() as i32 - size
    };
    let left = to_add - added;
    if to_add > 0 { part.min(left) } else { part.max(left) }
}

/// Sets a size, records the Deployment's own, and tells people if the size changed.
pub fn resize(deployment: &Deployment, set: &ReplicaSet, size: i32, plan: &mut Plan) {
    let sizes = revision::size_annotations(deployment);
    let recorded = sizes.iter().all(|(key, value)| set.metadata.annotations.get(key) == Some(value));
    let before = set.replicas();
    if before == size && recorded {
        return;
    }
    let patch = json!({ "metadata": { "annotations": sizes }, "spec": { "replicas": size } });
    plan.actions.push(Action::Patch { target: set.target(), patch });
    if before != size {
        plan.actions.push(tell(deployment, &set.metadata.name, before, size));
    }
}

pub fn tell(deployment: &Deployment, set: &str, before: i32, after: i32) -> Action {
    let way = if after > before { "up" } else { "down" };
    let message = format!("Scaled {way} replica set {set} from {before} to {after}");
    Action::Tell { about: deployment.target(), notice: Notice::normal("ScalingReplicaSet", message) }
}
