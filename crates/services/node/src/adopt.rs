//! Picks up a pod where an earlier life of the agent left it. Pure.
//!
//! Two witnesses are heard: the sandboxes that exist, which know what runs, and the
//! status that was written last, which knows what happened before.

use std::net::IpAddr;

use names::{Digest, Timestamp};
use sandbox::Exit;
use serde_json::Value;

use crate::{
    backoff::{BackOff, RESTARTS},
    folders::RunName,
    pod::{Container, Pod},
    seen::{ContainerSeen, Ended, PulledImage, Run, Running, Seen},
};

/// A sandbox of the pod, as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub name: RunName,
    pub id: String,
    pub started: Timestamp,
    pub exit: Option<Exit>,
    /// The termination message, if it has ended.
    pub message: String,
}

/// What is known of a pod before anything new is seen.
///
/// `network` is the pod's address if its network still exists.
pub fn recover(pod: &Pod, found: &[Found], network: Option<IpAddr>, now: Timestamp) -> Seen {
    let status = &pod.status;
    let mut seen = Seen {
        accepted: Some(time(&status["startTime"]).unwrap_or(now)),
        address: status["podIP"].as_str().and_then(|text| text.parse().ok()),
        ..Seen::default()
    };
    if let Some(address) = network {
        seen.address = Some(address);
        seen.network.succeed(());
    }
    for (container, field) in with_fields(pod) {
        let told = status[field]
            .as_array()
            .into_iter()
            .flatten()
            .find(|told| told["name"] == container.name.as_str());
        let runs = found
            .iter()
            .filter(|found| found.name.container == container.name);
        seen.containers.insert(
            container.name.clone(),
            container_seen(runs, told.unwrap_or(&Value::Null), now),
        );
    }
    let holds = |kind: &str| {
        let conditions = status["conditions"].as_array();
        conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    let has_run = |container: &Container| {
        seen.containers
            .get(&container.name)
            .is_some_and(ContainerSeen::has_run)
    };
    seen.initialized = holds("Initialized") && !pod.spec.init_containers.is_empty()
        || pod.spec.containers.iter().any(has_run);
    if let (Some("Failed"), Some(reason)) = (status["phase"].as_str(), status["reason"].as_str()) {
        seen.failure = Some(crate::task::Problem::new(
            reason,
            status["message"].as_str().unwrap_or_default(),
        ));
    }
    seen
}

fn with_fields(pod: &Pod) -> impl Iterator<Item = (&Container, &'static str)> {
    let init = pod
        .spec
        .init_containers
        .iter()
        .map(|container| (container, "initContainerStatuses"));
    init.chain(
        pod.spec
            .containers
            .iter()
            .map(|container| (container, "containerStatuses")),
    )
}

fn container_seen<'a>(
    found: impl Iterator<Item = &'a Found>,
    told: &Value,
    now: Timestamp,
) -> ContainerSeen {
    let mut runs: Vec<_> = found.collect();
    runs.sort_by_key(|found| found.name.attempt);
    let mut seen = ContainerSeen {
        restarts: told["restartCount"]
            .as_u64()
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        last: told_end(&told["lastState"]["terminated"]),
        ..ContainerSeen::default()
    };
    if let Some(image) = told_image(told) {
        seen.image.succeed(image);
    }
    seen.run = match runs.pop() {
        Some(newest) => {
            seen.restarts = newest.name.attempt;
            if let Some(before) = runs.last().and_then(|found| found_end(found)) {
                seen.last = Some(before);
            }
            match found_end(newest) {
                Some(ended) => Run::Ended(ended),
                None => Run::Running(running(newest, told)),
            }
        }
        None => told_run(told, &mut seen, now),
    };
    let ended = match &seen.run {
        Run::Ended(ended) => Some(ended.finished),
        Run::Never | Run::Starting | Run::Refused { .. } | Run::Running(_) => None,
    };
    let started = ended
        .or(seen.last.as_ref().map(|last| last.finished))
        .unwrap_or(now);
    seen.back_off = BackOff::after(seen.restarts, started, RESTARTS);
    seen
}

/// What the status says where no sandbox is left.
fn told_run(told: &Value, seen: &mut ContainerSeen, now: Timestamp) -> Run {
    if let Some(ended) = told_end(&told["state"]["terminated"]) {
        return Run::Ended(ended);
    }
    if told["state"]["running"].is_object() {
        return Run::Ended(Ended {
            id: plain_id(&told["containerID"]),
            exit_code: 137,
            reason: Ended::LOST.to_owned(),
            message: "The container could not be located when the pod was adopted; it was lost with the machine or its runtime".to_owned(),
            started: time(&told["state"]["running"]["startedAt"]).unwrap_or(now),
            finished: now,
        });
    }
    // It was waiting for a restart, so its last end is its present state.
    seen.last.take().map_or(Run::Never, Run::Ended)
}

fn running(found: &Found, told: &Value) -> Running {
    let same = plain_id(&told["containerID"]) == found.id;
    let flag = |name: &str| same && told[name].as_bool().unwrap_or(false);
    Running {
        started: flag("started"),
        ready: flag("ready"),
        ..Running::new(found.id.clone(), found.started)
    }
}

fn found_end(found: &Found) -> Option<Ended> {
    found
        .exit
        .as_ref()
        .map(|exit| ended(&found.id, exit, found.message.clone()))
}

/// The end of a run, in the words of container statuses.
pub fn ended(id: &str, exit: &Exit, message: String) -> Ended {
    let (reason, message) = match exit {
        exit if exit.lost => (
            Ended::LOST,
            "Nobody saw the end of the container".to_owned(),
        ),
        exit if exit.oom_killed => ("OOMKilled", message),
        exit if exit.code == 0 => ("Completed", message),
        _ => ("Error", message),
    };
    Ended {
        id: id.to_owned(),
        exit_code: exit.code,
        reason: reason.to_owned(),
        message,
        started: exit.started,
        finished: exit.finished,
    }
}

fn told_end(terminated: &Value) -> Option<Ended> {
    let text = |name: &str| terminated[name].as_str().unwrap_or_default().to_owned();
    Some(Ended {
        id: plain_id(&terminated["containerID"]),
        exit_code: i32::try_from(terminated["exitCode"].as_i64()?).ok()?,
        reason: text("reason"),
        message: text("message"),
        started: time(&terminated["startedAt"])?,
        finished: time(&terminated["finishedAt"])?,
    })
}

fn told_image(told: &Value) -> Option<PulledImage> {
    let id = told["imageID"].as_str()?;
    let digest: Digest = id.rsplit_once('@')?.1.parse().ok()?;
    Some(PulledImage {
        id: id.to_owned(),
        digest,
    })
}

fn plain_id(value: &Value) -> String {
    let id = value.as_str().unwrap_or_default();
    id.split_once("://").map_or(id, |(_, id)| id).to_owned()
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_running_sandbox_is_adopted_with_its_readiness() {
        let running = json!({ "running": { "startedAt": "1970-01-01T00:00:05Z" } });
        check(&[(0, None)], &running, 0, "run u.web.0 ready, restarts 0");
        check(
            &[(0, Some(1)), (1, None)],
            &running,
            0,
            "run u.web.1, last 1, restarts 1",
        );
    }

    #[test]
    fn an_end_that_nobody_reported_is_found() {
        let running = json!({ "running": { "startedAt": "1970-01-01T00:00:05Z" } });
        check(&[(0, Some(3))], &running, 0, "ended 3 Error, restarts 0");
        check(
            &[],
            &running,
            2,
            "ended 137 ContainerStatusUnknown, restarts 2",
        );
    }

    #[test]
    fn what_the_status_tells_is_kept() {
        let ended = json!({ "terminated": {
            "exitCode": 0, "reason": "Completed", "startedAt": "1970-01-01T00:00:01Z", "finishedAt": "1970-01-01T00:00:02Z",
        } });
        check(&[], &ended, 1, "ended 0 Completed, restarts 1");
        check(
            &[],
            &json!({ "waiting": { "reason": "ContainerCreating" } }),
            0,
            "never, restarts 0",
        );
    }

    #[track_caller]
    fn check(sandboxes: &[(u32, Option<i32>)], state: &Value, restarts: u32, expected: &str) {
        let now = Timestamp::from_micros(9_000_000);
        let pod = json!({
            "metadata": { "name": "p", "uid": "u" },
            "spec": { "containers": [{ "name": "web" }] },
            "status": { "containerStatuses": [{
                "name": "web", "state": state, "restartCount": restarts, "ready": true, "started": true,
                "containerID": "landfall://u.web.0",
            }] },
        });
        let pod = Pod::read(pod).expect("a pod");
        let exit = |code| Exit {
            code,
            signal: None,
            oom_killed: false,
            lost: false,
            started: now,
            finished: now,
        };
        let found = |(attempt, code): &(u32, Option<i32>)| Found {
            name: RunName {
                uid: "u".to_owned(),
                container: "web".to_owned(),
                attempt: *attempt,
            },
            id: format!("u.web.{attempt}"),
            started: now,
            exit: code.map(exit),
            message: String::new(),
        };
        let found: Vec<_> = sandboxes.iter().map(found).collect();
        let seen = recover(&pod, &found, None, now);
        let web = &seen.containers["web"];
        let run = match &web.run {
            Run::Running(running) if running.ready => format!("run {} ready", running.id),
            Run::Running(running) => format!("run {}", running.id),
            Run::Ended(ended) => format!("ended {} {}", ended.exit_code, ended.reason),
            Run::Never | Run::Starting | Run::Refused { .. } => "never".to_owned(),
        };
        let last = web
            .last
            .as_ref()
            .map(|last| format!(", last {}", last.exit_code))
            .unwrap_or_default();
        assert_eq!(format!("{run}{last}, restarts {}", web.restarts), expected);
    }
}
