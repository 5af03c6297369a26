//! Which pods a set can best do without.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use names::Timestamp;

use crate::Pod;

/// What a user may write to say how dear a pod is.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The `count` pods that are least worth keeping, the least first.
///
/// `neighbours` are all pods of the namespace: of two equal pods the one goes
/// that shares its node with more of its siblings.
pub fn least_worth(active: &[Arc<Pod>], neighbours: &[Arc<Pod>], count: usize) -> Vec<Arc<Pod>> {
    if count == 0 {
        return Vec::new();
    }
    let owner = active.first().and_then(|pod| pod.metadata.controller()).map(|owner| owner.name.clone());
    // Sets of one Deployment share the name up to the hash.
    let family = owner.as_deref().and_then(|name| name.rsplit_once('-')).map(|(family, _)| family.to_owned());
    let mut crowd: HashMap<&str, usize> = HashMap::new();
    for pod in neighbours.iter().filter(|pod| pod.is_active()) {
        let related = pod.metadata.controller().is_some_and(|it| {
            Some(&it.name) == owner.as_ref() || it.name.rsplit_once('-').map(|(family, _)| family) == family.as_deref()
        });
        if related {
            *crowd.entry(&pod.spec.node_name).or_default() += 1;
        }
    }
    let mut sorted: Vec<Arc<Pod>> = active.to_vec();
    sorted.sort_by(|a, b| worth(a, b, &crowd));
    sorted.truncate(count);
    sorted
}

/// Less means deleted earlier.
fn worth(a: &Pod, b: &Pod, crowd: &HashMap<&str, usize>) -> Ordering {
    let crowded = |pod: &Pod| crowd.get(pod.spec.node_name.as_str()).copied().unwrap_or(0);
    let phase = |pod: &Pod| match pod.status.phase.as_str() {
        "Pending" | "" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    a.is_bound()
        .cmp(&b.is_bound())
        .then_with(|| phase(a).cmp(&phase(b)))
        .then_with(|| a.is_ready().cmp(&b.is_ready()))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| crowded(b).cmp(&crowded(a)))
        .then_with(|| ready_since(b).cmp(&ready_since(a)))
        .then_with(|| b.restarts().cmp(&a.restarts()))
        .then_with(|| b.metadata.creation_timestamp.cmp(&a.metadata.creation_timestamp))
        .then_with(|| a.metadata.name.cmp(&b.metadata.name))
}

fn cost(pod: &Pod) -> i32 {
    pod.metadata.annotations.get(DELETION_COST).and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

fn ready_since(pod: &Pod) -> Option<Timestamp> {
    pod.ready_condition().filter(|ready| ready.status == "True")?.last_transition_time
}
