//! Leaves ignored fields to others when objects are written: what is live there is written as it is.

use api::IgnoreRule;
use serde_json::Value;

use super::drift::{self, Rule};

/// The manifest with the live value wherever a rule says that a difference does not count.
///
/// Only fields that the manifest has itself change: nothing is taken over from others.
pub fn respect(manifest: &Value, live: &Value, rules: &[IgnoreRule]) -> Value {
    let rules = drift::rules_for(rules, live);
    let mut written = manifest.clone();
    let mut paths = Vec::new();
    leaves(manifest, &mut Vec::new(), &mut paths);
    for path in paths.iter().filter(|path| rules.iter().any(|rule: &Rule<'_>| rule.covers(live, manifest, path))) {
        match at(live, path) {
            Some(value) => set(&mut written, path, value.clone()),
            None => remove(&mut written, path),
        }
    }
    written
}

/// The places of all values that hold no others.
fn leaves(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut below = |name: String, value: &Value| {
        path.push(name);
        leaves(value, path, found);
        path.pop();
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => fields.iter().for_each(|(name, value)| below(name.clone(), value)),
        Value::Array(items) if !items.is_empty() => items.iter().enumerate().for_each(|(index, value)| below(index.to_string(), value)),
        _ => found.push(path.clone()),
    }
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })
}

fn parent<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        other => other.get_mut(part),
    })
}

fn set(value: &mut Value, path: &[String], to: Value) {
    if let Some(place) = parent(value, path) {
        *place = to;
    }
}

fn remove(value: &mut Value, path: &[String]) {
    let Some((last, above)) = path.split_last() else { return };
    if let Some(Value::Object(fields)) = parent(value, above) {
        fields.shift_remove(last);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(rule: IgnoreRule, expected: &Value) {
        let manifest = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 2, "paused": false, "template": {"containers": [{"name": "a", "image": "x:1"}]}}});
        let live = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "managedFields": [
                {"manager": "hpa", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
            "spec": {"replicas": 7, "template": {"containers": [{"name": "a", "image": "x:2"}]}, "extra": 1}});
        assert_eq!(respect(&manifest, &live, &[rule])["spec"], *expected);
    }

    fn rule() -> IgnoreRule {
        IgnoreRule { group: "apps".into(), kind: "Deployment".into(), ..IgnoreRule::default() }
    }

    #[test]
    fn ignored_fields_are_written_as_they_are() {
        let template = |image: &str| json!({"containers": [{"name": "a", "image": image}]});
        let pointers = IgnoreRule { json_pointers: vec!["/spec/replicas".into(), "/spec/extra".into()], ..rule() };
        check(pointers, &json!({"replicas": 7, "paused": false, "template": template("x:1")}));
        let managers = IgnoreRule { managers: vec!["hpa".into()], ..rule() };
        check(managers, &json!({"replicas": 7, "paused": false, "template": template("x:1")}));
        let jq = IgnoreRule { jq: vec![".spec.template.containers[] | select(.name == \"a\") | .image".into()], ..rule() };
        check(jq, &json!({"replicas": 2, "paused": false, "template": template("x:2")}));
        let gone = IgnoreRule { json_pointers: vec!["/spec/paused".into()], ..rule() };
        check(gone, &json!({"replicas": 2, "template": template("x:1")}));
        check(IgnoreRule { name: "other".into(), json_pointers: vec!["/spec".into()], ..rule() }, &json!({"replicas": 2, "paused": false, "template": template("x:1")}));
    }
}
