//! Tells what was seen of a pod as the pod's status: phase, conditions, container states.

use names::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    plan::{PULL_ERROR_SHOWN, failed_init, restarts},
    pod::{Container, Pod},
    seen::{ContainerSeen, Ended, Run, Seen},
};

/// The prefix of container IDs, as every runtime has one.
pub const RUNTIME: &str = "landfall";

/// The status of `pod` at `now`; `host` is the node's address, `before` the status told last.
///
/// It holds exactly the fields that the node owns, with explicit nulls where one
/// must vanish, so it can be sent as a strategic merge patch.
pub fn render(pod: &Pod, seen: &Seen, host: &str, before: &Value, now: Timestamp) -> Value {
    let teller = Teller { pod, seen, now };
    let phase = teller.phase();
    let ips = |address: &str| json!([{ "ip": address }]);
    let mut status = json!({
        "phase": phase,
        "conditions": teller.conditions(phase),
        "hostIP": host,
        "hostIPs": ips(host),
        "qosClass": pod.qos_class(),
        "startTime": seen.accepted.map(Timestamp::to_seconds_text),
        "containerStatuses": teller.containers(&pod.spec.containers),
        "reason": seen.failure.as_ref().map(|problem| &problem.reason),
        "message": seen.failure.as_ref().map(|problem| &problem.message),
    });
    if let Some(address) = seen.address.map(|address| address.to_string()) {
        status["podIP"] = json!(address);
        status["podIPs"] = ips(&address);
    }
    if !pod.spec.init_containers.is_empty() {
        status["initContainerStatuses"] = teller.containers(&pod.spec.init_containers);
    }
    keep_transitions(&mut status, before, now);
    status
}

/// Conditions that did not change keep the time of their last change.
fn keep_transitions(status: &mut Value, before: &Value, now: Timestamp) {
    let before = before.get("conditions").and_then(Value::as_array);
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        let same =
            |old: &&Value| old["type"] == condition["type"] && old["status"] == condition["status"];
        let since = before
            .into_iter()
            .flatten()
            .find(same)
            .map(|old| old["lastTransitionTime"].clone());
        condition["lastTransitionTime"] = since
            .filter(Value::is_string)
            .unwrap_or_else(|| json!(now.to_seconds_text()));
    }
}

struct Teller<'a> {
    pod: &'a Pod,
    seen: &'a Seen,
    now: Timestamp,
}

impl Teller<'_> {
    fn phase(&self) -> &'static str {
        let Self { pod, seen, .. } = self;
        if seen.failure.is_some() || failed_init(pod, seen) {
            return if seen.is_alive() { "Running" } else { "Failed" };
        }
        let (mut running, mut failed, mut ended, mut waiting) =
            (0_usize, 0_usize, 0_usize, 0_usize);
        for container in &pod.spec.containers {
            let Some(seen) = seen.containers.get(&container.name) else {
                waiting += 1;
                continue;
            };
            match &seen.run {
                Run::Running(_) => running += 1,
                Run::Ended(end) => match restarts(pod, container, end) && !pod.is_being_deleted() {
                    true => running += 1,
                    false => {
                        ended += 1;
                        failed += usize::from(end.exit_code != 0);
                    }
                },
                // Between two runs it counts as running.
                Run::Starting | Run::Refused { .. } | Run::Never if seen.last.is_some() => {
                    running += 1
                }
                Run::Starting | Run::Refused { .. } | Run::Never => waiting += 1,
            }
        }
        if !seen.initialized && !pod.spec.init_containers.is_empty() && running + ended == 0 {
            return "Pending";
        }
        match (waiting, running, ended, failed) {
            (1.., ..) => "Pending",
            (0, 1.., ..) => "Running",
            (0, 0, 1.., 0) => "Succeeded",
            (0, 0, 1.., _) => "Failed",
            (0, 0, 0, _) => "Pending",
        }
    }

    fn conditions(&self, phase: &str) -> Value {
        let Self { pod, seen, .. } = self;
        let over = match phase {
            "Succeeded" => Some("PodCompleted"),
            "Failed" => Some("PodFailed"),
            _ => None,
        };
        let list = |word: &str, names: Vec<&str>| {
            format!("containers with {word} status: [{}]", names.join(" "))
        };
        let incomplete: Vec<_> = match seen.initialized {
            true => Vec::new(),
            false => pod
                .spec
                .init_containers
                .iter()
                .filter(|init| !self.is_through(init))
                .map(name)
                .collect(),
        };
        let initialized = match (over, incomplete.is_empty()) {
            (Some("PodCompleted"), _) => condition("Initialized", Some("PodCompleted"), None, true),
            (_, true) => condition("Initialized", None, None, true),
            (_, false) => condition(
                "Initialized",
                Some("ContainersNotInitialized"),
                Some(list("incomplete", incomplete)),
                false,
            ),
        };
        let ready = |container: &Container| {
            seen.running(&container.name)
                .is_some_and(|running| running.ready)
        };
        let sidecars = pod
            .spec
            .init_containers
            .iter()
            .filter(|init| init.is_sidecar());
        let unready: Vec<_> = sidecars
            .chain(&pod.spec.containers)
            .filter(|container| !ready(container))
            .map(name)
            .collect();
        let why = match over {
            Some(reason) => Some((reason, None)),
            None if unready.is_empty() => None,
            None => Some(("ContainersNotReady", Some(list("unready", unready)))),
        };
        let (reason, message) = why.clone().unzip();
        let containers_ready =
            condition("ContainersReady", reason, message.flatten(), why.is_none());
        let why = why.or_else(|| {
            self.closed_gate()
                .map(|message| ("ReadinessGatesNotReady", Some(message)))
        });
        let (reason, message) = why.clone().unzip();
        let network = !seen.released.is_done() && seen.network.is_done() && !seen.cleaned.is_done();
        Value::Array(vec![
            condition("PodReadyToStartContainers", None, None, network),
            initialized,
            condition("Ready", reason, message.flatten(), why.is_none()),
            containers_ready,
        ])
    }

    fn is_through(&self, init: &Container) -> bool {
        match self.seen.run(&init.name) {
            Run::Running(running) => init.is_sidecar() && running.started,
            Run::Ended(ended) => !init.is_sidecar() && ended.exit_code == 0,
            Run::Never | Run::Starting | Run::Refused { .. } => false,
        }
    }

    /// The first readiness gate whose condition is not true.
    fn closed_gate(&self) -> Option<String> {
        let conditions = self.pod.status.get("conditions").and_then(Value::as_array);
        let is_open = |gate: &str| {
            conditions
                .into_iter()
                .flatten()
                .any(|condition| condition["type"] == gate && condition["status"] == "True")
        };
        let gate = self
            .pod
            .spec
            .readiness_gates
            .iter()
            .find(|gate| !is_open(&gate.condition_type))?;
        Some(format!(
            "the status of pod readiness gate \"{}\" is not \"True\", but Unknown",
            gate.condition_type
        ))
    }

    fn containers(&self, containers: &[Container]) -> Value {
        containers
            .iter()
            .map(|container| self.container(container))
            .collect()
    }

    fn container(&self, container: &Container) -> Value {
        let default = ContainerSeen::default();
        let seen = self
            .seen
            .containers
            .get(&container.name)
            .unwrap_or(&default);
        let running = self.seen.running(&container.name);
        let is_init = self
            .pod
            .spec
            .init_containers
            .iter()
            .any(|init| init.name == container.name);
        let through = is_init && !container.is_sidecar() && self.is_through(container);
        let state = self.state(container, seen);
        // While a restart is delayed, the end that led to it is the last state.
        let last = match &seen.run {
            Run::Ended(ended) if state.contains_key("waiting") => Some(ended),
            Run::Never | Run::Starting | Run::Refused { .. } | Run::Running(_) | Run::Ended(_) => {
                seen.last.as_ref()
            }
        };
        let id = match &seen.run {
            Run::Running(running) => Some(&running.id),
            Run::Ended(ended) => Some(&ended.id),
            Run::Never | Run::Starting | Run::Refused { .. } => {
                seen.last.as_ref().map(|last| &last.id)
            }
        };
        let mut status = json!({
            "name": container.name,
            "image": container.image,
            "imageID": seen.image.done().map_or("", |image| &image.id),
            "ready": through || running.is_some_and(|running| running.ready),
            "started": running.is_some_and(|running| running.started),
            "restartCount": seen.restarts,
            "state": state,
            "lastState": last.map_or_else(|| json!({}), |ended| json!({ "terminated": terminated(ended) })),
        });
        if let Some(id) = id {
            status["containerID"] = json!(format!("{RUNTIME}://{id}"));
        }
        status
    }

    fn state(&self, container: &Container, seen: &ContainerSeen) -> Map<String, Value> {
        let state = match &seen.run {
            Run::Running(running) => {
                json!({ "running": { "startedAt": running.since.to_seconds_text() } })
            }
            Run::Ended(ended) if self.is_delayed(container, seen, ended) => {
                let delay = seen.back_off.delay();
                waiting(
                    "CrashLoopBackOff",
                    &format!(
                        "back-off {} restarting failed container={} pod={}",
                        go_duration(delay),
                        container.name,
                        self.pod.title(),
                    ),
                )
            }
            Run::Ended(ended) => json!({ "terminated": terminated(ended) }),
            Run::Never | Run::Starting | Run::Refused { .. } => self.waiting_state(container, seen),
        };
        match state {
            Value::Object(map) => map,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        }
    }

    fn is_delayed(&self, container: &Container, seen: &ContainerSeen, ended: &Ended) -> bool {
        let lives = !self.pod.is_being_deleted() && !self.seen.gone && self.seen.failure.is_none();
        lives && restarts(self.pod, container, ended) && seen.told == Some(ended.finished)
    }

    fn waiting_state(&self, container: &Container, seen: &ContainerSeen) -> Value {
        if let Some(problem) = &seen.refusal {
            return waiting(&problem.reason, &problem.message);
        }
        if let Some((problem, since)) = seen.image.problem() {
            let fresh = since.is_some_and(|since| self.now < since + PULL_ERROR_SHOWN);
            if fresh || problem.reason != "ErrImagePull" {
                return waiting(&problem.reason, &problem.message);
            }
            let message = format!(
                "Back-off pulling image \"{}\": ErrImagePull: {}",
                container.image, problem.message
            );
            return waiting("ImagePullBackOff", &message);
        }
        let is_main = self
            .pod
            .spec
            .containers
            .iter()
            .any(|main| main.name == container.name);
        let waits_for_init =
            !self.pod.spec.init_containers.is_empty() && is_main && !self.seen.initialized;
        json!({ "waiting": { "reason": if waits_for_init { "PodInitializing" } else { "ContainerCreating" } } })
    }
}

fn name(container: &Container) -> &str {
    &container.name
}

fn condition(kind: &str, reason: Option<&str>, message: Option<String>, holds: bool) -> Value {
    json!({
        "type": kind,
        "status": if holds { "True" } else { "False" },
        "reason": reason,
        "message": message,
        "lastProbeTime": null,
    })
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({ "waiting": { "reason": reason, "message": message } })
}

fn terminated(ended: &Ended) -> Value {
    let mut state = json!({
        "exitCode": ended.exit_code,
        "reason": ended.reason,
        "startedAt": ended.started.to_seconds_text(),
        "finishedAt": ended.finished.to_seconds_text(),
        "containerID": format!("{RUNTIME}://{}", ended.id),
    });
    if !ended.message.is_empty() {
        state["message"] = json!(ended.message);
    }
    state
}

/// `10s`, `2m40s`, as Go prints durations of whole seconds.
fn go_duration(span: std::time::Duration) -> String {
    match span.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds => format!("{}m{}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
