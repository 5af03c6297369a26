//! Expands a matrix into legs, with `exclude` and `include` as GitHub applies them.

use serde_json::{Map, Value};

use crate::expr;

/// GitHub's limit for one run.
const MAX_LEGS: usize = 256;
/// GitHub cuts display names at this many characters.
const MAX_NAME: usize = 100;

/// One combination of a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leg {
    /// The `matrix` context.
    pub values: Value,
    /// What the name shows: the values of the vectors, not what `include` added.
    shown: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    #[error("matrix: expected a mapping, found {0}")]
    NoMapping(String),
    #[error("matrix: expected a sequence for `{0}`")]
    NoSequence(String),
    #[error("matrix: `{0}` has no values")]
    EmptyVector(String),
    #[error("matrix: expected a mapping in `{0}`")]
    NoFilter(&'static str),
    #[error("matrix: `exclude` names `{0}`, which is no key of the matrix")]
    UnknownKey(String),
    #[error("matrix: {0} combinations, expected at most {MAX_LEGS}")]
    TooMany(usize),
}

/// All legs of an evaluated matrix, the first key varying slowest.
pub fn expand(matrix: &Value) -> Result<Vec<Leg>, MatrixError> {
    let Value::Object(matrix) = matrix else {
        return Err(MatrixError::NoMapping(matrix.to_string()));
    };
    let mut vectors: Vec<(&str, &[Value])> = Vec::new();
    for (key, values) in matrix {
        if is(key, "include") || is(key, "exclude") {
            continue;
        }
        let Value::Array(values) = values else {
            return Err(MatrixError::NoSequence(key.clone()));
        };
        if values.is_empty() {
            return Err(MatrixError::EmptyVector(key.clone()));
        }
        vectors.push((key, values));
    }
    let size = if vectors.is_empty() {
        0
    } else {
        vectors.iter().map(|(_, it)| it.len()).product()
    };
    if size > 4 * MAX_LEGS {
        return Err(MatrixError::TooMany(size));
    }
    let mut combinations = product(&vectors);
    let excludes = filters(matrix, "exclude")?;
    for exclude in &excludes {
        if let Some(key) = exclude
            .keys()
            .find(|key| !vectors.iter().any(|(it, _)| is(it, key)))
        {
            return Err(MatrixError::UnknownKey(key.clone()));
        }
    }
    combinations.retain(|leg| {
        !excludes
            .iter()
            .any(|it| it.iter().all(|(key, value)| has(leg, key, value)))
    });
    let legs = include(combinations, &vectors, &filters(matrix, "include")?);
    if legs.len() > MAX_LEGS {
        return Err(MatrixError::TooMany(legs.len()));
    }
    Ok(legs)
}

fn product(vectors: &[(&str, &[Value])]) -> Vec<Map<String, Value>> {
    if vectors.is_empty() {
        return Vec::new();
    }
    let mut legs = vec![Map::new()];
    for (key, values) in vectors {
        let longer = |leg: &Map<String, Value>, value: &Value| {
            let mut leg = leg.clone();
            leg.insert((*key).to_owned(), value.clone());
            leg
        };
        legs = legs
            .iter()
            .flat_map(|leg| values.iter().map(move |value| longer(leg, value)))
            .collect();
    }
    legs
}

fn filters<'a>(
    matrix: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Vec<&'a Map<String, Value>>, MatrixError> {
    let items = match matrix
        .iter()
        .find(|(key, _)| is(key, name))
        .map(|(_, value)| value)
    {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(MatrixError::NoSequence(name.to_owned())),
    };
    items
        .iter()
        .map(|item| item.as_object().ok_or(MatrixError::NoFilter(name)))
        .collect()
}

/// Adds what `include` brings: to every leg it fits without changing it, else as a leg of its own.
fn include(
    combinations: Vec<Map<String, Value>>,
    vectors: &[(&str, &[Value])],
    items: &[&Map<String, Value>],
) -> Vec<Leg> {
    let is_vector = |key: &str| vectors.iter().any(|(it, _)| is(it, key));
    let shown = |leg: &Map<String, Value>| leg.values().cloned().collect();
    let mut legs: Vec<_> = combinations
        .into_iter()
        .map(|leg| (shown(&leg), leg))
        .collect();
    let mut added = Vec::new();
    for item in items {
        let mut matched = false;
        for (_, leg) in &mut legs {
            let fits = item
                .iter()
                .filter(|(key, _)| is_vector(key))
                .all(|(key, value)| has(leg, key, value));
            if fits {
                matched = true;
                item.iter()
                    .filter(|(key, _)| !is_vector(key))
                    .for_each(|(key, value)| {
                        leg.insert(key.clone(), value.clone());
                    });
            }
        }
        if !matched {
            added.push((shown(item), (*item).clone()));
        }
    }
    legs.extend(added);
    legs.into_iter()
        .map(|(shown, values)| Leg {
            values: Value::Object(values),
            shown,
        })
        .collect()
}

/// Whether a leg holds `value` at `key`; of a mapping or sequence every leaf must be there.
fn has(leg: &Map<String, Value>, key: &str, value: &Value) -> bool {
    leg.iter()
        .find(|(it, _)| is(it, key))
        .is_some_and(|(_, own)| matches(own, value))
}

fn matches(own: &Value, wanted: &Value) -> bool {
    match (own, wanted) {
        (Value::Object(own), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| has(own, key, value))
        }
        (Value::Array(own), Value::Array(wanted)) => wanted
            .iter()
            .enumerate()
            .all(|(at, value)| own.get(at).is_some_and(|it| matches(it, value))),
        _ => expr::Value::from(own).equals(&expr::Value::from(wanted)),
    }
}

fn is(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// `test (20, linux)`: the primitive values of the leg behind the name of the job.
pub(crate) fn display_name(job: &str, leg: &Leg) -> String {
    let mut leaves = Vec::new();
    leg.shown
        .iter()
        .for_each(|value| collect(value, &mut leaves));
    if leaves.is_empty() {
        return job.to_owned();
    }
    let name = format!("{job} ({})", leaves.join(", "));
    if name.chars().count() <= MAX_NAME {
        return name;
    }
    let cut: String = name.chars().take(MAX_NAME - 3).collect();
    format!("{cut}...")
}

fn collect(value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|it| collect(it, leaves)),
        Value::Object(map) => map.values().for_each(|it| collect(it, leaves)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let text = expr::Value::from(value).to_text();
            if !text.is_empty() {
                leaves.push(text);
            }
        }
    }
}
