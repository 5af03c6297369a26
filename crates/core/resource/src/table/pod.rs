//! The row of a pod: how many containers are ready, and in one word how it is.

use names::Timestamp;
use serde_json::{Value, json};

use super::{list, number, or, since, text};

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let summary = Summary::of(pod);
    let total = list(&spec["containers"]).len()
        + list(&spec["initContainers"])
            .iter()
            .filter(|it| is_sidecar(it))
            .count();
    let address = list(&status["podIPs"])
        .first()
        .map_or("", |it| text(&it["ip"]));
    vec![
        pod["metadata"]["name"].clone(),
        json!(format!("{}/{total}", summary.ready)),
        json!(summary.word),
        json!(summary.restarts.shown(now)),
        json!(since(&pod["metadata"]["creationTimestamp"], now)),
        json!(or(address, "<none>")),
        json!(or(text(&spec["nodeName"]), "<none>")),
        json!(or(text(&status["nominatedNodeName"]), "<none>")),
        json!(readiness_gates(pod)),
    ]
}

/// An init container that keeps running beside the others.
fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

#[derive(Clone, Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += number(&status["restartCount"]);
        let finished = text(&status["lastState"]["terminated"]["finishedAt"])
            .parse()
            .ok();
        self.last = self.last.max(finished);
    }

    fn shown(&self, now: Timestamp) -> String {
        match self.last {
            Some(last) if self.count != 0 => {
                let seconds = (now.as_micros() - last.as_micros()).div_euclid(1_000_000);
                format!("{} ({} ago)", self.count, super::short_duration(seconds))
            }
            _ => self.count.to_string(),
        }
    }
}

struct Summary {
    ready: usize,
    word: String,
    restarts: Restarts,
}

impl Summary {
    fn of(pod: &Value) -> Self {
        let status = &pod["status"];
        let mut summary = Self {
            ready: 0,
            word: or(text(&status["reason"]), text(&status["phase"])).to_owned(),
            restarts: Restarts::default(),
        };
        let gated = |it: &&Value| it["type"] == "PodScheduled" && it["reason"] == "SchedulingGated";
        if list(&status["conditions"]).iter().any(|it| gated(&it)) {
            summary.word = "SchedulingGated".to_owned();
        }
        let mut of_sidecars = Restarts::default();
        let initializing = summary.init_containers(pod, &mut of_sidecars);
        if !initializing || has_condition(pod, "Initialized") {
            summary.restarts = of_sidecars;
            summary.containers(pod);
        }
        let deleted = pod["metadata"]["deletionTimestamp"].is_string();
        if deleted && status["reason"] == "NodeLost" {
            summary.word = "Unknown".to_owned();
        } else if deleted && !matches!(text(&status["phase"]), "Succeeded" | "Failed") {
            summary.word = "Terminating".to_owned();
        }
        summary
    }

    /// Looks at the init containers up to the first that is not done; whether there is one.
    fn init_containers(&mut self, pod: &Value, of_sidecars: &mut Restarts) -> bool {
        let declared = list(&pod["spec"]["initContainers"]);
        for (index, status) in list(&pod["status"]["initContainerStatuses"])
            .iter()
            .enumerate()
        {
            self.restarts.add(status);
            let sidecar = declared
                .iter()
                .any(|it| it["name"] == status["name"] && is_sidecar(it));
            if sidecar {
                of_sidecars.add(status);
            }
            let (terminated, waiting) =
                (&status["state"]["terminated"], &status["state"]["waiting"]);
            if terminated.is_object() && number(&terminated["exitCode"]) == 0 {
                continue;
            }
            if sidecar && status["started"] == true {
                self.ready += usize::from(status["ready"] == true);
                continue;
            }
            let why = text(&waiting["reason"]);
            self.word = if terminated.is_object() {
                format!("Init:{}", end_of(terminated))
            } else if !why.is_empty() && why != "PodInitializing" {
                format!("Init:{why}")
            } else {
                format!("Init:{index}/{}", declared.len())
            };
            return true;
        }
        false
    }

    fn containers(&mut self, pod: &Value) {
        let mut runs = false;
        // The first container has the last word.
        for status in list(&pod["status"]["containerStatuses"]).iter().rev() {
            self.restarts.add(status);
            let state = &status["state"];
            let why = text(&state["waiting"]["reason"]);
            if !why.is_empty() {
                self.word = why.to_owned();
            } else if state["terminated"].is_object() {
                self.word = end_of(&state["terminated"]);
            } else if status["ready"] == true && state["running"].is_object() {
                runs = true;
                self.ready += 1;
            }
        }
        if self.word == "Completed" && runs {
            let word = if has_condition(pod, "Ready") {
                "Running"
            } else {
                "NotReady"
            };
            self.word = word.to_owned();
        }
    }
}

/// Why a container ended: the given reason, else its signal or exit code.
fn end_of(terminated: &Value) -> String {
    match (text(&terminated["reason"]), number(&terminated["signal"])) {
        ("", 0) => format!("ExitCode:{}", number(&terminated["exitCode"])),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn has_condition(pod: &Value, kind: &str) -> bool {
    let holds = |it: &Value| it["type"] == kind && it["status"] == "True";
    list(&pod["status"]["conditions"]).iter().any(holds)
}

fn readiness_gates(pod: &Value) -> String {
    let gates = list(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let open = gates
        .iter()
        .filter(|it| has_condition(pod, text(&it["conditionType"])))
        .count();
    format!("{open}/{}", gates.len())
}
