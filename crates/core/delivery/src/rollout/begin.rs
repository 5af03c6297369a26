//! Which Deployments of a new state change over by steps, and from what.

use api::{AnalysisProgress, AppSpec, ObjectRef, RolloutPhase, RolloutPlan, TrafficSplit, WorkloadRollout};
use names::Timestamp;
use serde_json::Value;

use super::{
    objects::{canary_name, selects, template_hash},
    words::{ANNOTATION, PlanError, parse},
};
use crate::sight::text;

/// Why a plan cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    #[error("{object}: `landfall.dev/rollout`: {reason}")]
    Plan { object: ObjectRef, reason: PlanError },
    #[error("{object} has `landfall.dev/rollout`, but only a Deployment changes over by steps")]
    NoDeployment { object: ObjectRef },
    #[error("{object} cannot change over by steps: `{name}` is rendered, too, and the new version would have its name")]
    NameTaken { object: ObjectRef, name: String },
    #[error("{object} cannot change over blue-green here: requests of this cluster do not pass Landfall's proxy; use a canary, whose share the numbers of pods make")]
    NotDivided { object: ObjectRef },
}

/// What is there before a deployment.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// The manifests that are deployed.
    pub objects: &'a [(ObjectRef, Value)],
    /// Deployments as they are in the cluster.
    pub live: &'a [(ObjectRef, Value)],
}

/// The plan for an object: its own, else the app's.
pub fn plan_of(spec: &AppSpec, object: &ObjectRef, value: &Value) -> Result<RolloutPlan, BeginError> {
    let said = value.pointer("/metadata/annotations").and_then(|it| it.get(ANNOTATION)).and_then(Value::as_str);
    let is_deployment = object.kind == "Deployment" && object.api_version.starts_with("apps/");
    match said {
        Some(_) if !is_deployment => Err(BeginError::NoDeployment { object: object.clone() }),
        Some(said) => parse(said).map_err(|reason| BeginError::Plan { object: object.clone(), reason }),
        None if is_deployment => Ok(spec.rollout.clone()),
        None => Ok(RolloutPlan::Rolling),
    }
}

/// The changeovers that a new state needs. What is there for the first time, or has the same pods
/// as before, is written as it is.
///
/// # Errors
///
/// A plan that cannot be carried out; nothing is to be written then.
pub fn begin(
    spec: &AppSpec,
    new: &[(ObjectRef, Value)],
    before: Before<'_>,
    split: TrafficSplit,
    now: Timestamp,
) -> Result<Vec<WorkloadRollout>, BeginError> {
    let mut workloads = Vec::new();
    for (object, value) in new {
        let plan = plan_of(spec, object, value)?;
        if plan == RolloutPlan::Rolling {
            continue;
        }
        if split == TrafficSplit::Replicas && matches!(plan, RolloutPlan::BlueGreen(_)) {
            return Err(BeginError::NotDivided { object: object.clone() });
        }
        let name = canary_name(&object.name);
        if new.iter().any(|(it, _)| it.kind == object.kind && it.namespace == object.namespace && it.name == name) {
            return Err(BeginError::NameTaken { object: object.clone(), name });
        }
        let find = |all: &'_ [(ObjectRef, Value)]| all.iter().find(|(it, _)| it == object).map(|(_, value)| value.clone());
        let (Some(old), Some(live)) = (find(before.objects), find(before.live)) else { continue };
        let (stable, canary) = (template_hash(&old), template_hash(value));
        if stable == canary {
            continue;
        }
        // Where Git names no number, somebody else scales, and both versions follow.
        let scaled = |manifest: &Value| {
            let said = manifest.pointer("/spec/replicas").or_else(|| live.pointer("/spec/replicas")).and_then(Value::as_u64);
            said.and_then(|it| u32::try_from(it).ok()).unwrap_or(1)
        };
        let services = new.iter().filter(|(it, service)| it.kind == "Service" && it.api_version == "v1" && selects(service, value));
        workloads.push(WorkloadRollout {
            object: object.clone(),
            services: services.map(|(it, _)| it.name.clone()).collect(),
            replicas_stable: scaled(&old),
            replicas_canary: scaled(value),
            plan,
            stable,
            canary,
            phase: RolloutPhase::Starting,
            step: 0,
            weight: 0,
            since: now,
            stable_changed: false,
            unready_since: None,
            analysis: AnalysisProgress::default(),
            message: format!("{} begins", text(value, "/metadata/name")),
            paused: false,
        });
    }
    Ok(workloads)
}

#[cfg(test)]
mod tests {
    use api::{BlueGreenPlan, CanaryPlan, CanaryStep};
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str) -> ObjectRef {
        let api_version = if kind == "Service" { "v1" } else { "apps/v1" };
        ObjectRef { api_version: api_version.into(), kind: kind.into(), plural: String::new(), namespace: Some("shop".into()), name: name.into() }
    }

    fn deployment(name: &str, image: &str, rollout: Option<&str>) -> (ObjectRef, Value) {
        let mut value = json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": name}}, "spec": {"image": image}}},
        });
        if let Some(rollout) = rollout {
            value["metadata"]["annotations"] = json!({ANNOTATION: rollout});
        }
        (object("Deployment", name), value)
    }

    fn service(name: &str, app: &str) -> (ObjectRef, Value) {
        (object("Service", name), json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": {"app": app}}}))
    }

    #[track_caller]
    fn check(plan: &RolloutPlan, new: &[(ObjectRef, Value)], split: TrafficSplit, expected: Result<&[&str], &str>) {
        let spec = AppSpec { rollout: plan.clone(), ..AppSpec::default() };
        let old = [deployment("web", "1", None), deployment("same", "1", None)];
        let before = Before { objects: &old, live: &old };
        let found = begin(&spec, new, before, split, Timestamp::default()).map_err(|error| error.to_string());
        let show = |it: &WorkloadRollout| format!("{} {} via {}", it.object, it.replicas_canary, it.services.join(" "));
        let shown = found.map(|all| all.iter().map(show).collect::<Vec<_>>());
        assert_eq!(shown.as_ref().map(Vec::as_slice).map_err(String::as_str), expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).as_ref().map(Vec::as_slice).map_err(|it| *it));
    }

    #[test]
    fn what_changes_its_pods_changes_over() {
        let canary = RolloutPlan::Canary(CanaryPlan { steps: vec![CanaryStep::Weight(10)], analysis: None });
        let new = [deployment("web", "2", None), deployment("same", "1", None), deployment("first", "1", None), service("web", "web"), service("other", "x")];
        check(&canary, &new, TrafficSplit::Proxy, Ok(&["Deployment/web 3 via web"]));
        check(&RolloutPlan::Rolling, &new, TrafficSplit::Proxy, Ok(&[]));
        check(&RolloutPlan::Rolling, &[deployment("web", "2", Some("canary 10"))], TrafficSplit::Replicas, Ok(&["Deployment/web 3 via "]));
        check(&canary, &[deployment("web", "2", Some("rolling"))], TrafficSplit::Proxy, Ok(&[]));
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused() {
        let canary = RolloutPlan::Canary(CanaryPlan { steps: vec![CanaryStep::Weight(10)], analysis: None });
        let taken = [deployment("web", "2", None), deployment("web-canary", "1", Some("rolling"))];
        check(&canary, &taken, TrafficSplit::Proxy, Err("Deployment/web cannot change over by steps: `web-canary` is rendered, too, and the new version would have its name"));
        let blue = RolloutPlan::BlueGreen(BlueGreenPlan::default());
        check(&blue, &[deployment("web", "2", None)], TrafficSplit::Replicas, Err("Deployment/web cannot change over blue-green here: requests of this cluster do not pass Landfall's proxy; use a canary, whose share the numbers of pods make"));
        let mut set = deployment("db", "2", Some("canary 10"));
        set.0.kind = "StatefulSet".into();
        check(&canary, &[set], TrafficSplit::Proxy, Err("StatefulSet/db has `landfall.dev/rollout`, but only a Deployment changes over by steps"));
    }
}
