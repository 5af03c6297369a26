//! How one object does, by Argo CD's rules for its kind.

use api::Health;
use serde_json::Value;

use crate::sight::{list, number, text};

/// An object's health and a sentence about it; `None` for kinds that have none.
pub fn health_of(object: &Value) -> Option<(Health, String)> {
    if !text(object, "/metadata/deletionTimestamp").is_empty() {
        return Some((Health::Progressing, "Pending deletion".to_owned()));
    }
    let judged = match (group(object), text(object, "/kind")) {
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") => replica_set(object),
        ("", "Pod") => pod(object),
        ("", "PersistentVolumeClaim") => claim(object),
        ("", "Service") => service(object),
        ("networking.k8s.io", "Ingress") => ingress(object),
        ("batch", "Job") => job(object),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(object),
        ("apiregistration.k8s.io", "APIService") => available(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => established(object),
        _ => return None,
    };
    Some((judged.0, judged.1))
}

/// The health of many: the worst that any of them has; nothing at all is healthy.
pub fn worst(all: impl IntoIterator<Item = Health>) -> Health {
    all.into_iter().max().unwrap_or(Health::Healthy)
}

type Judged = (Health, String);

fn healthy(message: impl Into<String>) -> Judged {
    (Health::Healthy, message.into())
}

fn progressing(message: impl Into<String>) -> Judged {
    (Health::Progressing, message.into())
}

fn degraded(message: impl Into<String>) -> Judged {
    (Health::Degraded, message.into())
}

fn group(object: &Value) -> &str {
    text(object, "/apiVersion").split_once('/').map_or("", |(group, _)| group)
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").iter().find(|it| text(it, "/type") == kind)
}

fn holds(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|it| text(it, "/status") == "True")
}

fn is_behind(object: &Value) -> bool {
    number(object, "/metadata/generation") > number(object, "/status/observedGeneration")
}

fn wanted(object: &Value) -> u64 {
    object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1)
}

fn deployment(object: &Value) -> Judged {
    if object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return (Health::Suspended, "Deployment is paused".to_owned());
    }
    if is_behind(object) {
        return progressing("Waiting for rollout to finish: observed deployment generation less than desired generation");
    }
    let name = text(object, "/metadata/name");
    if condition(object, "Progressing").is_some_and(|it| text(it, "/reason") == "ProgressDeadlineExceeded") {
        return degraded(format!("Deployment \"{name}\" exceeded its progress deadline"));
    }
    let (replicas, updated) = (number(object, "/status/replicas"), number(object, "/status/updatedReplicas"));
    let (available, wanted) = (number(object, "/status/availableReplicas"), wanted(object));
    if updated < wanted {
        return progressing(format!("Waiting for rollout to finish: {updated} out of {wanted} new replicas have been updated..."));
    }
    if replicas > updated {
        let old = replicas - updated;
        return progressing(format!("Waiting for rollout to finish: {old} old replicas are pending termination..."));
    }
    if available < updated {
        return progressing(format!("Waiting for rollout to finish: {available} of {updated} updated replicas are available..."));
    }
    healthy("")
}

fn stateful_set(object: &Value) -> Judged {
    if number(object, "/status/observedGeneration") == 0 || is_behind(object) {
        return progressing("Waiting for statefulset spec update to be observed...");
    }
    let (ready, wanted) = (number(object, "/status/readyReplicas"), wanted(object));
    if ready < wanted {
        return progressing(format!("Waiting for {} pods to be ready...", wanted - ready));
    }
    let strategy = text(object, "/spec/updateStrategy/type");
    if strategy == "OnDelete" {
        return healthy(format!("statefulset has {ready} ready pods"));
    }
    if let Some(partition) = object.pointer("/spec/updateStrategy/rollingUpdate/partition").and_then(Value::as_u64) {
        let updated = number(object, "/status/updatedReplicas");
        let due = wanted.saturating_sub(partition);
        if updated < due {
            return progressing(format!("Waiting for partitioned roll out to finish: {updated} out of {due} new pods have been updated..."));
        }
        return healthy(format!("partitioned roll out complete: {updated} new pods have been updated..."));
    }
    let (update, current) = (text(object, "/status/updateRevision"), text(object, "/status/currentRevision"));
    if update != current {
        let updated = number(object, "/status/updatedReplicas");
        return progressing(format!("waiting for statefulset rolling update to complete {updated} pods at revision {update}..."));
    }
    healthy(format!("statefulset rolling update complete {wanted} pods at revision {current}..."))
}

fn daemon_set(object: &Value) -> Judged {
    if is_behind(object) {
        return progressing("Waiting for daemon set spec update to be observed...");
    }
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return healthy("daemon set uses the OnDelete strategy");
    }
    let wanted = number(object, "/status/desiredNumberScheduled");
    for (field, words) in [("updatedNumberScheduled", "updated"), ("numberAvailable", "available")] {
        let count = number(object, &format!("/status/{field}"));
        if count < wanted {
            return progressing(format!("Waiting for daemon set rollout to finish: {count} of {wanted} pods are {words}..."));
        }
    }
    healthy("")
}

fn replica_set(object: &Value) -> Judged {
    if is_behind(object) {
        return progressing("Waiting for rollout to finish: observed replica set generation less than desired generation");
    }
    if let Some(failure) = condition(object, "ReplicaFailure").filter(|it| text(it, "/status") == "True") {
        return degraded(text(failure, "/message"));
    }
    let (available, wanted) = (number(object, "/status/availableReplicas"), wanted(object));
    if available < wanted {
        return progressing(format!("Waiting for rollout to finish: {available} out of {wanted} new replicas are available..."));
    }
    healthy("")
}

fn pod(object: &Value) -> Judged {
    let policy = match text(object, "/spec/restartPolicy") {
        "" => "Always",
        policy => policy,
    };
    let containers = || list(object, "/status/initContainerStatuses").iter().chain(list(object, "/status/containerStatuses"));
    if policy == "Always" {
        let waiting = containers().map(|it| (text(it, "/state/waiting/reason"), text(it, "/state/waiting/message")));
        let bad = |reason: &str| reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff");
        let messages: Vec<_> = waiting.filter(|(reason, _)| bad(reason)).map(|(_, message)| message).collect();
        if !messages.is_empty() {
            return degraded(messages.join(", "));
        }
    }
    let failure = || {
        let ended = containers().find_map(|it| {
            let code = it.pointer("/state/terminated/exitCode").and_then(Value::as_i64).filter(|code| *code != 0)?;
            let message = text(it, "/state/terminated/message");
            let reason = text(it, "/state/terminated/reason");
            Some(match (message, reason) {
                ("", "OOMKilled") => "OOMKilled".to_owned(),
                ("", _) => format!("container \"{}\" failed with exit code {code}", text(it, "/name")),
                (message, _) => message.to_owned(),
            })
        });
        match text(object, "/status/message") {
            "" => ended.unwrap_or_default(),
            message => message.to_owned(),
        }
    };
    match text(object, "/status/phase") {
        "Pending" => progressing(text(object, "/status/message")),
        "Succeeded" => healthy(text(object, "/status/message")),
        "Failed" => degraded(failure()),
        "Running" if policy == "Always" => {
            if holds(object, "Ready") {
                return healthy(text(object, "/status/message"));
            }
            let has_ended = containers().any(|it| it.pointer("/lastState/terminated").is_some_and(Value::is_object));
            if has_ended { degraded(text(object, "/status/message")) } else { progressing(text(object, "/status/message")) }
        }
        "Running" => progressing(text(object, "/status/message")),
        _ => (Health::Unknown, text(object, "/status/message").to_owned()),
    }
}

fn claim(object: &Value) -> Judged {
    match text(object, "/status/phase") {
        "Lost" => degraded(""),
        "Pending" => progressing(""),
        "Bound" => healthy(""),
        _ => (Health::Unknown, String::new()),
    }
}

fn service(object: &Value) -> Judged {
    let waits = text(object, "/spec/type") == "LoadBalancer" && list(object, "/status/loadBalancer/ingress").is_empty();
    if waits { progressing("") } else { healthy("") }
}

fn ingress(object: &Value) -> Judged {
    if list(object, "/status/loadBalancer/ingress").is_empty() { progressing("") } else { healthy("") }
}

fn job(object: &Value) -> Judged {
    let mut judged = progressing(text(object, "/status/message"));
    for it in list(object, "/status/conditions").iter().filter(|it| text(it, "/status") == "True") {
        let message = text(it, "/message").to_owned();
        match text(it, "/type") {
            "Failed" => return (Health::Degraded, message),
            "Complete" => judged = (Health::Healthy, message),
            "Suspended" => judged = (Health::Suspended, message),
            _ => {}
        }
    }
    judged
}

/// Reasons for which an autoscaler cannot work.
const AUTOSCALER_FAILURES: [&str; 8] = [
    "FailedGetScale",
    "FailedUpdateScale",
    "FailedGetResourceMetric",
    "FailedGetObjectMetric",
    "FailedGetPodsMetric",
    "FailedGetExternalMetric",
    "FailedGetContainerResourceMetric",
    "InvalidSelector",
];

fn autoscaler(object: &Value) -> Judged {
    let conditions = list(object, "/status/conditions");
    if let Some(it) = conditions.iter().find(|it| AUTOSCALER_FAILURES.contains(&text(it, "/reason"))) {
        return degraded(text(it, "/message"));
    }
    let works = ["AbleToScale", "ScalingLimited"].iter().find_map(|kind| {
        condition(object, kind).filter(|it| text(it, "/status") == "True")
    });
    works.map_or_else(|| progressing("Waiting to Autoscale"), |it| healthy(text(it, "/message")))
}

fn available(object: &Value) -> Judged {
    match condition(object, "Available") {
        Some(it) if text(it, "/status") == "True" => healthy(format!("{}: {}", text(it, "/reason"), text(it, "/message"))),
        Some(it) => progressing(format!("{}: {}", text(it, "/reason"), text(it, "/message"))),
        None => progressing("Waiting to be processed"),
    }
}

fn established(object: &Value) -> Judged {
    let refused = |kind: &str| condition(object, kind).filter(|it| text(it, "/status") == "False");
    if let Some(it) = refused("NamesAccepted") {
        return degraded(format!("CRD names have not been accepted: {}", text(it, "/message")));
    }
    if let Some(it) = refused("Established").filter(|it| text(it, "/reason") != "Installing") {
        return degraded(format!("CRD is not established: {}", text(it, "/message")));
    }
    if holds(object, "Established") { healthy("CRD is healthy") } else { progressing("Waiting to be established") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(object: Value, expected: &str) {
        let found = health_of(&object).map_or("none".to_owned(), |(health, message)| format!("{health} {message}"));
        assert_eq!(found.trim(), expected);
    }

    fn deployment(spec: Value, status: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "generation": 2}, "spec": spec, "status": status})
    }

    #[test]
    fn deployments_go_through_their_states() {
        check(deployment(json!({"paused": true}), json!({})), "Suspended Deployment is paused");
        check(
            deployment(json!({}), json!({"observedGeneration": 1})),
            "Progressing Waiting for rollout to finish: observed deployment generation less than desired generation",
        );
        check(
            deployment(json!({"replicas": 3}), json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1})),
            "Progressing Waiting for rollout to finish: 1 out of 3 new replicas have been updated...",
        );
        check(
            deployment(json!({"replicas": 1}), json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1})),
            "Progressing Waiting for rollout to finish: 2 old replicas are pending termination...",
        );
        let overdue = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        check(
            deployment(json!({}), json!({"observedGeneration": 2, "conditions": overdue})),
            "Degraded Deployment \"web\" exceeded its progress deadline",
        );
        let done = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        check(deployment(json!({}), done), "Healthy");
    }

    #[test]
    fn pods_are_judged_by_their_restart_policy() {
        let pod = |policy: &str, status: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"restartPolicy": policy}, "status": status});
        let waiting = json!([{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]);
        check(pod("Always", json!({"phase": "Pending", "containerStatuses": waiting.clone()})), "Degraded no such image");
        check(pod("Never", json!({"phase": "Pending", "containerStatuses": waiting})), "Progressing");
        check(pod("Never", json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})), "Progressing");
        let ended = json!([{"name": "main", "state": {"terminated": {"exitCode": 3}}}]);
        check(pod("Never", json!({"phase": "Failed", "containerStatuses": ended})), "Degraded container \"main\" failed with exit code 3");
    }

    #[test]
    fn kinds_without_rules_have_no_health_and_deletion_counts_for_all() {
        check(json!({"apiVersion": "v1", "kind": "ConfigMap"}), "none");
        check(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"deletionTimestamp": "x"}}), "Progressing Pending deletion");
        check(json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}}), "Progressing");
        let failed = json!([{"type": "Failed", "status": "True", "message": "no more tries"}]);
        check(json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": failed}}), "Degraded no more tries");
    }
}
