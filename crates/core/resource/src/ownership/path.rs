//! Names of fields as `managedFields` spells them, and paths of such names.
//!
//! The spelling is FieldsV1 of the Kubernetes API: `f:` a field, `k:` an item of a
//! list by its keys, `v:` an item of a set by its value, `i:` an item by position.

use std::{cmp::Ordering, fmt};

use serde_json::{Map, Number, Value};

/// One step from a value to a part of it.
#[derive(Clone, Debug)]
pub enum Step {
    Field(String),
    /// The item of a list whose keys have these values; sorted by name.
    Keys(Vec<(String, Value)>),
    /// The item of a set.
    Item(Value),
    Index(i64),
}

impl Step {
    pub fn keys(mut keys: Vec<(String, Value)>) -> Self {
        keys.sort_by(|left, right| left.0.cmp(&right.0));
        Self::Keys(keys)
    }

    /// Reads a name of FieldsV1; `None` for one that is malformed.
    pub fn read(text: &str) -> Option<Self> {
        let (sort, rest) = text.split_once(':')?;
        match sort {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => {
                let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
                Some(Self::keys(keys.into_iter().collect()))
            }
            "v" => serde_json::from_str(rest).ok().map(Self::Item),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    /// The name in FieldsV1.
    pub fn write(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Keys(keys) => {
                let keys: Map<String, Value> = keys.iter().cloned().collect();
                format!("k:{}", Value::Object(keys))
            }
            Self::Item(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Keys(_) => 1,
            Self::Item(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Keys(keys) => {
                let keys: Vec<_> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "[{}]", keys.join(","))
            }
            Self::Item(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(left), Self::Field(right)) => left.cmp(right),
            (Self::Keys(left), Self::Keys(right)) => compare_keys(left, right),
            (Self::Item(left), Self::Item(right)) => compare(left, right),
            (Self::Index(left), Self::Index(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Step {}

fn compare_keys(left: &[(String, Value)], right: &[(String, Value)]) -> Ordering {
    for ((left_name, left_value), (right_name, right_value)) in left.iter().zip(right) {
        let order = left_name.cmp(right_name).then_with(|| compare(left_value, right_value));
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

/// Numbers, then text, then truth values, then the rest by their text.
fn compare(left: &Value, right: &Value) -> Ordering {
    fn rank(value: &Value) -> u8 {
        match value {
            Value::Number(_) => 0,
            Value::String(_) => 1,
            Value::Bool(_) => 2,
            Value::Array(_) => 3,
            Value::Object(_) => 4,
            Value::Null => 5,
        }
    }
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ if rank(left) == rank(right) => left.to_string().cmp(&right.to_string()),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.as_f64().unwrap_or_default().total_cmp(&right.as_f64().unwrap_or_default()),
    }
}

/// A path as messages show it: `.spec.containers[name="web"].image`.
pub fn show(path: &[Step]) -> String {
    path.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for text in ["f:spec", "f:a.b/c", r#"k:{"containerPort":80,"protocol":"TCP"}"#, r#"v:"finalizer""#, "v:3", "i:4"] {
            assert_eq!(Step::read(text).map(|step| step.write()).as_deref(), Some(text));
        }
        for text in ["", "spec", "x:spec", "k:[]", "v:", "i:x"] {
            assert_eq!(Step::read(text), None, "{text}");
        }
    }

    #[test]
    fn paths_read_as_in_messages() {
        let path = ["f:spec", "f:containers", r#"k:{"name":"web"}"#, "f:image"].map(|text| Step::read(text).expect("a name"));
        assert_eq!(show(&path), r#".spec.containers[name="web"].image"#);
    }
}
