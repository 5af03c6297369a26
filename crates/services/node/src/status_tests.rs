//! Tables for [`render`]: what was seen goes in, a line that sums up the status comes out.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    plan::{Action, decide},
    seen::{News, PulledImage},
    task::Problem,
};

#[test]
fn a_plain_pod_comes_up() {
    check(&[], "Pending web=ContainerCreating -/-");
    check(&["network", "image"], "Pending web=ContainerCreating -/-");
    check(
        &["network", "volumes", "image", "start"],
        "Pending web=ContainerCreating init/-",
    );
    check(
        &["network", "volumes", "image", "start", "started"],
        "Running web=running init/-",
    );
    check(
        &["network", "volumes", "image", "start", "started", "ready"],
        "Running web=running init/ready",
    );
}

#[test]
fn failures_have_the_kubelets_reasons() {
    check(&["no-image"], "Pending web=ErrImagePull: it broke -/-");
    check(
        &["no-image", "later"],
        "Pending web=ImagePullBackOff: Back-off pulling image \"img\": ErrImagePull: it broke -/-",
    );
    check(
        &["network", "volumes", "image", "start", "refused"],
        "Pending web=CreateContainerConfigError: no map init/-",
    );
    check(
        &[
            "network", "volumes", "image", "start", "started", "ended", "start", "started",
            "ended", "start",
        ],
        "Running web=CrashLoopBackOff: back-off 10s restarting failed container=web pod=p_ns(u) last=1 init/-",
    );
}

#[test]
fn whole_status_of_a_ready_pod() {
    let (pod, seen) = story(&["network", "volumes", "image", "start", "started", "ready"]);
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": null, "message": null, "lastProbeTime": null,
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        })
    };
    let expected = json!({
        "phase": "Running",
        "conditions": [
            condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"),
            condition("ContainersReady"),
        ],
        "hostIP": "10.0.0.254",
        "hostIPs": [{ "ip": "10.0.0.254" }],
        "qosClass": "BestEffort",
        "startTime": "1970-01-01T00:00:00Z",
        "containerStatuses": [{
            "name": "web",
            "image": "img",
            "imageID": "docker.io/library/img@sha256:0",
            "ready": true,
            "started": true,
            "restartCount": 0,
            "state": { "running": { "startedAt": "1970-01-01T00:00:00Z" } },
            "lastState": {},
            "containerID": "landfall://x",
        }],
        "reason": null,
        "message": null,
        "podIP": "10.0.0.1",
        "podIPs": [{ "ip": "10.0.0.1" }],
    });
    assert_eq!(
        render(
            &pod,
            &seen,
            "10.0.0.254",
            &Value::Null,
            Timestamp::default()
        ),
        expected
    );
}

#[track_caller]
fn check(steps: &[&str], expected: &str) {
    let (pod, seen) = story(steps);
    let late = if steps.contains(&"later") {
        Duration::from_secs(5)
    } else {
        Duration::ZERO
    };
    let status = render(
        &pod,
        &seen,
        "10.0.0.254",
        &Value::Null,
        Timestamp::default() + late,
    );
    let container = &status["containerStatuses"][0];
    let state = match &container["state"] {
        state if state.get("running").is_some() => "running".to_owned(),
        state => {
            let waiting = &state["waiting"];
            let message = waiting["message"]
                .as_str()
                .map(|message| format!(": {message}"))
                .unwrap_or_default();
            format!(
                "{}{message}",
                waiting["reason"].as_str().unwrap_or("terminated")
            )
        }
    };
    let last = &container["lastState"]["terminated"]["exitCode"];
    let last = last
        .as_i64()
        .map(|code| format!(" last={code}"))
        .unwrap_or_default();
    let holds = |kind: &str| {
        status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|c| c["type"] == kind && c["status"] == "True")
    };
    let init = if holds("PodReadyToStartContainers") && seen.initialized {
        "init"
    } else {
        "-"
    };
    let ready = if holds("Ready") { "ready" } else { "-" };
    let phase = status["phase"].as_str().unwrap_or_default();
    assert_eq!(
        format!("{phase} web={state}{last} {init}/{ready}"),
        expected,
        "after {steps:?}"
    );
}

/// Plays news and, at `start`, whatever is decided then.
fn story(steps: &[&str]) -> (Pod, Seen) {
    let pod = json!({
        "metadata": { "name": "p", "namespace": "ns", "uid": "u" },
        "spec": { "containers": [{ "name": "web", "image": "img" }] },
    });
    let pod = Pod::read(pod).expect("a pod");
    let now = Timestamp::default();
    let mut seen = Seen {
        accepted: Some(now),
        ..Seen::default()
    };
    let web = || "web".to_owned();
    for step in steps {
        let news = match *step {
            "network" => News::Network(Ok([10, 0, 0, 1].into())),
            "volumes" => News::Volumes(Ok(())),
            "image" => {
                let id = "docker.io/library/img@sha256:0".to_owned();
                News::Image {
                    container: web(),
                    result: Ok(PulledImage {
                        id,
                        digest: names::Digest::of(b""),
                    }),
                }
            }
            "no-image" => News::Image {
                container: web(),
                result: Err(Problem::new("ErrImagePull", "it broke")),
            },
            "started" => {
                seen.learn(
                    News::Started {
                        container: web(),
                        id: "x".to_owned(),
                        at: now,
                    },
                    now,
                );
                News::StartupPassed { container: web() }
            }
            "ready" => News::Ready {
                container: web(),
                ready: true,
            },
            "refused" => News::Refused {
                container: web(),
                problem: Problem::new("CreateContainerConfigError", "no map"),
            },
            "ended" => News::Ended {
                container: web(),
                ended: ended(now),
            },
            "start" => {
                let actions = decide(&pod, &seen, now).actions;
                actions
                    .iter()
                    .for_each(|action: &Action| seen.begin(action, now));
                continue;
            }
            _ => continue,
        };
        seen.learn(news, now);
    }
    (pod, seen)
}

fn ended(now: Timestamp) -> Ended {
    Ended {
        id: "x".to_owned(),
        exit_code: 1,
        reason: "Error".to_owned(),
        message: String::new(),
        started: now,
        finished: now,
    }
}
