//! Text with expressions in it: `app-${{ github.sha }}`.

use super::{
    EvalError, Expression, ParseError, Scope, Value,
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
    Text(String),
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

impl Template {
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(open) = source.get(at..).and_then(|it| it.find("${{")) {
            let open = at + open;
            let inner = open + 3;
            let length = close(source.get(inner..).unwrap_or_default())
                .ok_or(TemplateError::Unclosed(open))?;
            let text = source.get(inner..inner + length).unwrap_or_default();
            let wrong = |error| TemplateError::Expression { error, at: inner };
            if source.len() > MAX_LENGTH {
                return Err(wrong(ParseError {
                    kind: ParseErrorKind::TooLong,
                    at: 0,
                    length: 1,
                    expression: text.trim().to_owned(),
                }));
            }
            let expression = Expression::parse(text).map_err(wrong)?;
            if open > at {
                parts.push(Part::Text(
                    source.get(at..open).unwrap_or_default().to_owned(),
                ));
            }
            parts.push(Part::Expression(expression, inner));
            at = inner + length + 2;
        }
        if at < source.len() {
            parts.push(Part::Text(source.get(at..).unwrap_or_default().to_owned()));
        }
        Ok(Self {
            source: source.to_owned(),
            parts,
        })
    }

    /// A text without expressions, whatever stands in it.
    pub fn literal(text: &str) -> Self {
        Self {
            source: text.to_owned(),
            parts: vec![Part::Text(text.to_owned())],
        }
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

    /// A lone expression keeps its type; among text everything becomes text.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        if let Some(expression) = self.as_expression() {
            return expression.evaluate(scope);
        }
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expression(expression, _) => {
                    out.push_str(&expression.evaluate(scope)?.to_text())
                }
            }
        }
        Ok(Value::from(out.as_str()))
    }

    pub fn evaluate_text(&self, scope: &Scope<'_>) -> Result<String, EvalError> {
        Ok(self.evaluate(scope)?.to_text())
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
