//! Trees out: text as Go's emitter writes it, and JSON.

use serde_json::{Number, Value};
use yaml::{Emitter, Layout};

use crate::{
    node::{Map, Node},
    scalar::{self, Meaning},
};

/// The YAML of one object.
///
/// # Errors
///
/// The path of a scalar that does not mean what it is taken for any more.
pub fn text(node: &Node) -> Result<String, String> {
    let mut emitter = Emitter::new(Layout::Compact);
    emit(&mut emitter, node).map_err(Misfit::into_message)?;
    Ok(emitter.finish())
}

/// A value that cannot be written, with the way to it from the inside out.
struct Misfit {
    path: Vec<String>,
    reason: String,
}

impl Misfit {
    fn new(reason: String) -> Self {
        Self {
            path: Vec::new(),
            reason,
        }
    }

    fn within(mut self, part: &str) -> Self {
        self.path.push(part.to_owned());
        self
    }

    fn into_message(mut self) -> String {
        self.path.reverse();
        format!("`{}`: {}", self.path.join("."), self.reason)
    }
}

fn emit(emitter: &mut Emitter, node: &Node) -> Result<(), Misfit> {
    match node {
        Node::Scalar(it) => match scalar::meaning(it).map_err(Misfit::new)? {
            Meaning::Null => emitter.null(),
            Meaning::Bool(it) => emitter.boolean(it),
            Meaning::Int(it) => emitter.integer(it),
            Meaning::Unsigned(it) => emitter.unsigned(it),
            Meaning::Float(it) => emitter.verbatim(&yaml::json_float(it)),
            Meaning::Text(it) => emitter.text(&it),
        },
        Node::List(items) => {
            emitter.open_sequence(items.len());
            for (index, item) in items.iter().enumerate() {
                emit(emitter, item).map_err(|it| it.within(&index.to_string()))?;
            }
            emitter.close();
        }
        Node::Map(map) => {
            check_keys(map)?;
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| yaml::natural(left.0, right.0, Layout::Compact));
            emitter.open_mapping(entries.len());
            for (key, value) in entries {
                emitter.key(key);
                emit(emitter, value).map_err(|it| it.within(key))?;
            }
            emitter.close();
        }
    }
    Ok(())
}

fn check_keys(map: &Map) -> Result<(), Misfit> {
    match map.misread_key() {
        None => Ok(()),
        Some(key) => Err(Misfit::new(format!(
            "the key `{key}` would not be read as text"
        ))),
    }
}

/// The value as JSON, keys sorted by bytes.
///
/// # Errors
///
/// As [`text`].
pub fn json(node: &Node) -> Result<Value, String> {
    to_json(node).map_err(Misfit::into_message)
}

fn to_json(node: &Node) -> Result<Value, Misfit> {
    Ok(match node {
        Node::Scalar(it) => match scalar::meaning(it).map_err(Misfit::new)? {
            Meaning::Null => Value::Null,
            Meaning::Bool(it) => Value::Bool(it),
            Meaning::Int(it) => Value::from(it),
            Meaning::Unsigned(it) => Value::from(it),
            Meaning::Float(it) => whole(it)
                .or_else(|| Number::from_f64(it).map(Value::Number))
                .unwrap_or(Value::Null),
            Meaning::Text(it) => Value::String(it),
        },
        Node::List(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| to_json(item).map_err(|it| it.within(&index.to_string())))
                .collect::<Result<_, _>>()?,
        ),
        Node::Map(map) => {
            check_keys(map)?;
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| left.0.cmp(right.0));
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        Ok((
                            key.to_string(),
                            to_json(value).map_err(|it| it.within(key))?,
                        ))
                    })
                    .collect::<Result<_, Misfit>>()?,
            )
        }
    })
}

/// JSON in Go has no point in whole numbers.
fn whole(number: f64) -> Option<Value> {
    /// The first number that is no `i64`.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below the limit")]
    (number.fract() == 0.0 && number.abs() < LIMIT).then(|| Value::from(number as i64))
}

/// A JSON value as a tree.
pub fn from_json(value: &Value) -> Node {
    match value {
        Value::Null => Node::null(),
        Value::Bool(it) => Node::plain(if *it { "true" } else { "false" }),
        Value::Number(it) => Node::plain(&it.to_string()),
        Value::String(it) => Node::text(it.as_str()),
        Value::Array(items) => Node::List(items.iter().map(from_json).collect()),
        Value::Object(map) => Node::Map(
            map.iter()
                .map(|(key, value)| (key.as_str().into(), from_json(value)))
                .collect::<Map>(),
        ),
    }
}

/// Compact JSON as Go writes it: `<`, `>`, `&` and two separators of lines are escaped.
pub fn go_json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value);
    out
}

fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
        Value::Number(it) => match it.as_f64() {
            Some(float) if !it.is_i64() && !it.is_u64() => out.push_str(&yaml::json_float(float)),
            _ => out.push_str(&it.to_string()),
        },
        Value::String(it) => write_string(out, it),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| left.0.cmp(right.0));
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_json(out, value);
            }
            out.push('}');
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for symbol in text.chars() {
        match symbol {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(symbol)));
            }
            _ => out.push(symbol),
        }
    }
    out.push('"');
}
