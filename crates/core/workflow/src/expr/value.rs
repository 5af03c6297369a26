//! The values of expressions and how they turn into one another.

use std::{cmp::Ordering, rc::Rc};

use super::number::{format_number, parse_number};

/// A value; arrays and objects are shared, for they are compared by identity.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    String(Rc<str>),
    Array(Rc<Vec<Value>>),
    Object(Rc<Object>),
}

/// Names and values in the order they were written.
#[derive(Clone, Debug, Default)]
pub struct Object {
    entries: Vec<(Rc<str>, Value)>,
    /// Only `env` tells `PATH` from `Path`.
    exact: bool,
}

impl Object {
    pub fn new(entries: impl IntoIterator<Item = (String, Value)>) -> Self {
        let entries = entries
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        Self {
            entries,
            exact: false,
        }
    }

    /// An object whose names are told apart by case.
    pub fn exact(entries: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self {
            exact: true,
            ..Self::new(entries)
        }
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        let found = self
            .entries
            .iter()
            .find(|(it, _)| **it == *name || (!self.exact && is_same_name(it, name)));
        found.map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(name, value)| (&**name, value))
    }
}

/// Whether two names differ in case at most.
fn is_same_name(one: &str, other: &str) -> bool {
    match (one.is_ascii(), other.is_ascii()) {
        (true, true) => one.eq_ignore_ascii_case(other),
        (false, false) => fold_case(one) == fold_case(other),
        // Folding never leads from plain ASCII to anything else, nor back.
        (true, false) | (false, true) => false,
    }
}

/// Upper-cases each character on its own, as ordinal comparison without case does.
///
/// Characters whose upper case is longer stay as they are, and so do the Turkish
/// letters whose upper case is plain ASCII.
pub fn fold_case(text: &str) -> String {
    text.chars()
        .map(|symbol| {
            let mut upper = symbol.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(single), None) if symbol.is_ascii() || !single.is_ascii() => single,
                _ => symbol,
            }
        })
        .collect()
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Bool(*flag),
            serde_json::Value::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::from(text.as_str()),
            serde_json::Value::Array(items) => {
                Self::Array(Rc::new(items.iter().map(Self::from).collect()))
            }
            serde_json::Value::Object(map) => {
                let entries = map
                    .iter()
                    .map(|(name, value)| (name.clone(), Self::from(value)));
                Self::Object(Rc::new(Object::new(entries)))
            }
        }
    }
}

impl Value {
    /// Null, false, zero, NaN and empty text are false; empty collections are true.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(flag) => *flag,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::String(text) => !text.is_empty(),
            Self::Array(_) | Self::Object(_) => true,
        }
    }

    /// The text the value becomes inside other text.
    pub fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(flag) => flag.to_string(),
            Self::Number(number) => format_number(*number),
            Self::String(text) => text.to_string(),
            Self::Array(_) => "Array".to_owned(),
            Self::Object(_) => "Object".to_owned(),
        }
    }

    pub fn to_number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(flag) => f64::from(u8::from(*flag)),
            Self::Number(number) => *number,
            Self::String(text) => parse_number(text),
            Self::Array(_) | Self::Object(_) => f64::NAN,
        }
    }

    /// What it is, for messages: `a number`, `an array`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    pub fn is_primitive(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Object(_))
    }

    /// `==`: text without regard to case, collections by identity, other mixtures as numbers.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::String(left), Self::String(right)) => fold_case(left) == fold_case(right),
            (Self::Array(left), Self::Array(right)) => Rc::ptr_eq(left, right),
            (Self::Object(left), Self::Object(right)) => Rc::ptr_eq(left, right),
            _ if self.is_primitive() && other.is_primitive() => {
                self.to_number() == other.to_number()
            }
            _ => false,
        }
    }

    /// `<` and `>`; `None` where neither holds nor equality.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::String(left), Self::String(right)) => {
                let (left, right) = (fold_case(left), fold_case(right));
                Some(left.encode_utf16().cmp(right.encode_utf16()))
            }
            _ if self.is_primitive() && other.is_primitive() => {
                self.to_number().partial_cmp(&other.to_number())
            }
            _ => None,
        }
    }

    /// As JSON; numbers that JSON cannot hold become text.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(flag) => serde_json::Value::Bool(*flag),
            Self::Number(number) => json_number(*number),
            Self::String(text) => serde_json::Value::String(text.to_string()),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(object) => {
                let entries = object
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_json()));
                serde_json::Value::Object(entries.collect())
            }
        }
    }

    /// As the function `toJSON` writes it: two spaces, numbers with 15 digits.
    pub fn to_pretty_json(&self) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, 0);
        out
    }

    fn write_pretty(&self, out: &mut String, level: usize) {
        let line = |out: &mut String, level: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", level));
        };
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(_) | Self::Number(_) => out.push_str(&self.to_text()),
            Self::String(text) => out.push_str(&quote(text)),
            Self::Array(items) if items.is_empty() => out.push_str("[]"),
            Self::Array(items) => {
                out.push('[');
                for (position, item) in items.iter().enumerate() {
                    out.push_str(if position > 0 { "," } else { "" });
                    line(out, level + 1);
                    item.write_pretty(out, level + 1);
                }
                line(out, level);
                out.push(']');
            }
            Self::Object(object) if object.entries.is_empty() => out.push_str("{}"),
            Self::Object(object) => {
                out.push('{');
                for (position, (name, value)) in object.iter().enumerate() {
                    out.push_str(if position > 0 { "," } else { "" });
                    line(out, level + 1);
                    out.push_str(&quote(name));
                    out.push_str(": ");
                    value.write_pretty(out, level + 1);
                }
                line(out, level);
                out.push('}');
            }
        }
    }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn json_number(number: f64) -> serde_json::Value {
    /// Beyond this not every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return serde_json::Value::from(number as i64);
    }
    serde_json::Number::from_f64(number).map_or_else(
        || serde_json::Value::String(format_number(number)),
        serde_json::Value::Number,
    )
}
