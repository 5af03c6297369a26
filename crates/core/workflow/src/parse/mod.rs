//! Turns a workflow file into a [`Workflow`], or says all that is wrong with it.

mod graph;
mod job;
mod nearest;
mod permissions;
mod reader;
mod schema;
mod step;
mod trigger;

use serde_json::Value;
use yaml::{Diagnostic, Flavor, Node, NodeValue, Severity};

use crate::{Workflow, expr::Expression};
pub use nearest::nearest;
use reader::{Reader, scalar_text};
pub use schema::Places;

/// GitHub reports at most this many errors of a file.
const MAX_ERRORS: usize = 10;
/// GitHub's limit on the size of a file.
const MAX_BYTES: usize = 1 << 20;

/// What became of a file.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// There only if no diagnostic is an error.
    pub workflow: Option<Workflow>,
    /// In the order of the file; at most ten errors.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the workflow in `source`; `path` names it in messages.
pub fn parse(source: &str, path: &str) -> Parsed {
    if source.len() > MAX_BYTES {
        let message = format!(
            "file has {} bytes, expected at most {MAX_BYTES}",
            source.len()
        );
        let found = Diagnostic::error(path, yaml::Span::default(), "LF-W0001", message);
        return Parsed {
            workflow: None,
            diagnostics: vec![found],
        };
    }
    let documents = match yaml::parse_despite_duplicates(source, path, Flavor::Core12) {
        Ok(documents) => documents,
        Err(diagnostics) => {
            return Parsed {
                workflow: None,
                diagnostics: limit(diagnostics),
            };
        }
    };
    let Some(mut document) = documents.into_iter().next() else {
        let span = yaml::Lines::new(source).span(0, 0);
        let found = Diagnostic::error(path, span, "LF-W0002", "file is empty")
            .help("a workflow has at least `on` and `jobs`");
        return Parsed {
            workflow: None,
            diagnostics: vec![found],
        };
    };
    resolve_texts(&mut document.root);
    let checked = schema::check(source, path, &document.root);
    let mut reader = Reader::new(source, path, checked);
    reader.found.extend(document.warnings);
    let workflow = workflow(&mut reader, &document.root);
    let mut diagnostics = reader.found;
    diagnostics.sort_by_key(|it| it.span.start);
    let broken = diagnostics.iter().any(|it| it.severity == Severity::Error);
    Parsed {
        workflow: (!broken).then_some(workflow),
        diagnostics: limit(diagnostics),
    }
}

/// `${{ 'text' }}` is the text itself, even where no expression may stand.
fn resolve_texts(node: &mut Node) {
    match &mut node.value {
        NodeValue::Scalar { text, value, .. } => {
            let literal = text
                .strip_prefix("${{")
                .and_then(|it| it.strip_suffix("}}"))
                .map(str::trim)
                .filter(|it| it.starts_with('\'') && !it.contains("${{"))
                .and_then(|it| Expression::parse(it).ok()?.as_text().map(str::to_owned));
            if let Some(literal) = literal {
                *value = Value::String(literal.clone());
                *text = literal;
            }
        }
        NodeValue::Sequence(items) => items.iter_mut().for_each(resolve_texts),
        NodeValue::Mapping(entries) => entries
            .iter_mut()
            .for_each(|entry| resolve_texts(&mut entry.value)),
    }
}

/// Reads a workflow that was accepted before.
pub(crate) fn again(source: &str, path: &str) -> Result<Workflow, String> {
    let parsed = parse(source, path);
    let first = parsed
        .diagnostics
        .iter()
        .find(|it| it.severity == Severity::Error);
    parsed
        .workflow
        .ok_or_else(|| first.map(ToString::to_string).unwrap_or_default())
}

fn limit(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut errors = 0;
    diagnostics.retain(|it| {
        errors += usize::from(it.severity == Severity::Error);
        it.severity == Severity::Warning || errors <= MAX_ERRORS
    });
    diagnostics
}

fn workflow(reader: &mut Reader<'_>, root: &yaml::Node) -> Workflow {
    let workflow = Workflow {
        path: reader.path.to_owned(),
        source: reader.source.to_owned(),
        name: root
            .get("name")
            .map(scalar_text)
            .filter(|it| !it.is_empty()),
        run_name: reader.template_at(root, "run-name"),
        triggers: root
            .get("on")
            .map(|node| trigger::triggers(reader, node))
            .unwrap_or_default(),
        permissions: permissions::read(root.get("permissions")),
        concurrency: root
            .get("concurrency")
            .and_then(|node| job::concurrency(reader, node)),
        env: root
            .get("env")
            .map(|node| reader.mapping(node))
            .unwrap_or_default(),
        defaults: job::defaults(reader, root.get("defaults")),
        jobs: root
            .get("jobs")
            .map(|node| job::jobs(reader, node))
            .unwrap_or_default(),
    };
    if let Some(jobs) = root.get("jobs") {
        graph::check(reader, jobs, &workflow.jobs);
    }
    workflow
}
