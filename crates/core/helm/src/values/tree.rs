//! Values as templates see them: shared maps that templates may change.

use gotemplate::{Entries, Text, Value};
use serde_json::Value as Plain;

/// A fresh copy of a plain tree.
pub(crate) fn from_plain(plain: &Plain) -> Value {
    match plain {
        Plain::Null => Value::Nil,
        Plain::Bool(flag) => Value::Bool(*flag),
        Plain::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int64(whole),
            None => Value::Float64(number.as_f64().unwrap_or_default()),
        },
        Plain::String(text) => Value::from(text.as_str()),
        Plain::Array(items) => Value::list(items.iter().map(from_plain).collect()),
        Plain::Object(entries) => Value::map(entries_from_plain(entries)),
    }
}

/// The entries of a fresh copy of a plain object.
pub(crate) fn entries_from_plain(entries: &serde_json::Map<String, Plain>) -> Entries {
    entries
        .iter()
        .map(|(key, value)| (Text::from(key.as_str()), from_plain(value)))
        .collect()
}

/// A deep copy: nothing is shared with `value`.
pub(crate) fn deep_copy(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::map(
            map.entries()
                .iter()
                .map(|(key, value)| (key.clone(), deep_copy(value)))
                .collect(),
        ),
        Value::List(list) => {
            Value::typed_list(list.go_type(), list.iter().map(deep_copy).collect())
        }
        other => other.clone(),
    }
}

/// A plain copy for the schema check: whole floats become whole numbers.
pub(crate) fn to_plain(value: &Value) -> Plain {
    match value {
        Value::Nil => Plain::Null,
        Value::Bool(flag) => Plain::Bool(*flag),
        Value::Int(whole) | Value::Int64(whole) => Plain::from(*whole),
        Value::Float64(float) => plain_number(*float),
        Value::String(text) => Plain::String(text.to_string()),
        Value::List(list) => list.iter().map(to_plain).collect(),
        Value::Map(map) => Plain::Object(
            map.entries()
                .iter()
                .map(|(key, value)| (key.to_string(), to_plain(value)))
                .collect(),
        ),
        _ => Plain::Null,
    }
}

/// A float as JSON; whole ones without a point.
pub(crate) fn plain_number(float: f64) -> Plain {
    /// Up to here a float holds every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if float.fract() == 0.0 && float.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
        return Plain::from(float as i64);
    }
    serde_json::Number::from_f64(float).map_or(Plain::Null, Plain::Number)
}
