//! Verdicts on what a cluster showed.

use api::{Change, ReleaseState};
use names::{CommitId, Digest};
use serde_json::json;

use super::*;

fn release(kind: &str, plural: &str) -> Release {
    let object = ObjectRef {
        api_version: "apps/v1".into(),
        kind: kind.into(),
        plural: plural.into(),
        namespace: Some("shop".into()),
        name: "web".into(),
    };
    Release {
        id: "shop/production@1".parse().expect("a release"),
        run: "shop#1".parse().expect("a run"),
        commit: CommitId::ZERO,
        jobs: vec!["deploy".into()],
        state: ReleaseState::Deploying,
        changes: vec![Change { object, before: None, after: Some(Digest::of(b"")) }],
        images: vec![],
        workloads: vec![],
        addresses: vec![],
        cause: None,
        rolled_back_to: None,
        leftovers: vec![],
        created: Timestamp::default(),
        applied: Timestamp::default(),
        finished: None,
    }
}

/// A deployment of two replicas whose newest pod has `container` as its container status.
fn sight(status: Value, container: Value) -> Sight {
    let owner = |uid: &str| json!([{"uid": uid}]);
    Sight {
        deployments: vec![json!({
            "metadata": {"name": "web", "uid": "d", "generation": 2},
            "spec": {"replicas": 2, "progressDeadlineSeconds": 5},
            "status": status,
        })],
        replica_sets: ["1", "2"]
            .map(|revision| json!({"metadata": {"uid": format!("r{revision}"), "ownerReferences": owner("d"),
                "annotations": {"deployment.kubernetes.io/revision": revision}}}))
            .into(),
        pods: vec![
            json!({"metadata": {"name": "old", "ownerReferences": owner("r1")}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            json!({"metadata": {"name": "new", "ownerReferences": owner("r2")}, "spec": {"restartPolicy": "Always"},
                "status": {"containerStatuses": [container]}}),
        ],
        events: vec![json!({"involvedObject": {"name": "new"}, "type": "Warning", "reason": "Unhealthy",
            "message": "Readiness probe failed: HTTP probe failed with statuscode: 500"})],
        last_lines: vec![(("new".into(), "app".into()), vec!["no database".into()])],
    }
}

#[track_caller]
fn check(status: Value, container: Value, after_seconds: u64, expected: &str) {
    let now = Timestamp::default() + Duration::from_secs(after_seconds);
    let (verdict, _) = judge(&release("Deployment", "deployments"), &sight(status, container), now);
    let told = match verdict {
        Verdict::Progressing => "progressing".to_owned(),
        Verdict::Healthy => "healthy".to_owned(),
        Verdict::Failed(cause) => format!("{}: {} | {}", cause.code, cause.summary, cause.evidence.join("; ")),
    };
    assert_eq!(told, expected);
}

fn rolling() -> Value {
    json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2})
}

fn overdue() -> Value {
    let mut status = rolling();
    status["conditions"] = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    status
}

#[test]
fn healthy_is_what_rollout_status_calls_done() {
    let running = json!({"name": "app", "ready": true, "state": {"running": {}}});
    let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
    check(done.clone(), running.clone(), 0, "healthy");
    let mut unobserved = done;
    unobserved["observedGeneration"] = json!(1);
    check(unobserved, running.clone(), 0, "progressing");
    check(rolling(), running, 0, "progressing");
}

#[test]
fn a_probe_that_fails_is_told_when_the_deadline_is_over() {
    let container = json!({"name": "app", "ready": false, "restartCount": 0, "state": {"running": {}}});
    check(rolling(), container.clone(), 60, "progressing");
    check(
        overdue(),
        container,
        60,
        "LF-D0103: container `app` of pod new runs, but is not ready | Deployment/web made no progress for 5 s \
         (progressDeadlineSeconds); Readiness probe failed: HTTP probe failed with statuscode: 500; last output: no database",
    );
}

#[test]
fn a_crash_loop_is_told_after_three_restarts() {
    let container = |restarts: u64| {
        json!({"name": "app", "ready": false, "restartCount": restarts,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 127, "reason": "Error"}}})
    };
    check(rolling(), container(1), 60, "progressing");
    check(
        rolling(),
        container(3),
        60,
        "LF-D0102: container `app` of pod new ends soon after its start | exit code 127 (the command was not found), \
         3 restarts; last output: no database",
    );
}

#[test]
fn an_image_that_is_nowhere_is_told_at_once_and_a_missing_config_after_a_while() {
    let waiting = |reason: &str, message: &str| {
        json!({"name": "app", "image": "shop:v2", "ready": false, "state": {"waiting": {"reason": reason, "message": message}}})
    };
    check(
        rolling(),
        waiting("ImagePullBackOff", "not found"),
        0,
        "LF-D0101: the image `shop:v2` of container `app` of pod new cannot be pulled | not found",
    );
    let missing = waiting("CreateContainerConfigError", "configmap \"settings\" not found");
    check(rolling(), missing.clone(), 1, "progressing");
    check(
        rolling(),
        missing,
        11,
        "LF-D0106: container `app` of pod new cannot be configured: configmap \"settings\" not found | ",
    );
}

#[test]
fn what_cannot_be_seen_is_not_healthy() {
    let (verdict, workloads) = judge(&release("Deployment", "deployments"), &Sight::default(), Timestamp::default());
    assert_eq!(verdict, Verdict::Progressing);
    assert_eq!(workloads.first().map(|it| it.message.as_str()), Some("not seen"));
    let (verdict, _) = judge(&release("ConfigMap", "configmaps"), &Sight::default(), Timestamp::default());
    assert_eq!(verdict, Verdict::Healthy);
}
