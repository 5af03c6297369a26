//! What a Deployment says about itself: counts and conditions.

use std::time::Duration;

use names::Timestamp;

use super::{Deployment, DeploymentStatus, Sets, fenceposts::fenceposts};
use crate::{
    ReplicaSet,
    action::{Plan, status_patch},
    meta::{Condition, condition, whole_seconds},
};

const PROGRESSING: &str = "Progressing";
const DONE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

fn made(kind: &str, status: &str, reason: &str, message: String, now: Timestamp) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: Some(whole_seconds(now)),
        last_update_time: Some(whole_seconds(now)),
    }
}

pub fn progressing(status: &str, reason: &str, message: String, now: Timestamp) -> Condition {
    made(PROGRESSING, status, reason, message, now)
}

/// Puts a condition in place of its predecessor, unless that says the same already.
pub fn set(conditions: &mut Vec<Condition>, mut new: Condition) {
    if let Some(known) = condition(conditions, &new.kind) {
        if known.status == new.status && known.reason == new.reason {
            return;
        }
        if known.status == new.status {
            new.last_transition_time = known.last_transition_time;
        }
    }
    conditions.retain(|condition| condition.kind != new.kind);
    conditions.push(new);
}

/// The clock of the deadline stands still while the Deployment is paused.
pub fn note_pause(deployment: &mut Deployment, now: Timestamp) {
    if deployment.deadline().is_none() {
        return;
    }
    let known = condition(&deployment.status.conditions, PROGRESSING).map(|condition| condition.reason.clone());
    // A rollout that ran out of time stays so: a pause does not excuse it.
    if known.as_deref() == Some(TIMED_OUT) {
        return;
    }
    let was_paused = known.as_deref() == Some(PAUSED);
    let new = match (deployment.spec.paused, was_paused) {
        (true, false) => progressing("Unknown", PAUSED, "Deployment is paused".to_owned(), now),
        (false, true) => progressing("Unknown", "DeploymentResumed", "Deployment is resumed".to_owned(), now),
        (true, true) | (false, false) => return,
    };
    set(&mut deployment.status.conditions, new);
}

pub fn note_found(deployment: &mut Deployment, set_name: &str, now: Timestamp) {
    if deployment.deadline().is_some() && condition(&deployment.status.conditions, PROGRESSING).is_none() {
        let message = format!("Found new replica set \"{set_name}\"");
        set(&mut deployment.status.conditions, progressing("True", "FoundNewReplicaSet", message, now));
    }
}

pub fn note_created(deployment: &mut Deployment, set_name: &str, now: Timestamp) {
    if deployment.deadline().is_some() {
        let message = format!("Created new replica set \"{set_name}\"");
        set(&mut deployment.status.conditions, progressing("True", "NewReplicaSetCreated", message, now));
    }
}

/// Whether every wanted pod has the new template, is available, and no old one is left.
pub fn is_complete(deployment: &Deployment, sets: &Sets) -> bool {
    complete(deployment, &counts(deployment, sets))
}

fn complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = deployment.replicas();
    status.updated_replicas == wanted && status.replicas == wanted && status.available_replicas == wanted
}

/// The numbers of the status, with the conditions left as they are.
fn counts(deployment: &Deployment, sets: &Sets) -> DeploymentStatus {
    let sum = |count: fn(&ReplicaSet) -> i32| sets.all().map(count).sum::<i32>();
    let available = sum(|set| set.status.available_replicas);
    DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: sum(|set| set.status.replicas),
        updated_replicas: sets.new.map_or(0, |set| set.status.replicas),
        ready_replicas: sum(|set| set.status.ready_replicas),
        available_replicas: available,
        unavailable_replicas: (sum(ReplicaSet::replicas) - available).max(0),
        collision_count: deployment.status.collision_count,
        conditions: deployment.status.conditions.clone(),
    }
}

/// Counts only: for a Deployment on its way out.
pub fn write(deployment: &Deployment, sets: &Sets, now: Timestamp, plan: &mut Plan) {
    let mut new = counts(deployment, sets);
    set_available(deployment, &mut new, now);
    plan.actions.extend(status_patch(deployment.target(), &deployment.status, &new));
}

/// The whole status. `seen` is the Deployment with the conditions that this plan already changed.
pub fn write_changed(old: &Deployment, seen: &Deployment, sets: &Sets, now: Timestamp, plan: &mut Plan) {
    let mut new = counts(seen, sets);
    set_available(seen, &mut new, now);
    if seen.deadline().is_none() {
        new.conditions.retain(|condition| condition.kind != PROGRESSING);
    } else if !seen.spec.paused {
        set_progress(seen, &mut new, sets, now);
    }
    set_failure(&mut new, sets);
    if let Some(deadline) = next_look(seen, &new) {
        plan.wake_at(deadline);
    }
    plan.actions.extend(status_patch(old.target(), &old.status, &new));
}

fn set_available(deployment: &Deployment, status: &mut DeploymentStatus, now: Timestamp) {
    let least = deployment.replicas() - fenceposts(deployment).unavailable;
    let condition = if status.available_replicas >= least {
        let message = "Deployment has minimum availability.";
        made("Available", "True", "MinimumReplicasAvailable", message.to_owned(), now)
    } else {
        let message = "Deployment does not have minimum availability.";
        made("Available", "False", "MinimumReplicasUnavailable", message.to_owned(), now)
    };
    set(&mut status.conditions, condition);
}

fn set_progress(deployment: &Deployment, new: &mut DeploymentStatus, sets: &Sets, now: Timestamp) {
    let known = condition(&new.conditions, PROGRESSING).cloned();
    let finished_before = known.as_ref().is_some_and(|known| known.reason == DONE);
    // Once done, a rollout is not in progress again only because a pod restarts.
    if new.replicas == new.updated_replicas && finished_before {
        return;
    }
    let who = match sets.new {
        Some(set) => format!("ReplicaSet \"{}\"", set.metadata.name),
        None => format!("Deployment \"{}\"", deployment.metadata.name),
    };
    if complete(deployment, new) {
        set(&mut new.conditions, progressing("True", DONE, format!("{who} has successfully progressed."), now));
    } else if has_moved(&deployment.status, new) {
        let mut condition = progressing("True", "ReplicaSetUpdated", format!("{who} is progressing."), now);
        if let Some(known) = known.filter(|known| known.status == "True") {
            condition.last_transition_time = known.last_transition_time;
        }
        // Replaced even if it says the same: its time is what the deadline counts from.
        new.conditions.retain(|condition| condition.kind != PROGRESSING);
        new.conditions.push(condition);
    } else if deadline_of(deployment, new).is_some_and(|deadline| deadline <= now) {
        set(&mut new.conditions, progressing("False", TIMED_OUT, format!("{who} has timed out progressing."), now));
    }
}

fn has_moved(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    new.updated_replicas > old.updated_replicas
        || new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        || new.ready_replicas > old.ready_replicas
        || new.available_replicas > old.available_replicas
}

/// When a rollout that does not move is over its time; `None` if it is done or already judged.
fn deadline_of(deployment: &Deployment, status: &DeploymentStatus) -> Option<Timestamp> {
    let known = condition(&status.conditions, PROGRESSING)?;
    if matches!(known.reason.as_str(), DONE | TIMED_OUT | PAUSED) {
        return None;
    }
    Some(known.last_update_time? + deployment.deadline()?)
}

fn next_look(deployment: &Deployment, status: &DeploymentStatus) -> Option<Timestamp> {
    if deployment.spec.paused || complete(deployment, status) {
        return None;
    }
    // Conditions hold whole seconds, so the look comes after the second is over.
    Some(deadline_of(deployment, status)? + Duration::from_secs(1))
}

/// A failure of the new set counts; one of an old set only if the new one has none.
fn set_failure(status: &mut DeploymentStatus, sets: &Sets) {
    let failure = |set: &ReplicaSet| condition(&set.status.conditions, "ReplicaFailure").cloned();
    let found = sets.new.and_then(failure).or_else(|| sets.old.iter().find_map(|set| failure(set)));
    match found {
        Some(mut failure) => {
            failure.last_update_time = failure.last_transition_time;
            set(&mut status.conditions, failure);
        }
        None => status.conditions.retain(|condition| condition.kind != "ReplicaFailure"),
    }
}
