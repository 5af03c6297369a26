//! Why a build failed: with file, line and column where there is one.

use std::io;

use buildgraph::Problem;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile is wrong.
    #[error("{}", problems_text(file, problems))]
    Dockerfile { file: String, problems: Vec<Problem> },
    #[error("{file}: there is no such file in the context; name another with `--file`")]
    NoDockerfile { file: String },
    #[error("{file}: {reason}")]
    Unreadable { file: String, reason: String },
    /// A step failed.
    #[error("{0}")]
    Step(Box<StepError>),
    #[error("{0}")]
    Image(String),
    #[error("{what}: {source}")]
    Machine { what: String, source: io::Error },
    #[error(transparent)]
    Store(#[from] store::TypedError),
}

/// A step that failed and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StepError {
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// The instruction as it was written.
    pub instruction: String,
    pub reason: String,
    pub help: Option<String>,
    /// The exit code of a command.
    pub code: Option<i32>,
    /// The last lines of its output.
    pub output: Vec<String>,
}

impl std::fmt::Display for StepError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: `{}`: {}", self.file, self.line, self.column, self.instruction, self.reason)?;
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        for line in &self.output {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

fn problems_text(file: &str, problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|it| it.is_error());
    errors.map(|it| format!("{file}:{it}")).collect::<Vec<_>>().join("\n")
}

/// What a step reports; the stage adds where it stands.
#[derive(Debug)]
pub(crate) struct Failure {
    pub reason: String,
    pub help: Option<String>,
    pub code: Option<i32>,
    pub output: Vec<String>,
}

impl Failure {
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: None, code: None, output: Vec::new() }
    }

    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn io(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |error| Self::new(format!("{what}: {error}"))
    }
}

impl BuildError {
    pub(crate) fn machine(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Machine { what, source }
    }
}
