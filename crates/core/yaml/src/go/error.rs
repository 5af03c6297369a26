//! What is wrong with a text, in the words of the original.

use std::fmt;

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoError {
    step: Step,
    /// As it is told, from one on; zero for none.
    line: usize,
    problem: String,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Yaml,
    Json,
}

impl fmt::Display for GoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, line, problem } = self;
        f.write_str("error converting YAML to JSON: ")?;
        match (step, line) {
            (Step::Json, _) => f.write_str(problem),
            (Step::Yaml, 0) => write!(f, "yaml: {problem}"),
            (Step::Yaml, line) => write!(f, "yaml: line {line}: {problem}"),
        }
    }
}

impl std::error::Error for GoError {}

impl GoError {
    /// A problem without a place.
    pub(super) fn yaml(problem: impl fmt::Display) -> Self {
        Self::at(0, problem)
    }

    fn at(line: usize, problem: impl fmt::Display) -> Self {
        let problem = problem.to_string();
        Self { step: Step::Yaml, line, problem }
    }

    /// A problem of the step to JSON.
    pub(super) fn json(problem: &Unfit) -> Self {
        let problem = problem.message.clone();
        Self { step: Step::Json, line: 0, problem }
    }

    /// A problem of the scanner, which counts lines from one, but does not name the first.
    pub(super) fn scanner(problem: &str, line: usize, context_line: usize) -> Self {
        Self::at(if line == 0 { context_line } else { line + 1 }, problem)
    }

    /// A problem of the parser, which counts lines from zero and does not name that.
    pub(super) fn parser(problem: &str, line: usize, context_line: usize) -> Self {
        Self::at(if line == 0 { context_line } else { line }, problem)
    }

    /// The line that the original names, zero for none, and the problem alone.
    pub(crate) fn into_parts(self) -> (usize, String) {
        (self.line, self.problem)
    }
}

/// A value that is fine in YAML and has no place in JSON. It counts only when all else is fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub stage: Stage,
    pub message: String,
}

impl Unfit {
    pub(super) fn boxed(stage: Stage, message: String) -> Box<Self> {
        Box::new(Self { stage, message })
    }
}

/// Which problem the original meets first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Keys,
    Values,
}
