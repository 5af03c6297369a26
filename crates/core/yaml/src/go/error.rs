//! What is wrong with a text, in the words of the original.

use std::fmt;

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoError(String);

impl fmt::Display for GoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GoError {}

impl GoError {
    /// A problem without a place.
    pub(super) fn yaml(problem: impl fmt::Display) -> Self {
        Self(format!("error converting YAML to JSON: yaml: {problem}"))
    }

    /// A problem of the step to JSON.
    pub(super) fn json(problem: &Unfit) -> Self {
        Self(format!(
            "error converting YAML to JSON: {}",
            problem.message
        ))
    }

    /// A problem of the scanner, which counts lines from one, but does not name the first.
    pub(super) fn scanner(problem: &str, line: usize, context_line: usize) -> Self {
        match (line, context_line) {
            (0, 0) => Self::yaml(problem),
            (0, line) => Self::yaml(format_args!("line {line}: {problem}")),
            (line, _) => Self::yaml(format_args!("line {}: {problem}", line + 1)),
        }
    }

    /// A problem of the parser, which counts lines from zero and does not name that.
    pub(super) fn parser(problem: &str, line: usize, context_line: usize) -> Self {
        match (line, context_line) {
            (0, 0) => Self::yaml(problem),
            (0, line) | (line, _) => Self::yaml(format_args!("line {line}: {problem}")),
        }
    }
}

/// A value that is fine in YAML and has no place in JSON. It counts only when all else is fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub stage: Stage,
    pub message: String,
}

/// Which problem the original meets first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Keys,
    Values,
}
