//! Says why a workload does not come up, from what its pods and events tell.
//!
//! A wrong cause is worse than none: where nothing tells, the answer is that
//! it is not known.

use api::{Cause, ObjectRef};
use serde_json::Value;

use crate::{
    Sight,
    sight::{list, number, text},
};

/// The codes of causes and what each means, for `landfall explain CODE`.
pub const CODES: [(&str, &str); 25] = [
    ("LF-D0101", "The image of a container could not be pulled: it is in no registry that was asked, or its name is wrong."),
    ("LF-D0102", "A container ended again and again soon after its start; its last output usually says why."),
    ("LF-D0103", "The containers run, but their readiness probe never succeeded, so they got no traffic."),
    ("LF-D0104", "A container used more memory than its limit allows and was killed."),
    ("LF-D0105", "No node has room for a pod, or none that its rules allow."),
    ("LF-D0106", "A pod needs a ConfigMap, a Secret or a key of one that is not there."),
    ("LF-D0107", "The deployment did not finish within its progressDeadlineSeconds, and nothing that was seen says why."),
    ("LF-D0108", "The command of a container could not be started: it is not in the image, or it may not be executed."),
    ("LF-D0110", "A person asked for the rollback."),
    ("LF-D0201", "Objects of an app could not be written; the API server's own words say why."),
    ("LF-D0202", "Everything of an app was written, and an object of it did not become healthy."),
    ("LF-D0203", "The analysis of a new version failed while it got a share of the requests; the evidence names the limit and what was measured."),
    ("LF-D0204", "A new version that was tried beside the old one did not get ready, or could not take over."),
    ("LF-D0205", "The plan of a roll-out cannot be carried out; nothing was written."),
    ("LF-D0301", "There is nothing to go back to: no earlier deployment was healthy, or what it brought is not kept any more."),
    ("LF-D0302", "A field differs between the two states that the API server lets nobody change; one of the ways would be refused."),
    ("LF-D0303", "A hook says of itself that what it does cannot be undone (`landfall.dev/irreversible: \"true\"`)."),
    ("LF-D0304", "An image that the way back needs is not there any more."),
    ("LF-D0305", "Something is not copied by a drill, because a copy would touch what lies outside of it."),
    ("LF-D0306", "After the way back, something was not as it had been."),
    ("LF-D0307", "The API server refused a change that the way back needs; the message is its own."),
    ("LF-D0308", "The copy of a drill did not become healthy."),
    ("LF-D0309", "A drill was cut short, by the end of the server or of its time."),
    ("LF-G0001", "An Application says something that does not fit, or lacks something that it needs."),
    ("LF-G0002", "An Application has a field that is not carried out; it is refused by name, not left aside."),
];

/// What a code means, if there is such a code.
pub fn explain_code(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, text)| *text)
}

/// Trouble with one pod.
pub(crate) struct Trouble {
    /// The clearest trouble of several is told.
    pub weight: u8,
    pub hope: Hope,
    pub cause: Cause,
}

/// Whether trouble may go away by itself.
pub(crate) enum Hope {
    None,
    Short,
    /// The container was restarted this often.
    Restarts(u64),
    UntilDeadline,
}

fn cause(code: &str, summary: String, evidence: Vec<String>, help: &[&str]) -> Cause {
    let help = help.iter().map(|line| (*line).to_owned()).collect();
    Cause { code: code.to_owned(), summary, evidence, help }
}

/// The clearest trouble of a pod, if it has any.
pub(crate) fn of_pod(pod: &Value, sight: &Sight) -> Option<Trouble> {
    let statuses = list(pod, "/status/initContainerStatuses").iter();
    let statuses = statuses.chain(list(pod, "/status/containerStatuses"));
    let of_containers = statuses.filter_map(|status| of_container(pod, status, sight));
    of_containers.max_by_key(|trouble| trouble.weight).or_else(|| unschedulable(pod))
}

fn unschedulable(pod: &Value) -> Option<Trouble> {
    let condition = list(pod, "/status/conditions").iter().find(|it| {
        text(it, "/type") == "PodScheduled" && text(it, "/reason") == "Unschedulable"
    })?;
    let name = text(pod, "/metadata/name");
    let evidence = vec![format!("pod {name}: {}", text(condition, "/message"))];
    let summary = format!("no node can take the pod `{name}`");
    let help = ["lower the resource requests, or add a node that fits"];
    Some(Trouble { weight: 3, hope: Hope::UntilDeadline, cause: cause("LF-D0105", summary, evidence, &help) })
}

fn of_container(pod: &Value, status: &Value, sight: &Sight) -> Option<Trouble> {
    let pod_name = text(pod, "/metadata/name");
    let container = text(status, "/name");
    let waiting = text(status, "/state/waiting/reason");
    let message = text(status, "/state/waiting/message");
    let place = format!("container `{container}` of pod {pod_name}");
    match waiting {
        "InvalidImageName" | "ErrImageNeverPull" => {
            Some(image_trouble(Hope::None, &place, status, message))
        }
        "ImagePullBackOff" => Some(image_trouble(Hope::None, &place, status, &pull_message(pod_name, message, sight))),
        "ErrImagePull" => Some(image_trouble(Hope::Short, &place, status, message)),
        "CreateContainerConfigError" => {
            let summary = format!("{place} cannot be configured: {message}");
            let help = ["apply the missing ConfigMap or Secret together with the workload"];
            Some(Trouble { weight: 6, hope: Hope::Short, cause: cause("LF-D0106", summary, vec![], &help) })
        }
        "RunContainerError" | "CreateContainerError" | "StartError" => {
            Some(start_trouble(&place, message, number(status, "/restartCount")))
        }
        _ => ended(pod, status, sight).or_else(|| not_ready(pod, status, sight)),
    }
}

/// The back-off's own message names no reason; the event of the try before does.
fn pull_message(pod: &str, message: &str, sight: &Sight) -> String {
    let warnings = sight.warnings(pod);
    let told = warnings.iter().rev().find(|(reason, text)| *reason == "Failed" && text.contains("pull"));
    told.map_or(message, |(_, text)| *text).to_owned()
}

fn image_trouble(hope: Hope, place: &str, status: &Value, message: &str) -> Trouble {
    let image = text(status, "/image");
    let summary = format!("the image `{image}` of {place} cannot be pulled");
    let help = [
        "push the image in a step before the deploy, under exactly this name",
        "or bring it in: landfall image import SOURCE NAME",
    ];
    let evidence = if message.is_empty() { vec![] } else { vec![message.to_owned()] };
    Trouble { weight: 9, hope, cause: cause("LF-D0101", summary, evidence, &help) }
}

fn start_trouble(place: &str, message: &str, restarts: u64) -> Trouble {
    let summary = format!("{place} cannot be started");
    let help = ["check `command`, ENTRYPOINT and CMD: the program must be in the image and executable"];
    let cause = cause("LF-D0108", summary, vec![message.to_owned()], &help);
    Trouble { weight: 8, hope: Hope::Restarts(restarts + 1), cause }
}

/// A container that ended badly, now or before its last restart.
fn ended(pod: &Value, status: &Value, sight: &Sight) -> Option<Trouble> {
    let end = ["/state/terminated", "/lastState/terminated"]
        .iter()
        .find_map(|pointer| status.pointer(pointer))?;
    let code = end.pointer("/exitCode").and_then(Value::as_i64).unwrap_or_default();
    let reason = text(end, "/reason");
    let policy = text(pod, "/spec/restartPolicy");
    if code == 0 && (policy != "Always" || number(status, "/restartCount") == 0) {
        return None;
    }
    let (pod_name, container) = (text(pod, "/metadata/name"), text(status, "/name"));
    let place = format!("container `{container}` of pod {pod_name}");
    let restarts = number(status, "/restartCount");
    let hope = if policy == "Never" { Hope::None } else { Hope::Restarts(restarts) };
    if matches!(reason, "StartError" | "ContainerCannotRun") {
        return Some(Trouble { hope, ..start_trouble(&place, text(end, "/message"), restarts) });
    }
    if reason == "OOMKilled" {
        let summary = format!("{place} used more memory than its limit");
        let help = ["raise resources.limits.memory, or find what uses it"];
        return Some(Trouble { weight: 8, hope, cause: cause("LF-D0104", summary, vec![], &help) });
    }
    let mut evidence = vec![format!("exit code {code} ({}), {restarts} restarts", exit_meaning(code))];
    let message = text(end, "/message");
    evidence.extend((!message.is_empty()).then(|| message.to_owned()));
    let lines = sight.last_lines(pod_name, container);
    evidence.extend(last_output(lines));
    let summary = format!("{place} ends soon after its start");
    let help = ["landfall explain RELEASE shows its last output; kubectl logs --previous shows all of it"];
    Some(Trouble { weight: 7, hope, cause: cause("LF-D0102", summary, evidence, &help) })
}

/// The last lines, each told once: a probe often writes the same line again and again.
fn last_output(lines: &[String]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for line in lines {
        let line = format!("last output: {line}");
        if !told.contains(&line) {
            told.push(line);
        }
    }
    told
}

fn exit_meaning(code: i64) -> String {
    match code {
        126 => "the command is not executable".to_owned(),
        127 => "the command was not found".to_owned(),
        129..=192 => format!("killed by signal {}", code - 128),
        _ => "the program's own".to_owned(),
    }
}

/// A container that runs, but is not ready.
fn not_ready(pod: &Value, status: &Value, sight: &Sight) -> Option<Trouble> {
    let runs = status.pointer("/state/running").is_some();
    let ready = status.pointer("/ready").and_then(Value::as_bool).unwrap_or_default();
    if !runs || ready {
        return None;
    }
    let (pod_name, container) = (text(pod, "/metadata/name"), text(status, "/name"));
    let warnings = sight.warnings(pod_name);
    let probe = warnings.iter().rev().find(|(reason, _)| *reason == "Unhealthy")?;
    let mut evidence = vec![probe.1.to_owned()];
    evidence.extend(last_output(sight.last_lines(pod_name, container)));
    let summary = format!("container `{container}` of pod {pod_name} runs, but is not ready");
    let help = ["compare the probe's path and port with what the program serves"];
    Some(Trouble { weight: 5, hope: Hope::UntilDeadline, cause: cause("LF-D0103", summary, evidence, &help) })
}

/// Why a deployment is over its deadline: the trouble of its pods, else what its own conditions say.
pub(crate) fn deadline(
    object: &ObjectRef,
    live: &Value,
    trouble: Option<Trouble>,
    sight: &Sight,
) -> Cause {
    let seconds = live.pointer("/spec/progressDeadlineSeconds").and_then(Value::as_u64).unwrap_or(600);
    let overdue = format!("{object} made no progress for {seconds} s (progressDeadlineSeconds)");
    if let Some(Trouble { mut cause, .. }) = trouble {
        cause.evidence.insert(0, overdue);
        return cause;
    }
    let mut evidence = vec![overdue];
    let told = list(live, "/status/conditions").iter().filter(|it| text(it, "/type") == "ReplicaFailure");
    evidence.extend(told.map(|it| text(it, "/message").to_owned()));
    evidence.extend(
        sight.warnings(&object.name).iter().map(|(reason, message)| format!("{reason}: {message}")),
    );
    let summary = format!("{object} did not finish in time; why is not known");
    let help = ["landfall logs and kubectl describe may tell more"];
    cause("LF-D0107", summary, evidence, &help)
}
