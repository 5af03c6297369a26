//! The two ways from an old template to a new one.

use std::sync::Arc;

use names::Timestamp;

use super::{
    Deployment, Sets,
    fenceposts::fenceposts,
    revision::{self, Kept},
    scaling::{resize, tell},
    status, template,
};
use crate::{
    Pod, ReplicaSet,
    action::{Action, Kind, Plan},
};

/// Replaces pods a few at a time, never straying beyond the fenceposts.
pub fn roll(deployment: &mut Deployment, sets: &Sets, now: Timestamp, plan: &mut Plan) {
    let Some(new) = new_set(deployment, sets, now, plan) else { return };
    let wanted = deployment.replicas();
    let size = if new.replicas() > wanted { wanted } else { room_for_new(deployment, sets) };
    if size != new.replicas() {
        return resize(deployment, new, size, plan);
    }
    if !shrink_old(deployment, new, sets, plan) && status::is_complete(deployment, sets) {
        revision::clean_up(deployment, sets, plan);
    }
}

/// Ends every old pod before the first new one starts.
pub fn recreate(deployment: &mut Deployment, sets: &Sets, pods: &[Arc<Pod>], now: Timestamp, plan: &mut Plan) {
    if sets.active_old().next().is_some() {
        revision::keep(deployment, sets, plan);
        return sets.active_old().for_each(|set| resize(deployment, set, 0, plan));
    }
    if old_pods_run(sets, pods) {
        return;
    }
    let Some(new) = new_set(deployment, sets, now, plan) else { return };
    if new.replicas() != deployment.replicas() {
        return resize(deployment, new, deployment.replicas(), plan);
    }
    if status::is_complete(deployment, sets) {
        revision::clean_up(deployment, sets, plan);
    }
}

/// A pod counts until it is gone, not only until it is asked to go.
fn old_pods_run(sets: &Sets, pods: &[Arc<Pod>]) -> bool {
    let of_old = |pod: &Pod| sets.old.iter().any(|set| pod.metadata.is_controlled_by(&set.metadata.uid));
    sets.old.iter().any(|set| set.status.replicas > 0) || pods.iter().any(|pod| !pod.is_finished() && of_old(pod))
}

/// The new set if it stands and is in step; else plans what is missing.
fn new_set<'a>(deployment: &mut Deployment, sets: &Sets<'a>, now: Timestamp, plan: &mut Plan) -> Option<&'a ReplicaSet> {
    match revision::keep(deployment, sets, plan) {
        Kept::InStep => {
            let new = sets.new?;
            status::note_found(deployment, &new.metadata.name, now);
            Some(new)
        }
        // The next look finds the set renewed.
        Kept::Changed => None,
        Kept::Missing => {
            let size = if deployment.is_rolling() { room_for_new(deployment, sets) } else { deployment.replicas() };
            let (revision, annotations) = revision::of_new_set(deployment, sets);
            let (name, manifest) = template::new_set(deployment, size, &annotations);
            plan.actions.push(Action::Create { kind: Kind::ReplicaSet, manifest });
            if size > 0 {
                plan.actions.push(tell(deployment, &name, 0, size));
            }
            revision::note(deployment, revision, plan);
            status::note_created(deployment, &name, now);
            None
        }
    }
}

/// How large the new set may be without exceeding the surge.
fn room_for_new(deployment: &Deployment, sets: &Sets) -> i32 {
    let wanted = deployment.replicas();
    let size = sets.new.map_or(0, ReplicaSet::replicas);
    let total: i32 = sets.all().map(ReplicaSet::replicas).sum();
    let room = wanted.saturating_add(fenceposts(deployment).surge) - total;
    if room <= 0 { size } else { size + room.min(wanted - size) }
}

/// Takes from the old sets what can be missed; says whether it took any.
///
/// Pods that do not answer go first: they serve nobody and stand in the way of
/// their successors.
fn shrink_old(deployment: &Deployment, new: &ReplicaSet, sets: &Sets, plan: &mut Plan) -> bool {
    let total: i32 = sets.all().map(ReplicaSet::replicas).sum();
    let least = deployment.replicas() - fenceposts(deployment).unavailable;
    let new_missing = new.replicas() - new.status.available_replicas;
    let most = total - least - new_missing;
    let mut old: Vec<(&ReplicaSet, i32)> = sets.active_old().map(|set| (set, set.replicas())).collect();
    if most <= 0 || old.is_empty() {
        return false;
    }
    let mut unwell_left = most;
    for (set, size) in &mut old {
        let unwell = (*size - set.status.available_replicas).clamp(0, unwell_left);
        *size -= unwell;
        unwell_left -= unwell;
    }
    // A set that was just scaled down still reports its former pods.
    let available: i32 = sets.all().map(|set| set.status.available_replicas.min(set.replicas())).sum();
    let mut spare = (available - least).max(0);
    for (_, size) in &mut old {
        let taken = (*size).min(spare);
        *size -= taken;
        spare -= taken;
    }
    let mut shrunk = false;
    for (set, size) in old {
        if size != set.replicas() {
            shrunk = true;
            resize(deployment, set, size, plan);
        }
    }
    shrunk
}
