//! Why there is nothing to apply.

use std::fmt;

use files::FilesError;

/// A failed render: one sentence, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// In the original tool's words where there is one.
    pub message: String,
    /// `file:line:column`, as far as it is known.
    pub place: Option<String>,
    /// The lines around it, the values that led there.
    pub details: Vec<String>,
    pub help: Vec<String>,
}

impl RenderError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, details: Vec::new(), help: Vec::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(crate) fn missing(path: &str) -> Self {
        let shown = if path.is_empty() { "." } else { path };
        Self::new(format!("there is nothing at `{shown}`")).help("name a folder with manifests, a kustomization or a chart")
    }

    /// Message, place, details and help, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.message.clone()];
        lines.extend(self.place.iter().map(|place| format!("  --> {place}")));
        lines.extend(self.details.iter().map(|detail| format!("   | {detail}")));
        lines.extend(self.help.iter().map(|help| format!("help: {help}")));
        lines
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) if !self.message.contains(place.as_str()) => write!(f, "{place}: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for RenderError {}

impl From<FilesError> for RenderError {
    fn from(error: FilesError) -> Self {
        Self::new(error.to_string())
    }
}
