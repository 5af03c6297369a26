//! Values of the file whose expressions are not evaluated yet.

use serde_json::{Map, Value};

use crate::expr::{self, EvalError, Scope, Template};

/// Names with their texts, in the order of the file.
pub type NamedTemplates = Vec<(String, Template)>;

/// Names with texts (`env`, `with`), or one expression that gives all of them.
#[derive(Clone, Debug)]
pub enum Mapping {
    Named(NamedTemplates),
    Whole(Template),
}

impl Default for Mapping {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Mapping {
    /// What the file names; nothing when one expression gives the whole.
    pub fn named(&self) -> &[(String, Template)] {
        match self {
            Self::Named(entries) => entries,
            Self::Whole(_) => &[],
        }
    }

    /// Names with texts, in order.
    ///
    /// # Errors
    ///
    /// An expression without value, or a whole expression that gives no mapping of plain values.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Vec<(String, String)>, EvalError> {
        let whole = match self {
            Self::Named(entries) => {
                let texts = entries
                    .iter()
                    .map(|(name, it)| Ok((name.clone(), it.evaluate_text(scope)?)));
                return texts.collect();
            }
            Self::Whole(whole) => whole.evaluate(scope)?,
        };
        let expr::Value::Object(object) = &whole else {
            return Err(EvalError::Unexpected {
                expected: "a mapping",
                found: whole.kind(),
            });
        };
        let entry = |(name, value): (&str, &expr::Value)| {
            if value.is_primitive() {
                Ok((name.to_owned(), value.to_text()))
            } else {
                Err(EvalError::Unexpected {
                    expected: "text",
                    found: value.kind(),
                })
            }
        };
        object.iter().map(entry).collect()
    }
}

/// A value of the file in which any text may have expressions.
#[derive(Clone, Debug)]
pub enum Tree {
    Value(Value),
    Template(Template),
    Sequence(Vec<Tree>),
    Mapping(Vec<(String, Tree)>),
}

impl Tree {
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Template(template) => template.evaluate(scope)?.to_json(),
            Self::Sequence(items) => Value::Array(
                items
                    .iter()
                    .map(|it| it.evaluate(scope))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Mapping(entries) => {
                let entries = entries
                    .iter()
                    .map(|(name, tree)| Ok((name.clone(), tree.evaluate(scope)?)));
                Value::Object(entries.collect::<Result<Map<_, _>, EvalError>>()?)
            }
        })
    }

    /// Whether nothing in it depends on expressions.
    pub fn is_literal(&self) -> bool {
        match self {
            Self::Value(_) => true,
            Self::Template(template) => template.as_literal().is_some(),
            Self::Sequence(items) => items.iter().all(Self::is_literal),
            Self::Mapping(entries) => entries.iter().all(|(_, it)| it.is_literal()),
        }
    }
}
