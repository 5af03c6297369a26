//! Dockerfiles: the findings of their reader in the form of all others.

use buildgraph::Problem;
use yaml::{Diagnostic, Severity, Span};

use crate::mend::Source;

pub(crate) fn check(path: &str, source: &Source, found: &mut Vec<Diagnostic>) {
    let problems = buildgraph::parse(&source.original).problems;
    found.extend(problems.into_iter().map(|it| convert(path, it)));
}

fn convert(path: &str, problem: Problem) -> Diagnostic {
    let severity = match problem.severity {
        buildgraph::Severity::Error => Severity::Error,
        buildgraph::Severity::Warning => Severity::Warning,
    };
    let span = Span { start: problem.span.start, end: problem.span.end, line: problem.line, column: problem.column };
    let mut found = Diagnostic::error(path, span, problem.code, problem.message);
    found.severity = severity;
    if !problem.help.is_empty() {
        found = found.help(problem.help);
    }
    if let Some(fix) = problem.fix {
        found = found.fix(fix.range, fix.replacement);
    }
    found
}
