//! Turns checked nodes into parts of the model.
//!
//! What is wrong was reported by the schema before; here a part that does not
//! fit is left out in silence.

use std::collections::HashMap;

use serde_json::Value;
use yaml::{Diagnostic, Node, NodeValue, Span};

use super::schema::Checked;
use crate::{
    Mapping, NamedTemplates, Tree,
    expr::{Condition, Expression, Template},
    tree::EntryKey,
};

pub(super) struct Reader<'a> {
    pub source: &'a str,
    pub path: &'a str,
    pub found: Vec<Diagnostic>,
    /// The templates that the schema parsed, by where they begin.
    templates: HashMap<usize, Template>,
    conditions: HashMap<usize, Expression>,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a str, path: &'a str, checked: Checked) -> Self {
        Self {
            source,
            path,
            found: checked.found,
            templates: checked.templates,
            conditions: checked.conditions,
        }
    }

    pub fn error(
        &mut self,
        span: Span,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.found
            .push(Diagnostic::error(self.path, span, code, message));
        self.found.last_mut().expect("just pushed")
    }

    /// A text that may have expressions.
    pub fn template(&mut self, node: &Node) -> Option<Template> {
        let text = node.text()?;
        if !text.contains("${{") {
            return Some(Template::literal(scalar_text(node)));
        }
        match self.templates.remove(&node.span.start) {
            // An alias is read again: its node was read where its anchor stands.
            Some(known) if known.source() == text => Some(known),
            Some(_) | None => Template::parse(text).ok(),
        }
    }

    /// A condition: an expression with or without `${{ }}` around it; `None` where it is blank.
    pub fn condition(&mut self, node: &Node) -> Option<Expression> {
        let text = node.text()?.trim();
        if node.is_null() || text.is_empty() {
            return None;
        }
        if let Some(known) = self.conditions.remove(&node.span.start) {
            return Some(known);
        }
        // An alias is read again: its node was read where its anchor stands.
        if text.contains("${{") {
            return match Template::parse(node.text()?).ok()?.into_condition() {
                Condition::Lone(it) | Condition::AmongBlanks(it) => Some(it),
                Condition::Text => None,
            };
        }
        Expression::parse(text).ok()
    }

    /// Names with texts; each text may have expressions, or one expression gives the whole.
    pub fn mapping(&mut self, node: &Node) -> Mapping {
        match node.text() {
            Some(text) if text.contains("${{") => self
                .template(node)
                .map_or_else(Mapping::default, Mapping::Whole),
            Some(_) | None if has_expression_key(node) => Mapping::Tree(self.tree(node)),
            Some(_) | None => Mapping::Named(self.templates(node)),
        }
    }

    pub fn templates(&mut self, node: &Node) -> NamedTemplates {
        let entries = node.entries().iter();
        entries
            .filter_map(|entry| Some((entry.key.clone(), self.template(&entry.value)?)))
            .collect()
    }

    /// Any value, in which any text may have expressions.
    pub fn tree(&mut self, node: &Node) -> Tree {
        match &node.value {
            NodeValue::Scalar { text, value, .. } => {
                if !text.contains("${{") {
                    return Tree::Value(value.clone());
                }
                self.template(node)
                    .map_or(Tree::Value(Value::Null), Tree::Template)
            }
            NodeValue::Sequence(items) => {
                Tree::Sequence(items.iter().map(|it| self.tree(it)).collect())
            }
            NodeValue::Mapping(_) if has_expression_key(node) => Tree::Dynamic(
                node.entries()
                    .iter()
                    .filter_map(|it| Some((EntryKey::parse(&it.key)?, self.tree(&it.value))))
                    .collect(),
            ),
            NodeValue::Mapping(entries) => Tree::Mapping(
                entries
                    .iter()
                    .map(|it| (it.key.clone(), self.tree(&it.value)))
                    .collect(),
            ),
        }
    }

    /// The template of a key of a mapping.
    pub fn template_at(&mut self, node: &Node, key: &str) -> Option<Template> {
        node.get(key).and_then(|it| self.template(it))
    }
}

fn has_expression_key(node: &Node) -> bool {
    node.entries().iter().any(|it| it.key.contains("${{"))
}

/// One text or a sequence of texts.
pub(super) fn text_list(node: &Node) -> Vec<(String, &Node)> {
    match &node.value {
        NodeValue::Sequence(items) => items.iter().map(|it| (scalar_text(it), it)).collect(),
        NodeValue::Scalar {
            value: Value::Null, ..
        }
        | NodeValue::Mapping(_) => Vec::new(),
        NodeValue::Scalar { .. } => vec![(scalar_text(node), node)],
    }
}

/// The same without the places.
pub(super) fn words(node: Option<&Node>) -> Vec<String> {
    let list = node.map(text_list).unwrap_or_default();
    list.into_iter().map(|(text, _)| text).collect()
}

/// The text a scalar stands for: numbers print as numbers do, so `3.10` is `3.1`.
pub(super) fn scalar_text(node: &Node) -> String {
    match &node.value {
        NodeValue::Scalar { text, value, .. } => match value {
            Value::Null => String::new(),
            Value::Bool(_) | Value::Number(_) => crate::expr::Value::from(value).to_text(),
            Value::String(_) | Value::Array(_) | Value::Object(_) => text.clone(),
        },
        NodeValue::Sequence(_) | NodeValue::Mapping(_) => String::new(),
    }
}

pub(super) fn is_true(node: Option<&Node>) -> bool {
    node.is_some_and(|it| scalar_text(it) == "true")
}

/// Whether the schema refused a text that must be plain: empty, or with expressions.
pub(super) fn is_refused(text: &str) -> bool {
    text.is_empty() || text.contains("${{")
}
