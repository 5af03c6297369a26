//! Turns a workflow file into a [`Workflow`], or says all that is wrong with it.

mod graph;
mod job;
mod nearest;
mod reader;
mod step;
mod trigger;

use yaml::{Diagnostic, Flavor, Severity};

use crate::{Concurrency, Workflow, context::Site};
use reader::{Key, Reader};

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

/// Reads the workflow in `source`; `path` names it in messages, `actions` are
/// the actions the caller carries out (`actions/checkout`), whatever their version.
pub fn parse(source: &str, path: &str, actions: &[&str]) -> Parsed {
    read(source, path, Some(actions))
}

/// Reads a workflow that was accepted before, whatever its actions.
pub(crate) fn again(source: &str, path: &str) -> Result<Workflow, String> {
    let parsed = read(source, path, None);
    let first = parsed
        .diagnostics
        .iter()
        .find(|it| it.severity == Severity::Error);
    parsed
        .workflow
        .ok_or_else(|| first.map(ToString::to_string).unwrap_or_default())
}

fn read(source: &str, path: &str, actions: Option<&[&str]>) -> Parsed {
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
    let documents = match yaml::parse(source, path, Flavor::Core12) {
        Ok(documents) => documents,
        Err(diagnostics) => {
            return Parsed {
                workflow: None,
                diagnostics: limit(diagnostics),
            };
        }
    };
    let mut reader = Reader::new(source, path, actions);
    let Some(document) = documents.into_iter().next() else {
        let found = Diagnostic::error(
            path,
            yaml::Span {
                line: 1,
                column: 1,
                ..yaml::Span::default()
            },
            "LF-W0002",
            "file is empty",
        )
        .help("a workflow has at least `on` and `jobs`");
        return Parsed {
            workflow: None,
            diagnostics: vec![found],
        };
    };
    reader.found.extend(document.warnings);
    let workflow = workflow(&mut reader, &document.root);
    let mut diagnostics = reader.found;
    diagnostics.sort_by_key(|it| it.span.start);
    let broken = diagnostics.iter().any(|it| it.severity == Severity::Error);
    Parsed {
        workflow: workflow.filter(|_| !broken),
        diagnostics: limit(diagnostics),
    }
}

fn limit(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut errors = 0;
    diagnostics.retain(|it| {
        errors += usize::from(it.severity == Severity::Error);
        it.severity == Severity::Warning || errors <= MAX_ERRORS
    });
    diagnostics
}

const KEYS: &[Key] = &[
    Key::known("name"),
    Key::known("run-name"),
    Key::known("on"),
    Key::known("permissions"),
    Key::known("env"),
    Key::known("defaults"),
    Key::known("concurrency"),
    Key::known("jobs"),
    Key::known("description"),
];

fn workflow(reader: &mut Reader<'_>, root: &yaml::Node) -> Option<Workflow> {
    if !reader.is_mapping(root, "a workflow") {
        return None;
    }
    reader.check_keys(root, KEYS, "a workflow");
    let on = reader.required(root, "on");
    let jobs = reader.required(root, "jobs");
    let triggers = on
        .map(|node| trigger::triggers(reader, node))
        .unwrap_or_default();
    let concurrency = root
        .get("concurrency")
        .and_then(|node| concurrency(reader, node));
    let workflow = Workflow {
        path: reader.path.to_owned(),
        source: reader.source.to_owned(),
        name: root.get("name").and_then(|node| reader.plain_text(node)),
        run_name: root
            .get("run-name")
            .and_then(|node| reader.template(node, Site::RunName)),
        triggers,
        permissions: root
            .get("permissions")
            .map(|node| job::permissions(reader, node))
            .unwrap_or_default(),
        concurrency,
        env: root
            .get("env")
            .map(|node| reader.templates(node, Site::WorkflowEnv))
            .unwrap_or_default(),
        defaults: root
            .get("defaults")
            .map(|node| job::defaults(reader, node))
            .unwrap_or_default(),
        jobs: jobs.map(|node| job::jobs(reader, node)).unwrap_or_default(),
    };
    graph::check(reader, jobs?, &workflow.jobs);
    Some(workflow)
}

fn concurrency(reader: &mut Reader<'_>, node: &yaml::Node) -> Option<Concurrency> {
    if node.text().is_some() {
        let group = reader.template(node, Site::Concurrency)?;
        return Some(Concurrency {
            group,
            cancel_in_progress: None,
        });
    }
    reader.check_keys(
        node,
        &[
            Key::known("group"),
            Key::known("cancel-in-progress"),
            Key::later("queue"),
        ],
        "`concurrency`",
    );
    let group = reader.required(node, "group")?;
    Some(Concurrency {
        group: reader.template(group, Site::Concurrency)?,
        cancel_in_progress: node
            .get("cancel-in-progress")
            .and_then(|it| reader.boolean(it, Site::Concurrency)),
    })
}
