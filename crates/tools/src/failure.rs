//! How a command of a tool ends when it does not succeed.

/// What is said on standard error, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// All of what is said; nothing if everything was said before.
    pub message: String,
    pub code: u8,
}

impl Failure {
    /// Ends with exit code 1, as most failures do.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// Everything was said already.
    pub fn silent() -> Self {
        Self::new("")
    }

    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }
}
