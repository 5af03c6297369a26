//! Events have two API forms for one object: `v1` and `events.k8s.io/v1`. They are kept in the first.

use serde_json::{Map, Value};

pub const GROUP: &str = "events.k8s.io";

/// Members whose name differs: first in `v1`, then in `events.k8s.io/v1`.
const RENAMED: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// The `v1` form of an `events.k8s.io/v1` event.
pub fn to_core(event: &Value) -> Value {
    rename(event, "v1", |member| {
        RENAMED
            .iter()
            .find(|(_, new)| *new == member)
            .map(|(old, _)| *old)
    })
}

/// The `events.k8s.io/v1` form of a `v1` event.
pub fn from_core(event: &Value) -> Value {
    rename(event, "events.k8s.io/v1", |member| {
        RENAMED
            .iter()
            .find(|(old, _)| *old == member)
            .map(|(_, new)| *new)
    })
}

fn rename(event: &Value, api_version: &str, name: impl Fn(&str) -> Option<&'static str>) -> Value {
    let mut renamed = Map::new();
    for (member, value) in event.as_object().into_iter().flatten() {
        if member == "apiVersion" {
            renamed.insert(member.clone(), Value::from(api_version));
        } else {
            renamed.insert(name(member).unwrap_or(member).to_owned(), value.clone());
        }
    }
    Value::Object(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_say_the_same() {
        let new = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"}, "reason": "Started",
            "regarding": {"kind": "Pod"}, "note": "up", "reportingController": "node", "deprecatedCount": 2,
        });
        let old = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "a"}, "reason": "Started",
            "involvedObject": {"kind": "Pod"}, "message": "up", "reportingComponent": "node", "count": 2,
        });
        assert_eq!(to_core(&new), old);
        assert_eq!(from_core(&old), new);
    }
}
