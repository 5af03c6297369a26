//! Errors with the whole chain kept: where, in which template, at which node, and what a called template said.

use std::{error, fmt};

/// Any error of parsing or running a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    Parse(ParseError),
    Exec(ExecError),
    Function(FunctionError),
}

/// A template that Go's parser refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The name under which the text was parsed.
    pub file: String,
    pub line: usize,
    pub message: String,
}

/// A template that failed while running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecError {
    /// The name of the template that was running.
    pub template: String,
    /// Where, if the error belongs to a place.
    pub place: Option<Place>,
    /// What went wrong; for a failed function `error calling NAME: ` and the text of the cause.
    pub message: String,
    /// The error of the function that failed.
    pub cause: Option<Box<Error>>,
}

/// A place in the text of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name under which the text was parsed, which for a `define` is the file's.
    pub file: String,
    pub line: usize,
    /// In bytes, from 0.
    pub column: usize,
    /// The node as Go prints it.
    pub node: String,
}

/// What a function answers when it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The whole text, the cause's included.
    pub message: String,
    /// The error that it wraps (Go's `%w`), if any.
    pub cause: Option<Box<Error>>,
    /// Whether a limit was exceeded rather than Go's rules.
    pub limit: bool,
}

impl FunctionError {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            cause: None,
            limit: false,
        }
    }

    /// A text around another error; `message` must contain the cause's own text where Go's would.
    pub fn wrap(message: impl Into<String>, cause: impl Into<Error>) -> Self {
        Self {
            message: message.into(),
            cause: Some(Box::new(cause.into())),
            limit: false,
        }
    }
}

impl Error {
    /// The error that this one wraps.
    pub fn cause(&self) -> Option<&Error> {
        match self {
            Self::Parse(_) => None,
            Self::Exec(error) => error.cause.as_deref(),
            Self::Function(error) => error.cause.as_deref(),
        }
    }

    /// Whether the render was stopped by a limit of its [`Budget`](crate::Budget).
    pub fn is_limit(&self) -> bool {
        match self {
            Self::Function(error) if error.limit => true,
            _ => self.cause().is_some_and(Error::is_limit),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => fmt::Display::fmt(error, f),
            Self::Exec(error) => fmt::Display::fmt(error, f),
            Self::Function(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template: {}:{}: {}", self.file, self.line, self.message)
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => write!(f, "template: {}: {}", self.template, self.message),
            Some(place) => write!(
                f,
                "template: {}:{}:{}: executing {} at <{}>: {}",
                place.file,
                place.line,
                place.column,
                crate::quote::quoted(self.template.as_bytes()),
                place.node,
                self.message
            ),
        }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Error {}
impl error::Error for ParseError {}
impl error::Error for ExecError {}
impl error::Error for FunctionError {}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::Parse(error)
    }
}

impl From<ExecError> for Error {
    fn from(error: ExecError) -> Self {
        Self::Exec(error)
    }
}

impl From<FunctionError> for Error {
    fn from(error: FunctionError) -> Self {
        Self::Function(error)
    }
}

/// Passes an error of a template on unchanged, as `include` does.
impl From<Error> for FunctionError {
    fn from(error: Error) -> Self {
        match error {
            Error::Function(error) => error,
            error => Self {
                message: error.to_string(),
                cause: Some(Box::new(error)),
                limit: false,
            },
        }
    }
}

impl From<String> for FunctionError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for FunctionError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}
