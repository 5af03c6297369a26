//! The tree that a source becomes.

use serde_json::{Map, Value};

use crate::{Diagnostic, Span};

/// One document of a source.
#[derive(Clone, Debug)]
pub struct Document {
    pub root: Node,
    /// Findings that do not keep the document from being used.
    pub warnings: Vec<Diagnostic>,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub span: Span,
    pub value: NodeValue,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// A scalar: its text as written (unescaped) and what it means.
    Scalar {
        text: String,
        style: ScalarStyle,
        value: Value,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    pub fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Scalar { value, .. } => value.clone(),
            NodeValue::Sequence(items) => items.iter().map(Self::to_json).collect(),
            NodeValue::Mapping(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The entries of a mapping; empty for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            NodeValue::Mapping(entries) => entries,
            NodeValue::Scalar { .. } | NodeValue::Sequence(_) => &[],
        }
    }

    /// The text of a scalar as written.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar { text, .. } => Some(text),
            NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(
            &self.value,
            NodeValue::Scalar {
                value: Value::Null,
                ..
            }
        )
    }

    /// What it is, for messages: `a mapping`, `text`, `a number`.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Scalar { value, .. } => match value {
                Value::Null => "nothing",
                Value::Bool(_) => "a boolean",
                Value::Number(_) => "a number",
                Value::String(_) | Value::Array(_) | Value::Object(_) => "text",
            },
            NodeValue::Sequence(_) => "a sequence",
            NodeValue::Mapping(_) => "a mapping",
        }
    }

    pub(crate) fn size(&self) -> usize {
        match &self.value {
            NodeValue::Scalar { .. } => 1,
            NodeValue::Sequence(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            NodeValue::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|entry| 1 + entry.value.size())
                    .sum::<usize>()
            }
        }
    }
}
