//! Text with expressions in it: `app-${{ github.sha }}`.

use std::ops::Range;

use super::{
    EvalError, Expression, ParseError, Scope, Value,
    eval::within_limit,
    parser::{MAX_LENGTH, ParseErrorKind},
};

/// A text as a list of literal parts and expressions.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// A range of the source.
    Text(Range<usize>),
    /// With the byte offset of the text after `${{`.
    Expression(Expression, usize),
}

/// Why a text is no template; offsets count from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("`${{{{` at position {} is never closed by `}}}}`", .0 + 1)]
    Unclosed(usize),
    #[error("{error}")]
    Expression { error: ParseError, at: usize },
}

impl TemplateError {
    /// The bytes of the text that are meant.
    pub fn range(&self) -> std::ops::Range<usize> {
        match self {
            Self::Unclosed(at) => *at..at + 3,
            Self::Expression { error, at } => at + error.at..at + error.at + error.length.max(1),
        }
    }
}

/// A condition that is written with `${{ }}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Lone(Expression),
    /// Blanks around it, such as the end of a line that `|` keeps, make a text of it, which is
    /// never empty: the condition always holds, and the expression says so.
    AmongBlanks(Expression),
    /// Other text around it, or several expressions.
    Text,
}

impl Template {
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let parts = Parts { source, at: 0 };
        Ok(Self {
            parts: parts.collect::<Result<_, _>>()?,
            source: source.to_owned(),
        })
    }

    /// Every expression with its byte offset, or what is wrong with it.
    pub fn scan(source: &str) -> impl Iterator<Item = Result<(Expression, usize), TemplateError>> {
        Parts { source, at: 0 }.filter_map(|part| match part {
            Ok(Part::Text(_)) => None,
            Ok(Part::Expression(expression, at)) => Some(Ok((expression, at))),
            Err(error) => Some(Err(error)),
        })
    }

    /// A text without expressions, whatever stands in it.
    pub fn literal(text: impl Into<String>) -> Self {
        let source = text.into();
        let parts = vec![Part::Text(0..source.len())];
        Self { source, parts }
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.source.get(range.clone()).unwrap_or_default()
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text itself when there is no expression in it.
    pub fn as_literal(&self) -> Option<&str> {
        self.expressions()
            .next()
            .is_none()
            .then_some(self.source.as_str())
    }

    /// All expressions with their byte offset in the text.
    pub fn expressions(&self) -> impl Iterator<Item = (&Expression, usize)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Expression(expression, at) => Some((expression, *at)),
        })
    }

    /// The single expression when there is nothing but it.
    pub fn as_expression(&self) -> Option<&Expression> {
        match self.parts.as_slice() {
            [Part::Expression(expression, _)] => Some(expression),
            _ => None,
        }
    }

    /// What a text with `${{ }}` in it means as a condition.
    pub fn into_condition(self) -> Condition {
        let Self { source, parts } = self;
        let text = |range: &Range<usize>| source.get(range.clone()).unwrap_or_default();
        let blank = |it: &Part| matches!(it, Part::Text(range) if text(range).trim().is_empty());
        let count = parts.len();
        let mut rest = parts.into_iter().filter(|it| !blank(it));
        match (rest.next(), rest.next()) {
            (Some(Part::Expression(expression, _)), None) if count == 1 => {
                Condition::Lone(expression)
            }
            (Some(Part::Expression(expression, _)), None) => {
                let inner = expression.text().trim();
                let whole = Expression::parse(&format!("format('{{0}} ', {inner})"));
                whole.map_or(Condition::Text, Condition::AmongBlanks)
            }
            _ => Condition::Text,
        }
    }

    /// A lone expression keeps its type; among text everything becomes text.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        if let Some(expression) = self.as_expression() {
            return expression.evaluate(scope);
        }
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(range) => out.push_str(self.text(range)),
                Part::Expression(expression, _) => {
                    out.push_str(&expression.evaluate(scope)?.to_text())
                }
            }
        }
        within_limit(Value::from(out.as_str()))
    }

    pub fn evaluate_text(&self, scope: &Scope<'_>) -> Result<String, EvalError> {
        Ok(self.evaluate(scope)?.to_text())
    }
}

/// Cuts a text; after a part that is wrong it goes on behind it.
struct Parts<'a> {
    source: &'a str,
    at: usize,
}

impl Iterator for Parts<'_> {
    type Item = Result<Part, TemplateError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.source.get(self.at..).filter(|it| !it.is_empty())?;
        let open = rest.find("${{");
        if open != Some(0) {
            let start = self.at;
            self.at += open.unwrap_or(rest.len());
            return Some(Ok(Part::Text(start..self.at)));
        }
        let inner = self.at + 3;
        let Some(length) = close(self.source.get(inner..).unwrap_or_default()) else {
            let unclosed = TemplateError::Unclosed(self.at);
            self.at = self.source.len();
            return Some(Err(unclosed));
        };
        self.at = inner + length + 2;
        let text = self.source.get(inner..inner + length).unwrap_or_default();
        let wrong = |error| TemplateError::Expression { error, at: inner };
        if self.source.len() > MAX_LENGTH && self.source.chars().count() > MAX_LENGTH {
            self.at = self.source.len();
            return Some(Err(wrong(ParseError {
                kind: ParseErrorKind::TooLong,
                at: 0,
                length: 1,
                expression: text.trim().to_owned(),
            })));
        }
        Some(
            Expression::parse(text)
                .map_err(wrong)
                .map(|it| Part::Expression(it, inner)),
        )
    }
}

/// The offset of the `}}` that ends an expression, not one inside quotes.
fn close(text: &str) -> Option<usize> {
    let mut quoted = false;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'}' if !quoted && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
    }
    None
}
