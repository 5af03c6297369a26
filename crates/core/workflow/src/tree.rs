//! Values of the file whose expressions are not evaluated yet.

use serde_json::{Map, Value};

use crate::expr::{self, EvalError, Scope, Template};

/// Names with their texts, in the order of the file.
pub type NamedTemplates = Vec<(String, Template)>;

/// Names with texts (`env`, `with`), or expressions that give names, too.
#[derive(Clone, Debug)]
pub enum Mapping {
    Named(NamedTemplates),
    Whole(Template),
    Tree(Tree),
}

impl Default for Mapping {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Mapping {
    /// What the file names; nothing when expressions give the names.
    pub fn named(&self) -> &[(String, Template)] {
        match self {
            Self::Named(entries) => entries,
            Self::Whole(_) | Self::Tree(_) => &[],
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
            Self::Tree(tree) => expr::Value::from(&tree.evaluate(scope)?),
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
    /// A mapping whose keys are expressions, too.
    Dynamic(Vec<(EntryKey, Tree)>),
}

/// A key of a mapping that is known when its expressions are.
#[derive(Clone, Debug)]
pub enum EntryKey {
    Template(Template),
    /// `${{ insert }}`: all entries of the mapping that is its value.
    Insert,
}

impl EntryKey {
    /// Reads a key; `None` if its expressions cannot be read.
    pub fn parse(text: &str) -> Option<Self> {
        if Self::is_insert(text) {
            return Some(Self::Insert);
        }
        Template::parse(text).ok().map(Self::Template)
    }

    pub fn is_insert(text: &str) -> bool {
        let inner = text
            .trim()
            .strip_prefix("${{")
            .and_then(|it| it.strip_suffix("}}"));
        inner.is_some_and(|it| it.trim() == "insert")
    }

    /// As the file says it.
    pub fn source(&self) -> &str {
        match self {
            Self::Template(template) => template.source(),
            Self::Insert => "${{ insert }}",
        }
    }
}

impl Tree {
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Template(template) => template.evaluate(scope)?.to_json(),
            Self::Sequence(items) => {
                let mut all = Vec::new();
                for item in items {
                    match (item, item.evaluate(scope)?) {
                        // An expression that gives several values stands for all of them.
                        (Self::Template(_), Value::Array(several)) => all.extend(several),
                        (_, value) => all.push(value),
                    }
                }
                Value::Array(all)
            }
            Self::Dynamic(entries) => Value::Object(computed(entries, scope)?),
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
            Self::Dynamic(_) => false,
        }
    }
}

/// The entries of a mapping whose keys are expressions; of equal keys the first counts.
fn computed(
    entries: &[(EntryKey, Tree)],
    scope: &Scope<'_>,
) -> Result<Map<String, Value>, EvalError> {
    let mut all = Map::new();
    let mut add = |name: String, value: Value| {
        if !all.keys().any(|it| it.eq_ignore_ascii_case(&name)) {
            all.insert(name, value);
        }
    };
    for (key, tree) in entries {
        let value = tree.evaluate(scope)?;
        match (key, value) {
            (EntryKey::Template(name), value) => add(name.evaluate_text(scope)?, value),
            (EntryKey::Insert, Value::Object(more)) => {
                more.into_iter().for_each(|(name, value)| add(name, value));
            }
            (EntryKey::Insert, other) => {
                return Err(EvalError::Unexpected {
                    expected: "a mapping",
                    found: expr::Value::from(&other).kind(),
                });
            }
        }
    }
    Ok(all)
}
