//! The parsed form of an expression.

use std::fmt;

use super::{
    parser::{self, ParseError},
    value::fold_case,
};

/// A checked expression; it keeps its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    pub(super) root: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Context {
        name: String,
        at: usize,
    },
    /// `base.name` and `base[index]`
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// `base.*` and `base[*]`
    Wildcard(Box<Expr>),
    Call {
        name: String,
        arguments: Vec<Expr>,
        at: usize,
    },
    Not(Box<Expr>),
    Binary {
        operator: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl Operator {
    /// Higher binds tighter.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::And => "&&",
            Self::Or => "||",
        })
    }
}

impl Expression {
    /// Parses the text between `${{` and `}}`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_with(text, parser::CONTEXTS)
    }

    /// Parses a text that may name these contexts and no others.
    pub fn parse_with(text: &str, contexts: &[&str]) -> Result<Self, ParseError> {
        Ok(Self {
            text: text.to_owned(),
            root: parser::parse(text, contexts)?,
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text when it is nothing but a text in quotes.
    pub fn as_text(&self) -> Option<&str> {
        if let Expr::String(text) = &self.root {
            return Some(text);
        }
        None
    }

    /// Every context named anywhere, with its byte offset.
    pub fn contexts(&self) -> Vec<(&str, usize)> {
        let mut found = Vec::new();
        self.root.walk(&mut |it| {
            if let Expr::Context { name, at } = it {
                found.push((name.as_str(), *at));
            }
        });
        found
    }

    /// Every function called anywhere: name, number of arguments, byte offset.
    pub fn calls(&self) -> Vec<(&str, usize, usize)> {
        let mut found = Vec::new();
        self.root.walk(&mut |it| {
            if let Expr::Call {
                name,
                arguments,
                at,
            } = it
            {
                found.push((name.as_str(), arguments.len(), *at));
            }
        });
        found
    }

    /// Every access to a context: as far as its names are written out.
    pub fn accesses(&self) -> Vec<Access<'_>> {
        let mut found = Vec::new();
        self.root.accesses(&mut found);
        found
    }

    /// Whether a status function stands anywhere, even where it is never reached.
    pub fn asks_status(&self) -> bool {
        self.calls()
            .iter()
            .any(|(name, _, _)| is_status_function(name))
    }

    /// The names `x` of all accesses `context.x` and `context['x']`.
    pub fn properties_of(&self, context: &str) -> Vec<&str> {
        let mut found = Vec::new();
        self.root.walk(&mut |it| {
            if let Expr::Index { base, index } = it
                && let (Expr::Context { name, .. }, Expr::String(property)) = (&**base, &**index)
                && fold_case(name) == fold_case(context)
            {
                found.push(property.as_str());
            }
        });
        found
    }

    /// `success() && (condition)` unless the condition asks for the status itself.
    #[must_use]
    pub fn as_condition(self) -> Self {
        if self.asks_status() {
            return self;
        }
        let success = Expr::Call {
            name: "success".to_owned(),
            arguments: Vec::new(),
            at: 0,
        };
        Self {
            root: Expr::Binary {
                operator: Operator::And,
                left: Box::new(success),
                right: Box::new(self.root),
            },
            text: self.text,
        }
    }
}

pub(super) fn is_status_function(name: &str) -> bool {
    ["success", "failure", "cancelled", "always"]
        .iter()
        .any(|it| it.eq_ignore_ascii_case(name))
}

/// A context with the properties that are written behind it: `needs.build.outputs.tag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access<'a> {
    pub context: &'a str,
    /// The byte offset of the context.
    pub at: usize,
    /// Up to the first index that is known only when it is evaluated.
    pub path: Vec<Step<'a>>,
}

/// One step of an [`Access`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Name(&'a str),
    /// `.*` and `[*]`
    All,
}

impl Expr {
    fn accesses<'a>(&'a self, found: &mut Vec<Access<'a>>) {
        let mut path = Vec::new();
        let mut here = self;
        // Down the chain to its context; what stands in brackets is an expression of its own.
        loop {
            match here {
                Self::Index { base, index } => {
                    if let Self::String(name) = &**index {
                        path.push(Some(Step::Name(name)));
                    } else {
                        path.push(None);
                        index.accesses(found);
                    }
                    here = base;
                }
                Self::Wildcard(base) => {
                    path.push(Some(Step::All));
                    here = base;
                }
                Self::Context { name, at } => {
                    let path = path.into_iter().rev().map_while(|it| it).collect();
                    found.push(Access {
                        context: name,
                        at: *at,
                        path,
                    });
                    return;
                }
                Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => return,
                Self::Not(inner) => return inner.accesses(found),
                Self::Call { arguments, .. } => {
                    return arguments.iter().for_each(|it| it.accesses(found));
                }
                Self::Binary { left, right, .. } => {
                    left.accesses(found);
                    return right.accesses(found);
                }
            }
        }
    }

    pub(super) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::String(_)
            | Self::Context { .. } => {}
            Self::Index { base, index } => {
                base.walk(visit);
                index.walk(visit);
            }
            Self::Wildcard(base) | Self::Not(base) => base.walk(visit),
            Self::Call { arguments, .. } => arguments.iter().for_each(|it| it.walk(visit)),
            Self::Binary { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
        }
    }
}
