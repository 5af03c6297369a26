//! Judges a release: on its way, healthy, or failed and why.

use std::time::Duration;

use api::{Cause, ObjectRef, Release, WorkloadStatus};
use names::Timestamp;
use serde_json::Value;

use crate::{
    Sight,
    cause::{self, Trouble},
    sight::{list, number, text},
};

/// Trouble that often heals by itself (a ConfigMap applied a moment later) counts after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container that ended badly this often will not get better: about half a minute of trying.
const RESTARTS_MAX: u64 = 3;

/// How a release does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not decided; look again when something changes.
    Progressing,
    Healthy,
    Failed(Cause),
}

/// Judges the workloads that `release` touched by what is seen of them.
///
/// Nothing observed is never healthy: a workload that cannot be seen is on its way.
pub fn judge(release: &Release, sight: &Sight, now: Timestamp) -> (Verdict, Vec<WorkloadStatus>) {
    let mut verdict = Verdict::Healthy;
    let mut workloads = Vec::new();
    let settled = now.since(release.applied) >= PATIENCE;
    let touched = release.changes.iter().filter(|change| change.after.is_some());
    for object in touched.map(|change| &change.object) {
        let judged = match object.kind.as_str() {
            "Deployment" => deployment(object, sight, settled),
            "Pod" => pod(object, sight, settled),
            // Other kinds take effect by being there.
            _ => continue,
        };
        workloads.push(judged.status);
        verdict = match (verdict, judged.verdict) {
            (Verdict::Failed(cause), _) | (_, Verdict::Failed(cause)) => Verdict::Failed(cause),
            (Verdict::Progressing, _) | (_, Verdict::Progressing) => Verdict::Progressing,
            (Verdict::Healthy, Verdict::Healthy) => Verdict::Healthy,
        };
    }
    (verdict, workloads)
}

struct Judged {
    verdict: Verdict,
    status: WorkloadStatus,
}

fn unseen(object: &ObjectRef) -> Judged {
    let message = "not seen".to_owned();
    let status = WorkloadStatus { object: object.clone(), desired: 0, updated: 0, ready: 0, message };
    Judged { verdict: Verdict::Progressing, status }
}

fn deployment(object: &ObjectRef, sight: &Sight, settled: bool) -> Judged {
    let Some(live) = sight.deployment(&object.name) else { return unseen(object) };
    let desired = live.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let total = number(live, "/status/replicas");
    let updated = number(live, "/status/updatedReplicas");
    let available = number(live, "/status/availableReplicas");
    let observed = number(live, "/status/observedGeneration") >= number(live, "/metadata/generation");
    let pods = sight.newest_pods(live);
    // The same test as `kubectl rollout status`.
    let rolled_out = observed && updated >= desired && total <= updated && available >= updated;
    // Pods were listed at another moment than the deployment; a finished roll-out counts by its own status.
    let seen = pods.iter().filter(|pod| is_ready(pod)).count() as u64;
    let ready = if rolled_out { available.min(desired) } else { seen };
    let message = if observed { format!("{ready} of {desired} ready") } else { "not yet observed".into() };
    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let status = WorkloadStatus {
        object: object.clone(),
        desired: small(desired),
        updated: small(updated),
        ready: small(ready),
        message,
    };
    let verdict = if rolled_out {
        Verdict::Healthy
    } else if observed {
        failed_deployment(object, live, &pods, sight, settled)
    } else {
        Verdict::Progressing
    };
    Judged { verdict, status }
}

fn failed_deployment(
    object: &ObjectRef,
    live: &Value,
    pods: &[&Value],
    sight: &Sight,
    settled: bool,
) -> Verdict {
    let conditions = list(live, "/status/conditions");
    let overdue = conditions.iter().any(|it| {
        text(it, "/type") == "Progressing" && text(it, "/reason") == "ProgressDeadlineExceeded"
    });
    let trouble = pods.iter().filter_map(|pod| cause::of_pod(pod, sight)).max_by_key(|it| it.weight);
    if overdue {
        return Verdict::Failed(cause::deadline(object, live, trouble, sight));
    }
    match trouble {
        Some(trouble) if is_lasting(&trouble, settled) => Verdict::Failed(trouble.cause),
        _ => Verdict::Progressing,
    }
}

/// Whether waiting longer would be in vain.
fn is_lasting(trouble: &Trouble, settled: bool) -> bool {
    match trouble.hope {
        cause::Hope::None => true,
        cause::Hope::Short => settled,
        cause::Hope::Restarts(count) => count >= RESTARTS_MAX,
        cause::Hope::UntilDeadline => false,
    }
}

fn pod(object: &ObjectRef, sight: &Sight, settled: bool) -> Judged {
    let Some(live) = sight.pod(&object.name) else { return unseen(object) };
    let phase = text(live, "/status/phase");
    let ready = is_ready(live) || phase == "Succeeded";
    let verdict = if ready {
        Verdict::Healthy
    } else {
        match cause::of_pod(live, sight) {
            Some(trouble) if phase == "Failed" || is_lasting(&trouble, settled) => {
                Verdict::Failed(trouble.cause)
            }
            _ => Verdict::Progressing,
        }
    };
    let status = WorkloadStatus {
        object: object.clone(),
        desired: 1,
        updated: 1,
        ready: u32::from(ready),
        message: phase.to_lowercase(),
    };
    Judged { verdict, status }
}

fn is_ready(pod: &Value) -> bool {
    let ready = |it: &Value| text(it, "/type") == "Ready" && text(it, "/status") == "True";
    list(pod, "/status/conditions").iter().any(ready)
}

#[cfg(test)]
mod tests;
