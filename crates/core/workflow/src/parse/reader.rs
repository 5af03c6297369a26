//! What all parts of the parser share: reporting, key checks, texts with expressions.

use serde_json::Value;
use yaml::{Diagnostic, Node, NodeValue, ScalarStyle, Span};

use super::nearest::nearest;
use crate::{
    NamedTemplates, Tree,
    context::Site,
    expr::{Expression, Template},
};

/// A key of the language.
pub(super) struct Key {
    name: &'static str,
    /// Part of the language, but not built yet.
    later: bool,
}

impl Key {
    pub const fn known(name: &'static str) -> Self {
        Self { name, later: false }
    }

    pub const fn later(name: &'static str) -> Self {
        Self { name, later: true }
    }
}

pub(super) struct Reader<'a> {
    pub source: &'a str,
    pub path: &'a str,
    /// The actions that can be carried out; `None` accepts all.
    pub actions: Option<&'a [&'a str]>,
    pub found: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a str, path: &'a str, actions: Option<&'a [&'a str]>) -> Self {
        Self {
            source,
            path,
            actions,
            found: Vec::new(),
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

    /// Something of the language that is refused before anything starts.
    pub fn later(&mut self, span: Span, what: &str) -> &mut Diagnostic {
        self.error(span, "LF-W0020", format!("not supported yet: `{what}`"))
    }

    pub fn expected(&mut self, node: &Node, what: &str) {
        self.error(
            node.span,
            "LF-W0004",
            format!("expected {what}, found {}", node.kind()),
        );
    }

    pub fn is_mapping(&mut self, node: &Node, what: &str) -> bool {
        let fits = matches!(node.value, NodeValue::Mapping(_));
        if !fits {
            self.expected(node, &format!("{what} (a mapping)"));
        }
        fits
    }

    /// Reports unknown keys with the nearest right word, and known ones that are not built yet.
    pub fn check_keys(&mut self, node: &Node, keys: &[Key], place: &str) {
        if !self.is_mapping(node, place) {
            return;
        }
        for entry in node.entries() {
            match keys.iter().find(|it| it.name == entry.key) {
                Some(key) if key.later => {
                    self.later(entry.key_span, key.name);
                }
                Some(_) => {}
                None => self.unknown(entry.key_span, &entry.key, keys, place),
            }
        }
    }

    fn unknown(&mut self, span: Span, key: &str, keys: &[Key], place: &str) {
        let names = || keys.iter().filter(|it| !it.later).map(|it| it.name);
        let near = nearest(key, names());
        let found = self.error(span, "LF-W0003", format!("unknown key `{key}` in {place}"));
        match near {
            Some(near) => {
                found.help.push(format!("did you mean `{near}`?"));
                found.fixes.push(yaml::Fix {
                    range: span.start..span.end,
                    replacement: near.to_owned(),
                });
            }
            None => found.help.push(format!(
                "known here: {}",
                names().collect::<Vec<_>>().join(", ")
            )),
        }
    }

    pub fn required<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Node> {
        let found = node.get(key);
        if found.is_none() && matches!(node.value, NodeValue::Mapping(_)) {
            self.error(
                self.first_line(node),
                "LF-W0005",
                format!("required key `{key}` is missing"),
            );
        }
        found
    }

    /// A mapping is long; what it lacks is shown at its first key.
    fn first_line(&self, node: &Node) -> Span {
        node.entries()
            .first()
            .map_or(node.span, |entry| entry.key_span)
    }

    /// A text without expressions.
    pub fn plain_text(&mut self, node: &Node) -> Option<String> {
        let Some(text) = node.text() else {
            self.expected(node, "text");
            return None;
        };
        if text.contains("${{") {
            self.error(node.span, "LF-W0010", "no expression may stand here");
        }
        Some(scalar_text(node))
    }

    /// One text or a sequence of texts, without expressions.
    pub fn text_list<'n>(&mut self, node: &'n Node) -> Vec<(String, &'n Node)> {
        match &node.value {
            NodeValue::Sequence(items) => items
                .iter()
                .filter_map(|item| Some((self.plain_text(item)?, item)))
                .collect(),
            NodeValue::Scalar {
                value: Value::Null, ..
            } => Vec::new(),
            NodeValue::Scalar { .. } | NodeValue::Mapping(_) => self
                .plain_text(node)
                .map(|text| (text, node))
                .into_iter()
                .collect(),
        }
    }

    /// A text that may have expressions.
    pub fn template(&mut self, node: &Node, site: Site) -> Option<Template> {
        let Some(text) = node.text() else {
            self.expected(node, "text");
            return None;
        };
        if !text.contains("${{") {
            return Some(Template::literal(&scalar_text(node)));
        }
        match Template::parse(text) {
            Ok(template) => {
                for (expression, at) in template.expressions() {
                    self.check_site(node, text, expression, at, site);
                }
                Some(template)
            }
            Err(error) => {
                let span = self.inside(node, text, error.range());
                self.error(span, "LF-W0011", error.to_string());
                None
            }
        }
    }

    fn check_site(
        &mut self,
        node: &Node,
        text: &str,
        expression: &Expression,
        at: usize,
        site: Site,
    ) {
        for (message, offset, length) in site.check(expression) {
            let span = self.inside(node, text, at + offset..at + offset + length);
            self.error(span, "LF-W0012", message);
        }
    }

    /// A condition: an expression with or without `${{ }}` around it.
    pub fn condition(&mut self, node: &Node, site: Site) -> Option<Expression> {
        let Some(text) = node.text() else {
            self.expected(node, "an expression");
            return None;
        };
        if node.is_null() || text.trim().is_empty() {
            return None;
        }
        let bare = text.trim();
        let wrapped = bare.starts_with("${{")
            && Template::parse(bare).is_ok_and(|it| it.as_expression().is_some());
        if wrapped || bare.contains("${{") {
            let template = self.template(node, site)?;
            let trimmed = Template::parse(bare).ok()?;
            if let Some(expression) = trimmed.as_expression() {
                return Some(expression.clone());
            }
            drop(template);
            self.error(
                node.span,
                "LF-W0013",
                "text around `${{ }}` makes this condition always true",
            )
            .help
            .push("put the whole condition inside one `${{ }}`, or leave `${{ }}` out".to_owned());
            return None;
        }
        match Expression::parse(text) {
            Ok(expression) => {
                self.check_site(node, text, &expression, 0, site);
                Some(expression)
            }
            Err(error) => {
                let span = self.inside(node, text, error.at..error.at + error.length.max(1));
                self.error(span, "LF-W0011", error.to_string());
                None
            }
        }
    }

    pub fn boolean(&mut self, node: &Node, site: Site) -> Option<Template> {
        self.typed(node, site, "true or false", |value| {
            matches!(value, Value::Bool(_))
        })
    }

    pub fn number(&mut self, node: &Node, site: Site) -> Option<Template> {
        self.typed(node, site, "a number", |value| {
            matches!(value, Value::Number(_))
        })
    }

    /// A literal of one type, or an expression that will give it.
    fn typed(
        &mut self,
        node: &Node,
        site: Site,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<Template> {
        let literal = matches!(&node.value, NodeValue::Scalar { value, .. } if fits(value));
        let expression = node.text().is_some_and(|text| text.contains("${{"));
        if !literal && !expression {
            self.expected(node, what);
            return None;
        }
        self.template(node, site)
    }

    /// Names with texts; each text may have expressions.
    pub fn templates(&mut self, node: &Node, site: Site) -> NamedTemplates {
        if node.is_null() {
            return Vec::new();
        }
        if node.text().is_some_and(|text| text.contains("${{")) {
            self.later(node.span, "a whole mapping from one expression");
            return Vec::new();
        }
        if !self.is_mapping(node, "names with values") {
            return Vec::new();
        }
        let entries = node.entries().iter();
        entries
            .filter_map(|entry| Some((entry.key.clone(), self.template(&entry.value, site)?)))
            .collect()
    }

    /// Any value, in which any text may have expressions.
    pub fn tree(&mut self, node: &Node, site: Site) -> Tree {
        match &node.value {
            NodeValue::Scalar { text, value, .. } => {
                if !text.contains("${{") {
                    return Tree::Value(value.clone());
                }
                self.template(node, site)
                    .map_or(Tree::Value(Value::Null), Tree::Template)
            }
            NodeValue::Sequence(items) => {
                Tree::Sequence(items.iter().map(|it| self.tree(it, site)).collect())
            }
            NodeValue::Mapping(entries) => Tree::Mapping(
                entries
                    .iter()
                    .map(|it| (it.key.clone(), self.tree(&it.value, site)))
                    .collect(),
            ),
        }
    }

    /// Where a range of a scalar's text stands in the file.
    pub fn inside(&self, node: &Node, text: &str, range: std::ops::Range<usize>) -> Span {
        let lines = yaml::Lines::new(self.source);
        let raw = self
            .source
            .get(node.span.start..node.span.end)
            .unwrap_or_default();
        let plain = matches!(
            &node.value,
            NodeValue::Scalar {
                style: ScalarStyle::Plain,
                ..
            }
        ) && raw.starts_with(text);
        if plain {
            return lines.span(node.span.start + range.start, node.span.start + range.end);
        }
        // Escapes and indentation move things; the line of the text that holds the range is found again.
        let before = text.get(..range.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = text
            .get(range.start..)
            .and_then(|it| it.find('\n'))
            .map_or(text.len(), |at| range.start + at);
        let line = text.get(line_start..line_end).unwrap_or_default();
        match raw.find(line).filter(|_| !line.is_empty()) {
            Some(at) => {
                let start = node.span.start + at + (range.start - line_start);
                lines.span(start, start + range.len())
            }
            None => node.span,
        }
    }
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
