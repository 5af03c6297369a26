//! What is wrong with what a person wrote, gathered so that all of it is told at once.

use yaml::{Diagnostic, Entry, Node};

/// The findings in one file.
pub(crate) struct Findings<'a> {
    pub file: &'a str,
    found: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    pub fn new(file: &'a str) -> Self {
        Self { file, found: Vec::new() }
    }

    /// Notes that something is wrong at `node`; `help` may be empty.
    pub fn wrong(&mut self, node: &Node, message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::error(self.file, node.span, "LF-G0001", message);
        self.found.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    /// Notes a key that is not carried out.
    pub fn unsupported(&mut self, entry: &Entry, help: impl Into<String>) {
        let message = format!("`{}` is not supported here", entry.key);
        self.found.push(Diagnostic::error(self.file, entry.key_span, "LF-G0002", message).help(help));
    }

    /// Takes in what was found in a part.
    pub fn extend(&mut self, found: Vec<Diagnostic>) {
        self.found.extend(found);
    }

    /// `value`, if nothing was found.
    pub fn none_or<T>(self, value: T) -> Result<T, Vec<Diagnostic>> {
        if self.found.is_empty() { Ok(value) } else { Err(self.found) }
    }
}
