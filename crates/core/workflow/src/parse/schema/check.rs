//! Walks a file along the table and reports everything that differs.

use std::collections::HashMap;

use serde_json::Value;
use yaml::{Diagnostic, Entry, Node, NodeValue, Span};

use super::{Keys, Mapping, Places, Scalar, Shape, table};
use crate::{
    context::{Access, Objection},
    expr::{Condition, Expression, ParseError, Template, TemplateError},
    parse::{nearest::nearest, reader::scalar_text},
    tree::EntryKey,
};

/// What the walk found.
pub(in crate::parse) struct Checked {
    pub found: Vec<Diagnostic>,
    /// The templates of the file by where they begin, so that they are parsed once.
    pub templates: HashMap<usize, Template>,
    /// The conditions, likewise.
    pub conditions: HashMap<usize, Expression>,
}

pub(in crate::parse) fn check(source: &str, path: &str, root: &Node) -> Checked {
    let mut walk = Walk {
        path,
        found: Vec::new(),
        places: Places::new(source),
        templates: HashMap::new(),
        conditions: HashMap::new(),
    };
    walk.value(root, &table::ROOT, Access::NONE);
    Checked {
        found: walk.found,
        templates: walk.templates,
        conditions: walk.conditions,
    }
}

pub(super) struct Walk<'a, 'p> {
    path: &'p str,
    found: Vec<Diagnostic>,
    places: Places<'a>,
    templates: HashMap<usize, Template>,
    conditions: HashMap<usize, Expression>,
}

impl Walk<'_, '_> {
    pub(super) fn error(
        &mut self,
        span: Span,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.found
            .push(Diagnostic::error(self.path, span, code, message));
        self.found.last_mut().expect("just pushed")
    }

    pub(super) fn value(&mut self, node: &Node, shape: &'static Shape, around: Access) {
        let access = around | shape.access;
        if shape.events {
            self.events(node);
            return;
        }
        if shape.any {
            self.any(node, access);
            return;
        }
        match &node.value {
            NodeValue::Scalar { text, value, .. } => self.scalar(node, text, value, shape, access),
            NodeValue::Sequence(items) => match shape.item {
                Some(item) => items.iter().for_each(|it| self.value(it, item, access)),
                None => self.expected(node, shape),
            },
            NodeValue::Mapping(entries) => match shape.mappings {
                [] => self.expected(node, shape),
                [single] if single.keys.is_empty() => self.loose(entries, single, access),
                candidates => self.mapping(node, entries, candidates, shape, access),
            },
        }
    }

    pub(super) fn expected(&mut self, node: &Node, shape: &Shape) {
        let text = node.text().filter(|_| node.kind() == "text");
        let found = match text {
            Some("") => "nothing".to_owned(),
            Some(text) if !shape.scalars.is_empty() => format!("`{text}`"),
            Some(_) | None => node.kind().to_owned(),
        };
        let near = text.and_then(|it| nearest(it, words(shape)));
        let message = format!("expected {}, found {found}", shape.what);
        let span = self.places.shown(node);
        suggest(self.error(span, "LF-W0004", message), near);
    }

    fn scalar(
        &mut self,
        node: &Node,
        text: &str,
        value: &Value,
        shape: &'static Shape,
        access: Access,
    ) {
        if shape.condition {
            self.condition(node, text, access);
            return;
        }
        if value.is_string() && text.contains("${{") {
            self.template(node, text, access);
            return;
        }
        let is_text = value.is_string();
        let fits = shape.scalars.iter().any(|it| match it {
            Scalar::Null => value.is_null(),
            Scalar::Bool => value.is_boolean(),
            Scalar::Number => value.is_number() || is_double(node),
            Scalar::Text => true,
            Scalar::NonEmpty => !scalar_text(node).is_empty(),
            Scalar::Word(word) => is_text && text == *word,
        });
        if !fits {
            self.expected(node, shape);
        }
    }

    /// Whatever stands there: only its expressions are looked at.
    fn any(&mut self, node: &Node, access: Access) {
        match &node.value {
            NodeValue::Scalar { text, value, .. } => {
                if value.is_string() && text.contains("${{") {
                    self.template(node, text, access);
                }
            }
            NodeValue::Sequence(items) => items.iter().for_each(|it| self.any(it, access)),
            NodeValue::Mapping(entries) => {
                for entry in entries {
                    if !self.free_key(entry, Keys::MayBeExpressions, access) {
                        self.any(&entry.value, access);
                    }
                }
            }
        }
    }

    fn loose(&mut self, entries: &[Entry], mapping: &'static Mapping, access: Access) {
        let Some(values) = mapping.loose else { return };
        for entry in entries {
            if !self.free_key(entry, mapping.free, access) {
                self.value(&entry.value, values, access);
            }
        }
    }

    /// A key that the author chooses; says whether it was an expression, and its value is done.
    fn free_key(&mut self, entry: &Entry, keys: Keys, access: Access) -> bool {
        if entry.key.is_empty() {
            self.error(entry.key_span, "LF-W0004", "expected a name, found nothing");
        }
        let is_expression = entry.key.contains("${{");
        if is_expression {
            self.expression_key(entry, keys, access);
        }
        is_expression
    }

    /// A key that is known when the rest is, or `${{ insert }}`, which adds a whole mapping.
    fn expression_key(&mut self, entry: &Entry, keys: Keys, access: Access) {
        let span = entry.key_span;
        if access.is_none() {
            self.error(span, "LF-W0010", "no expression may stand here");
            return;
        }
        if keys == Keys::Plain {
            let found = self.error(span, "LF-W0020", "not supported: an expression as a key here");
            found.help.push("name the key".to_owned());
            return;
        }
        if !EntryKey::is_insert(&entry.key) {
            let value = NodeValue::Scalar {
                text: entry.key.clone(),
                style: yaml::ScalarStyle::Plain,
                value: Value::from(entry.key.as_str()),
            };
            self.template(&Node { span, value }, &entry.key, access);
        }
        self.any(&entry.value, access);
    }

    fn mapping(
        &mut self,
        node: &Node,
        entries: &[Entry],
        all: &'static [Mapping],
        shape: &Shape,
        access: Access,
    ) {
        let mut candidates: Vec<_> = all.iter().collect();
        for entry in entries {
            if entry.key.contains("${{") {
                let keys = candidates.first().map_or(Keys::Plain, |it| it.free);
                self.expression_key(entry, keys, access);
                continue;
            }
            let fitting: Vec<_> = candidates
                .iter()
                .copied()
                .filter(|it| it.key(&entry.key).is_some())
                .collect();
            let known = fitting.first().and_then(|it| it.key(&entry.key));
            if let Some(known) = known {
                candidates = fitting;
                self.value(&entry.value, known.shape, access);
            } else if let Some(values) = candidates.first().and_then(|it| it.loose) {
                self.free_key(entry, Keys::Plain, access);
                self.value(&entry.value, values, access);
            } else {
                self.unknown_key(entry, &candidates, all, shape);
            }
        }
        match candidates.as_slice() {
            [single] => {
                self.check_required(node, entries, single);
                self.check_image(node, entries, single);
            }
            several => {
                let names: Vec<_> = several
                    .iter()
                    .flat_map(|it| it.keys.iter().filter(|key| key.required))
                    .map(|key| format!("`{}`", key.name))
                    .collect();
                let message = format!("{} needs one of {}", shape.what, names.join(", "));
                self.error(first(node), "LF-W0005", message);
            }
        }
    }

    fn check_required(&mut self, node: &Node, entries: &[Entry], mapping: &Mapping) {
        if entries.iter().any(|it| it.key.contains("${{")) {
            return;
        }
        for key in mapping.keys.iter().filter(|it| it.required) {
            if !entries
                .iter()
                .any(|it| it.key.eq_ignore_ascii_case(key.name))
            {
                self.error(
                    first(node),
                    "LF-W0005",
                    format!("required key `{}` is missing", key.name),
                );
            }
        }
    }

    /// A container needs an image; where expressions stand, its keys may come from them.
    fn check_image(&mut self, node: &Node, entries: &[Entry], mapping: &Mapping) {
        let takes = mapping.keys.first().is_some_and(|it| it.name == "image");
        if takes
            && node.get("image").is_none()
            && !entries.iter().any(|it| has_expression(&it.value))
        {
            self.error(first(node), "LF-W0005", "required key `image` is missing");
        }
    }

    fn unknown_key(
        &mut self,
        entry: &Entry,
        candidates: &[&Mapping],
        all: &[Mapping],
        shape: &Shape,
    ) {
        let key = &entry.key;
        let what = match candidates {
            [single] => single.what,
            _ => shape.what,
        };
        if all.iter().any(|it| it.key(key).is_some()) {
            self.error(
                entry.key_span,
                "LF-W0019",
                format!("`{key}` cannot stand in {what}"),
            );
            return;
        }
        let mut names: Vec<_> = candidates
            .iter()
            .flat_map(|it| it.keys.iter().map(|key| key.name))
            .collect();
        names.dedup();
        self.unknown(entry.key_span, key, &names, what);
    }

    pub(super) fn unknown(&mut self, span: Span, key: &str, names: &[&str], place: &str) {
        let near = nearest(key, names.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", names.join(", ")),
        };
        let found = self.error(span, "LF-W0003", format!("unknown key `{key}` in {place}"));
        found.help.push(help);
        found.fixes.extend(near.map(|near| yaml::Fix {
            range: span.start..span.end,
            replacement: near.to_owned(),
        }));
    }

    /// A text with expressions in it.
    pub(super) fn template(&mut self, node: &Node, text: &str, access: Access) {
        if !access.is_none()
            && let Ok(template) = Template::parse(text)
        {
            for (expression, at) in template.expressions() {
                self.access(node, text, expression, at, access);
            }
            self.templates.insert(node.span.start, template);
            return;
        }
        for part in Template::scan(text) {
            match part {
                Ok((expression, at)) if access.is_none() => {
                    let range = at - 3..at + expression.text().len() + 2;
                    let span = self.places.inside(node, text, range);
                    self.error(span, "LF-W0010", "no expression may stand here");
                }
                Ok((expression, at)) => self.access(node, text, &expression, at, access),
                Err(error) => {
                    let span = self.places.inside(node, text, error.range());
                    let near = match &error {
                        TemplateError::Expression { error, .. } => meant(error),
                        TemplateError::Unclosed(_) => None,
                    };
                    let found = self.error(span, "LF-W0011", error.to_string());
                    suggest(found, near);
                }
            }
        }
    }

    fn access(
        &mut self,
        node: &Node,
        text: &str,
        expression: &Expression,
        at: usize,
        access: Access,
    ) {
        for Objection {
            message,
            at: offset,
            length,
        } in access.check(expression)
        {
            let span = self
                .places
                .inside(node, text, at + offset..at + offset + length);
            self.error(span, "LF-W0012", message);
        }
    }

    fn wrapped_condition(&mut self, node: &Node, text: &str, access: Access) {
        let before = self.found.len();
        self.template(node, text, access);
        if self.found.len() > before {
            return;
        }
        let template = self.templates.remove(&node.span.start);
        let condition = template.map_or(Condition::Text, Template::into_condition);
        if let Condition::AmongBlanks(_) = &condition {
            let message = "a blank beside `${{ }}` makes this condition always true";
            let found = Diagnostic::error(self.path, node.span, "LF-W0039", message).warning();
            self.found.push(found.help("write `|-` or `>-`, or leave `${{ }}` out"));
        }
        match condition {
            Condition::Lone(expression) | Condition::AmongBlanks(expression) => {
                self.conditions.insert(node.span.start, expression);
            }
            Condition::Text => self
                .error(
                    node.span,
                    "LF-W0013",
                    "text around `${{ }}` makes this condition always true",
                )
                .help
                .push(
                    "put the whole condition inside one `${{ }}`, or leave `${{ }}` out".to_owned(),
                ),
        }
    }

    /// An expression with or without `${{ }}` around it.
    fn condition(&mut self, node: &Node, text: &str, access: Access) {
        if node.is_null() || text.trim().is_empty() {
            return;
        }
        if text.contains("${{") {
            self.wrapped_condition(node, text, access);
            return;
        }
        match Expression::parse(text) {
            Ok(expression) => {
                self.access(node, text, &expression, 0, access);
                self.conditions.insert(node.span.start, expression);
            }
            Err(error) => {
                let range = error.at..error.at + error.length.max(1);
                let span = self.places.inside(node, text, range);
                let near = meant(&error);
                let found = self.error(span, "LF-W0011", error.to_string());
                suggest(found, near);
            }
        }
    }
}

/// The context or function that an unknown one was probably meant to be.
fn meant(error: &ParseError) -> Option<&'static str> {
    let (word, known) = error.unknown()?;
    nearest(word, known)
}

fn suggest(found: &mut Diagnostic, near: Option<&str>) {
    if let Some(near) = near {
        found.help.push(format!("did you mean `{near}`?"));
        found.fixes.push(yaml::Fix {
            range: found.span.start..found.span.end,
            replacement: near.to_owned(),
        });
    }
}

fn has_expression(node: &Node) -> bool {
    match &node.value {
        NodeValue::Scalar { text, .. } => text.contains("${{"),
        NodeValue::Sequence(items) => items.iter().any(has_expression),
        NodeValue::Mapping(entries) => entries.iter().any(|it| has_expression(&it.value)),
    }
}

/// A mapping is long; what it lacks is shown at its beginning.
fn first(node: &Node) -> Span {
    let first = node.entries().first().map_or(node.span, |it| it.key_span);
    if first.start < node.span.start {
        node.span
    } else {
        first
    }
}

fn words(shape: &Shape) -> impl Iterator<Item = &'static str> {
    shape.scalars.iter().filter_map(|it| match it {
        Scalar::Word(word) => Some(*word),
        Scalar::Null | Scalar::Bool | Scalar::Number | Scalar::Text | Scalar::NonEmpty => None,
    })
}

/// Infinity and its kin are numbers that JSON cannot hold.
fn is_double(node: &Node) -> bool {
    let plain = matches!(
        &node.value,
        NodeValue::Scalar {
            style: yaml::ScalarStyle::Plain,
            ..
        }
    );
    plain
        && node.text().is_some_and(|it| {
            it.to_ascii_lowercase().ends_with(".inf") || it.eq_ignore_ascii_case(".nan")
        })
}
