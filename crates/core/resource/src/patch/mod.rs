//! The patch forms of the Kubernetes API: JSON patch, merge patch, strategic merge patch, and the
//! three-way comparison that `kubectl apply` makes.

mod diff;
mod lists;
mod strategic;

use serde_json::Value;

pub use diff::three_way;
pub use strategic::strategic;

/// The real server's limit: each operation may copy a large object.
const MAX_JSON_OPERATIONS: usize = 10_000;

/// Why a patch does not apply.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch itself is malformed: 400.
    #[error("{0}")]
    Malformed(String),
    /// The patch is well formed but does not fit the object: 422.
    #[error("{0}")]
    DoesNotApply(String),
    /// More operations than a server can afford: 413.
    #[error("The allowed maximum operations in a JSON patch is {MAX_JSON_OPERATIONS}, got {0}")]
    TooLong(usize),
}

/// Applies an RFC 6902 JSON patch.
pub fn json(target: &Value, operations: &Value) -> Result<Value, PatchError> {
    let count = operations.as_array().map_or(0, Vec::len);
    if count > MAX_JSON_OPERATIONS {
        return Err(PatchError::TooLong(count));
    }
    let operations: json_patch::Patch = serde_json::from_value(operations.clone())
        .map_err(|error| PatchError::Malformed(error.to_string()))?;
    let mut result = target.clone();
    json_patch::patch(&mut result, &operations)
        .map_err(|error| PatchError::DoesNotApply(error.to_string()))?;
    Ok(result)
}

/// Applies an RFC 7386 merge patch.
pub fn merge(target: &Value, patch: &Value) -> Value {
    let Some(fields) = patch.as_object() else {
        return patch.clone();
    };
    let mut result = target.as_object().cloned().unwrap_or_default();
    for (name, value) in fields {
        if value.is_null() {
            result.shift_remove(name);
        } else {
            let merged = merge(result.get(name).unwrap_or(&Value::Null), value);
            result.insert(name.clone(), merged);
        }
    }
    Value::Object(result)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merge_patch_sets_and_removes() {
        let target = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "list": [1, 2]});
        let patch = json!({"metadata": {"labels": {"a": null, "c": "3"}}, "list": [3]});
        let expected = json!({"metadata": {"labels": {"b": "2", "c": "3"}}, "list": [3]});
        assert_eq!(merge(&target, &patch), expected);
    }

    #[test]
    fn json_patch_edits_lists() {
        let patch = json!([
            {"op": "test", "path": "/spec/replicas", "value": 1},
            {"op": "replace", "path": "/spec/replicas", "value": 2},
            {"op": "add", "path": "/spec/list/-", "value": "b"},
        ]);
        let target = json!({"spec": {"replicas": 1, "list": ["a"]}});
        assert_eq!(
            json(&target, &patch),
            Ok(json!({"spec": {"replicas": 2, "list": ["a", "b"]}}))
        );
    }

    #[test]
    fn failed_operation_changes_nothing_and_says_so() {
        let patch = json!([{"op": "remove", "path": "/spec/nothing"}]);
        assert!(matches!(
            json(&json!({"spec": {}}), &patch),
            Err(PatchError::DoesNotApply(_))
        ));
        assert!(matches!(
            json(&json!({}), &json!({"op": "add"})),
            Err(PatchError::Malformed(_))
        ));
    }
}
