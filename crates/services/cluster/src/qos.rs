//! The quality of service class of a pod, as its status tells it.

use serde_json::Value;

/// `Guaranteed` if every container has equal requests and limits of both cpu and
/// memory, `BestEffort` if no container has any, else `Burstable`.
pub fn class(pod: &Value) -> &'static str {
    let containers: Vec<&Value> = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| pod["spec"][list].as_array())
        .flatten()
        .collect();
    let amount =
        |container: &Value, side: &str, what: &str| container["resources"][side].get(what).cloned();
    let has_any = |container: &&Value| {
        ["requests", "limits"].iter().any(|side| {
            ["cpu", "memory"]
                .iter()
                .any(|what| amount(container, side, what).is_some())
        })
    };
    // A limit without a request is its own request.
    let is_guaranteed = |container: &&Value| {
        ["cpu", "memory"].iter().all(|what| {
            let limit = amount(container, "limits", what);
            limit.is_some()
                && amount(container, "requests", what).is_none_or(|request| Some(request) == limit)
        })
    };
    if !containers.iter().any(has_any) {
        "BestEffort"
    } else if containers.iter().all(is_guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn classes_follow_requests_and_limits() {
        check(json!({}), "BestEffort");
        check(json!({"requests": {"cpu": "1"}}), "Burstable");
        check(
            json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
            "Guaranteed",
        );
        check(
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}),
            "Burstable",
        );
    }

    #[track_caller]
    fn check(resources: Value, expected: &str) {
        assert_eq!(
            class(&json!({"spec": {"containers": [{"name": "a", "resources": resources}]}})),
            expected
        );
    }
}
