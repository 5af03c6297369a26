//! An app that is held at its first deployment, because the second one was bad; and a drill of it.

use api::{
    AnalysisProgress, App, AppCondition, AppResource, AppSource, AppSpec, AppStatus, CanaryPlan, CanaryStep, Cause, Deployment, DeploymentState,
    DriftField, Drill, DrillFinding, DrillState, DrillWeight, Health, MeasuredVerdict, Measurement, ObjectRef, Quarantine, Revision, RolloutPhase,
    RolloutPlan, RolloutProgress, SyncState, TrafficSplit, WorkloadRollout,
};
use names::Digest;
use serde_json::json;

use super::{BAD, GOOD, at, commit};

fn object(api_version: &str, kind: &str, plural: &str, name: &str) -> ObjectRef {
    ObjectRef { api_version: api_version.into(), kind: kind.into(), plural: plural.into(), namespace: Some("shop".into()), name: name.into() }
}

fn revision(of: &str) -> Revision {
    Revision { commits: vec![commit(of)], rendered: Digest::of(of.as_bytes()) }
}

fn deployment(id: u64, of: &str, state: DeploymentState) -> Deployment {
    Deployment {
        id,
        revision: revision(of),
        inventory: Vec::new(),
        state,
        started: at(i64::try_from(id).unwrap_or_default()),
        finished: Some(at(100)),
        cause: None,
        by: "automatic".into(),
        back_to: None,
        workloads: Vec::new(),
        subject: if of == BAD { "greet in a hurry".into() } else { "greet politely".into() },
        irreversible: Vec::new(),
    }
}

fn cause() -> Cause {
    let evidence = vec!["Deployment/shop is Degraded: no pod gets ready".to_owned()];
    Cause { code: "LF-D0202".into(), summary: "Deployment/shop is Degraded".into(), evidence, help: Vec::new() }
}

pub fn held() -> App {
    let web = AppResource {
        object: object("apps/v1", "Deployment", "deployments", "shop"),
        sync: SyncState::OutOfSync,
        health: Some(Health::Degraded),
        message: String::new(),
        drift: vec![DriftField { path: ".spec.replicas".into(), wanted: Some(json!(2)), live: Some(json!(7)), writer: Some("kubectl-scale".into()) }],
        requires_pruning: false,
    };
    let settings = AppResource {
        object: object("v1", "ConfigMap", "configmaps", "settings"),
        sync: SyncState::Synced,
        health: None,
        message: String::new(),
        drift: Vec::new(),
        requires_pruning: false,
    };
    let quarantine = Quarantine {
        rendered: revision(BAD).rendered,
        commits: vec![commit(BAD)],
        deployment: 2,
        since: at(90),
        cause: cause(),
        reverted_by: Some(commit(GOOD)),
        revert_pending: None,
    };
    let status = AppStatus {
        seen: Some(revision(BAD)),
        deployed: Some(3),
        sync: SyncState::Held,
        health: Health::Degraded,
        resources: vec![web, settings],
        quarantined: vec![quarantine],
        history: vec![
            deployment(1, GOOD, DeploymentState::Healthy),
            Deployment { cause: Some(cause()), ..deployment(2, BAD, DeploymentState::RolledBack) },
            Deployment { back_to: Some(1), ..deployment(3, GOOD, DeploymentState::Healthy) },
        ],
        conditions: vec![AppCondition {
            kind: "Held".into(),
            message: "held at deployment 1: deployment 2 is quarantined".into(),
            help: "push a change, or `landfall app release` to try it again".into(),
        }],
        ..AppStatus::default()
    };
    let source = AppSource { repository: "shop".into(), revision: "main".into(), path: "deploy".into(), ..AppSource::default() };
    let spec = AppSpec { project: "default".into(), sources: vec![source], namespace: "shop".into(), history: 10, deadline_seconds: 600, ..AppSpec::default() };
    App { name: "shop".into(), spec, generation: 1, request: None, status }
}

/// The same app in the middle of a canary.
pub fn changing() -> App {
    let steps = vec![CanaryStep::Weight(10), CanaryStep::Pause(None), CanaryStep::Weight(50)];
    let measured = Measurement { at: at(95), weight: 10, verdict: MeasuredVerdict::Good, readings: vec!["errors 0% of 40 requests, at most 1%".into()] };
    let it = WorkloadRollout {
        object: object("apps/v1", "Deployment", "deployments", "shop"),
        plan: RolloutPlan::Canary(CanaryPlan { steps, analysis: None }),
        services: vec!["shop".into()],
        stable: "one".into(),
        canary: "two".into(),
        replicas_stable: 2,
        replicas_canary: 2,
        phase: RolloutPhase::Stepping,
        step: 1,
        weight: 10,
        since: at(90),
        stable_changed: false,
        unready_since: None,
        analysis: AnalysisProgress { latest: vec![measured], ..AnalysisProgress::default() },
        message: "pauses at 10% until a person goes on".into(),
        paused: true,
    };
    let rollout = RolloutProgress {
        deployment: 3,
        stable: Digest::of(GOOD.as_bytes()),
        split: TrafficSplit::Proxy,
        workloads: vec![it],
        failed: None,
        passed: None,
        followed: false,
    };
    let held = held();
    App { status: AppStatus { rollout: Some(rollout), conditions: Vec::new(), quarantined: Vec::new(), ..held.status }, ..held }
}

pub fn drill() -> Drill {
    Drill {
        number: 1,
        target: "shop".into(),
        to: "deployment 1".into(),
        from: "deployment 2".into(),
        state: DrillState::Blocked,
        namespaces: Vec::new(),
        steps: Vec::new(),
        findings: vec![DrillFinding {
            weight: DrillWeight::Blocks,
            code: "LF-D0304".into(),
            object: None,
            message: "the image `shop:1` is missing: its layer is gone".into(),
            help: String::new(),
        }],
        started: at(95),
        finished: Some(at(99)),
    }
}
