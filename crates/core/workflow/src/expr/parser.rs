//! Turns tokens into a tree and checks every name and count before anything runs.

use super::{
    ast::{Expr, Operator},
    functions,
    lexer::{self, Token, TokenKind},
};

/// GitHub's limit on how deep an expression may nest.
const MAX_DEPTH: usize = 50;
/// GitHub's limit on the length of one text with expressions.
pub(crate) const MAX_LENGTH: usize = 21_000;

/// The contexts of the language.
pub(crate) const CONTEXTS: &[&str] = &[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps", "job", "jobs",
    "runner", "env",
];

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at position {} of `{}`", at.saturating_sub(leading(expression)) + 1, expression.trim())]
pub struct ParseError {
    pub kind: ParseErrorKind,
    /// Byte offset in the expression.
    pub at: usize,
    /// How many bytes are meant.
    pub length: usize,
    pub expression: String,
}

impl ParseError {
    /// The word that is not known, and those that may stand in its place.
    pub fn unknown(&self) -> Option<(&str, Vec<&'static str>)> {
        match &self.kind {
            ParseErrorKind::UnknownContext(word) => Some((word, CONTEXTS.to_vec())),
            ParseErrorKind::UnknownFunction(word) => Some((word, functions::names().collect())),
            ParseErrorKind::UnexpectedSymbol(_)
            | ParseErrorKind::DoubleQuotes(_)
            | ParseErrorKind::UnclosedString(_)
            | ParseErrorKind::UnexpectedEnd
            | ParseErrorKind::Empty
            | ParseErrorKind::Arguments { .. }
            | ParseErrorKind::TooDeep
            | ParseErrorKind::TooLong => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    #[error("unexpected symbol `{0}`")]
    UnexpectedSymbol(String),
    #[error("text takes single quotes, found `{0}`")]
    DoubleQuotes(String),
    #[error("unclosed text `{0}`")]
    UnclosedString(String),
    #[error("unexpected end")]
    UnexpectedEnd,
    #[error("an expression is missing")]
    Empty,
    #[error("unknown context `{0}`")]
    UnknownContext(String),
    #[error("unknown function `{0}`")]
    UnknownFunction(String),
    #[error("`{name}` takes {expected}, found {found}")]
    Arguments {
        name: String,
        expected: String,
        found: usize,
    },
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("longer than {MAX_LENGTH} characters")]
    TooLong,
}

/// Bytes of blanks that messages leave out.
fn leading(expression: &str) -> usize {
    expression.len() - expression.trim_start().len()
}

pub(super) fn parse(text: &str, contexts: &[&str]) -> Result<Expr, ParseError> {
    let error = |kind, at, length| ParseError {
        kind,
        at,
        length,
        expression: text.to_owned(),
    };
    if text.len() > MAX_LENGTH && text.chars().count() > MAX_LENGTH {
        return Err(error(ParseErrorKind::TooLong, 0, 1));
    }
    let tokens = lexer::tokens(text).map_err(|bad| {
        let kind = match bad.text.chars().next() {
            Some('"') => ParseErrorKind::DoubleQuotes(bad.text.clone()),
            Some('\'') => ParseErrorKind::UnclosedString(bad.text.clone()),
            _ => ParseErrorKind::UnexpectedSymbol(bad.text.clone()),
        };
        error(kind, bad.at, bad.text.len())
    })?;
    if tokens.is_empty() {
        return Err(error(ParseErrorKind::Empty, 0, text.len()));
    }
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        depth: 0,
        text,
        contexts,
    };
    let root = parser.binary(0)?;
    match parser.peek() {
        None => Ok(root),
        Some(token) => Err(parser.unexpected(token)),
    }
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    next: usize,
    depth: usize,
    text: &'a str,
    contexts: &'a [&'a str],
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "any other token is one error"
)]
impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Result<&'a Token<'a>, ParseError> {
        let token = self.peek().ok_or_else(|| self.end())?;
        self.next += 1;
        Ok(token)
    }

    fn take_if(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek().is_some_and(|it| it.kind == *kind);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, kind: &TokenKind) -> Result<(), ParseError> {
        let token = self.take()?;
        if token.kind == *kind {
            Ok(())
        } else {
            Err(self.unexpected(token))
        }
    }

    fn binary(&mut self, least: u8) -> Result<Expr, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(ParseErrorKind::TooDeep, 0, 1));
        }
        let mut left = self.unary()?;
        while let Some(operator) = self.peek().and_then(|it| operator(&it.kind)) {
            if operator.precedence() <= least {
                break;
            }
            self.next += 1;
            let right = self.binary(operator.precedence())?;
            left = Expr::Binary {
                operator,
                left: Box::new(left),
                right: Box::new(right),
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, ParseError> {
        if self.take_if(&TokenKind::Not) {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.error(ParseErrorKind::TooDeep, 0, 1));
            }
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Expr::Not(Box::new(inner)));
        }
        let primary = self.primary()?;
        self.postfix(primary)
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        let token = self.take()?;
        Ok(match &token.kind {
            TokenKind::Null => Expr::Null,
            TokenKind::True => Expr::Bool(true),
            TokenKind::False => Expr::Bool(false),
            TokenKind::Number(number) => Expr::Number(*number),
            TokenKind::String(text) => Expr::String(text.clone()),
            TokenKind::Open => {
                let inner = self.binary(0)?;
                self.expect(&TokenKind::Close)?;
                inner
            }
            TokenKind::Name if self.take_if(&TokenKind::Open) => self.call(token)?,
            TokenKind::Name => self.context(token)?,
            _ => return Err(self.unexpected(token)),
        })
    }

    fn context(&self, token: &Token<'_>) -> Result<Expr, ParseError> {
        let known = self
            .contexts
            .iter()
            .find(|it| it.eq_ignore_ascii_case(token.text));
        let name = known.ok_or_else(|| {
            self.error(
                ParseErrorKind::UnknownContext(token.text.to_owned()),
                token.at,
                token.text.len(),
            )
        })?;
        Ok(Expr::Context {
            name: (*name).to_owned(),
            at: token.at,
        })
    }

    fn call(&mut self, token: &Token<'_>) -> Result<Expr, ParseError> {
        let mut arguments = Vec::new();
        if !self.take_if(&TokenKind::Close) {
            loop {
                arguments.push(self.binary(0)?);
                let separator = self.take()?;
                match separator.kind {
                    TokenKind::Comma => {}
                    TokenKind::Close => break,
                    _ => return Err(self.unexpected(separator)),
                }
            }
        }
        let (at, length) = (token.at, token.text.len());
        let Some(function) = functions::find(token.text) else {
            return Err(self.error(
                ParseErrorKind::UnknownFunction(token.text.to_owned()),
                at,
                length,
            ));
        };
        let found = arguments.len();
        if let Err(expected) = function.accepts(found) {
            let name = function.name.to_owned();
            return Err(self.error(
                ParseErrorKind::Arguments {
                    name,
                    expected,
                    found,
                },
                at,
                length,
            ));
        }
        Ok(Expr::Call {
            name: function.name.to_owned(),
            arguments,
            at,
        })
    }

    fn postfix(&mut self, mut base: Expr) -> Result<Expr, ParseError> {
        let may_follow = !matches!(
            base,
            Expr::Null | Expr::Bool(_) | Expr::Number(_) | Expr::String(_)
        );
        if !may_follow {
            return Ok(base);
        }
        loop {
            if self.take_if(&TokenKind::Dot) {
                let token = self.take()?;
                base = match token.kind {
                    TokenKind::Star => Expr::Wildcard(Box::new(base)),
                    TokenKind::Name => Expr::Index {
                        base: Box::new(base),
                        index: Box::new(Expr::String(token.text.to_owned())),
                    },
                    _ => return Err(self.unexpected(token)),
                };
            } else if self.take_if(&TokenKind::OpenIndex) {
                if self.take_if(&TokenKind::Star) {
                    base = Expr::Wildcard(Box::new(base));
                } else {
                    let index = self.binary(0)?;
                    base = Expr::Index {
                        base: Box::new(base),
                        index: Box::new(index),
                    };
                }
                self.expect(&TokenKind::CloseIndex)?;
            } else {
                break;
            }
        }
        Ok(base)
    }

    fn unexpected(&self, token: &Token<'_>) -> ParseError {
        self.error(
            ParseErrorKind::UnexpectedSymbol(token.text.to_owned()),
            token.at,
            token.text.len(),
        )
    }

    /// At the last word: what should follow it is not there.
    fn end(&self) -> ParseError {
        let (at, length) = self
            .tokens
            .last()
            .map_or((0, 1), |it| (it.at, it.text.len()));
        self.error(ParseErrorKind::UnexpectedEnd, at, length)
    }

    fn error(&self, kind: ParseErrorKind, at: usize, length: usize) -> ParseError {
        ParseError {
            kind,
            at,
            length,
            expression: self.text.to_owned(),
        }
    }
}

fn operator(kind: &TokenKind) -> Option<Operator> {
    Some(match kind {
        TokenKind::Equal => Operator::Equal,
        TokenKind::NotEqual => Operator::NotEqual,
        TokenKind::Less => Operator::Less,
        TokenKind::LessOrEqual => Operator::LessOrEqual,
        TokenKind::Greater => Operator::Greater,
        TokenKind::GreaterOrEqual => Operator::GreaterOrEqual,
        TokenKind::And => Operator::And,
        TokenKind::Or => Operator::Or,
        TokenKind::Null
        | TokenKind::True
        | TokenKind::False
        | TokenKind::Number(_)
        | TokenKind::String(_)
        | TokenKind::Name
        | TokenKind::Dot
        | TokenKind::Star
        | TokenKind::Open
        | TokenKind::Close
        | TokenKind::OpenIndex
        | TokenKind::CloseIndex
        | TokenKind::Comma
        | TokenKind::Not => return None,
    })
}
