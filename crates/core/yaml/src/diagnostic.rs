//! What is wrong in a file: where, why, and the way out.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};

use crate::Span;

/// One finding in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub file: String,
    pub span: Span,
    pub severity: Severity,
    /// Stable and searchable, e.g. `LF-Y0003`.
    pub code: &'static str,
    pub message: String,
    /// Stands under the marked source text; may be empty.
    pub label: String,
    pub help: Vec<String>,
    /// Edits that surely mend it; none when only its author knows what was meant.
    pub fixes: Vec<Fix>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    /// Worth knowing, and nothing has to change.
    Note,
}

impl Severity {
    /// The word that people see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One edit of the source by byte range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub range: Range<usize>,
    pub replacement: String,
}

impl Diagnostic {
    pub fn error(file: &str, span: Span, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            span,
            severity: Severity::Error,
            code,
            message: message.into(),
            label: String::new(),
            help: Vec::new(),
            fixes: Vec::new(),
        }
    }

    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    #[must_use]
    pub fn note(mut self) -> Self {
        self.severity = Severity::Note;
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    #[must_use]
    pub fn fix(mut self, range: Range<usize>, replacement: impl Into<String>) -> Self {
        self.fixes.push(Fix {
            range,
            replacement: replacement.into(),
        });
        self
    }

    /// Shows the finding with its line of `source`, without colours.
    pub fn render(&self, source: &str) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let start = self.span.start.min(source.len());
        let end = self.span.end.clamp(start, source.len());
        let mut annotation = AnnotationKind::Primary.span(start..end);
        if !self.label.is_empty() {
            annotation = annotation.label(self.label.as_str());
        }
        let snippet = Snippet::source(source)
            .path(self.file.as_str())
            .annotation(annotation);
        let mut group: Group<'_> = level
            .primary_title(self.message.as_str())
            .id(self.code)
            .element(snippet);
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        Renderer::plain()
            .decor_style(DecorStyle::Ascii)
            .render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    /// One line, for logs and pushers: `file:line:column: error[CODE]: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.name();
        let Span { line, column, .. } = self.span;
        write!(
            f,
            "{}:{line}:{column}: {severity}[{}]: {}",
            self.file, self.code, self.message
        )
    }
}

/// Renders all findings of one source, one after the other.
pub fn render_all(diagnostics: &[Diagnostic], source: &str) -> String {
    let parts: Vec<_> = diagnostics.iter().map(|it| it.render(source)).collect();
    parts.join("\n\n")
}

/// The source with every fix of `diagnostics` applied; overlapping ones are applied once.
pub fn apply_fixes(source: &str, diagnostics: &[Diagnostic]) -> String {
    let mut fixes: Vec<_> = diagnostics.iter().flat_map(|it| &it.fixes).collect();
    fixes.sort_by_key(|fix| (fix.range.start, fix.range.end));
    let mut mended = String::with_capacity(source.len());
    let mut done = 0;
    for fix in fixes {
        let Some(untouched) = source.get(done..fix.range.start) else {
            continue;
        };
        mended.push_str(untouched);
        mended.push_str(&fix.replacement);
        done = fix.range.end;
    }
    mended.push_str(source.get(done..).unwrap_or_default());
    mended
}
