//! `scale`: the number of replicas of a workload, in a form that is the same for all.

use resource::{
    selector::LabelSelector,
    status::{self, Status},
    validate::Cause,
};
use serde_json::{Value, json};

use crate::object;

/// The `Scale` of a deployment or replica set.
pub fn of(workload: &Value) -> Value {
    let mut metadata = json!({});
    for member in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(there) = object::at(workload, &["metadata", member]) {
            metadata[member] = there.clone();
        }
    }
    let replicas = workload["spec"]["replicas"].as_i64().unwrap_or(1);
    // Go leaves a zero out here.
    let spec = if replicas == 0 { json!({}) } else { json!({ "replicas": replicas }) };
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": spec,
        "status": {
            "replicas": workload["status"]["replicas"].as_i64().unwrap_or_default(),
            "selector": selector_text(&workload["spec"]["selector"]),
        },
    })
}

/// The workload with the number of replicas that `scale` says.
pub fn onto(workload: &Value, scale: &Value) -> Result<Value, Status> {
    let said = &scale["spec"]["replicas"];
    // Go reads a missing number as zero.
    let replicas = if said.is_null() {
        0
    } else {
        said.as_i64()
            .ok_or_else(|| status::bad_request("spec.replicas is not a whole number"))?
    };
    if replicas < 0 {
        let cause = Cause {
            field: "spec.replicas".to_owned(),
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {replicas}: must be greater than or equal to 0"),
        };
        return Err(status::invalid_form("autoscaling", "Scale", object::name(workload), &[cause]));
    }
    let mut next = workload.clone();
    object::child(&mut next, "spec").insert("replicas".to_owned(), Value::from(replicas));
    // A client may insist on the state it has read.
    if let Some(revision) = object::at(scale, &["metadata", "resourceVersion"]) {
        object::set_metadata(&mut next, "resourceVersion", revision.clone());
    }
    Ok(next)
}

/// A selector as query text, e.g. `app=web`.
fn selector_text(selector: &Value) -> String {
    debug_assert!(LabelSelector::from_value(selector).is_ok());
    let mut terms: Vec<String> = Vec::new();
    for (label, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        terms.push(format!("{label}={}", value.as_str().unwrap_or_default()));
    }
    terms.sort();
    for expression in selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let key = object::text(expression, &["key"]);
        let values: Vec<&str> = expression["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        terms.push(match object::text(expression, &["operator"]) {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    terms.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_shows_and_sets_replicas() {
        let workload = json!({
            "metadata": { "name": "web", "namespace": "shop", "resourceVersion": "7" },
            "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "web" } } },
            "status": { "replicas": 1 },
        });
        let mut scale = of(&workload);
        assert_eq!(
            scale["status"],
            json!({ "replicas": 1, "selector": "app=web" })
        );
        scale["spec"]["replicas"] = json!(5);
        assert_eq!(
            onto(&workload, &scale).map(|it| it["spec"]["replicas"].clone()),
            Ok(json!(5))
        );
    }
}
