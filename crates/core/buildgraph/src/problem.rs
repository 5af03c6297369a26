//! What is wrong with a Dockerfile: where, why, and what mends it.

use std::ops::Range;

/// How much a [`Problem`] weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be built.
    Error,
    /// The file builds, but hardly into what its author meant.
    Warning,
}

/// One finding in a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In bytes of the source.
    pub span: Range<usize>,
    pub severity: Severity,
    /// A stable name, e.g. `unknown-instruction`.
    pub code: &'static str,
    pub message: String,
    pub help: String,
    /// A change that is certain to be what the author meant.
    pub fix: Option<Fix>,
}

/// Replace these bytes of the source with this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub range: Range<usize>,
    pub replacement: String,
}

impl Problem {
    pub(crate) fn error(
        source: &str,
        span: Range<usize>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (line, column) = position(source, span.start);
        Self {
            line,
            column,
            span,
            severity: Severity::Error,
            code,
            message: message.into(),
            help: help.into(),
            fix: None,
        }
    }

    pub(crate) fn warning(
        source: &str,
        span: Range<usize>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(source, span, code, message, help) }
    }

    pub(crate) fn with_fix(mut self, range: Range<usize>, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { range, replacement: replacement.into() });
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}: {severity}[{}]: {}", self.line, self.column, self.code, self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}

/// Line and column (in characters), both from 1, of a byte of `source`.
pub fn position(source: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &source[..offset];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

/// Carries out the fixes of `problems`, skipping those that overlap an earlier one.
pub fn apply_fixes(source: &str, problems: &[Problem]) -> String {
    let mut fixes: Vec<&Fix> = problems.iter().filter_map(|it| it.fix.as_ref()).collect();
    fixes.sort_by_key(|fix| (fix.range.start, fix.range.end));
    let mut fixed = String::with_capacity(source.len());
    let mut done = 0;
    for fix in fixes {
        if fix.range.start < done {
            continue;
        }
        fixed.push_str(&source[done..fix.range.start]);
        fixed.push_str(&fix.replacement);
        done = fix.range.end;
    }
    fixed.push_str(&source[done..]);
    fixed
}

/// The candidate nearest to `word`, if it is near enough to be a slip of the pen.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1) + 1;
    candidates
        .into_iter()
        .map(|it| (names::slips(word, it), it))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}
