//! Reads `jobs` and what stands in a job.

use yaml::{Node, NodeValue};

use super::{
    reader::{Key, Reader, scalar_text},
    step,
};
use crate::{Defaults, Environment, Job, Matrix, Permissions, Strategy, Tree, context::Site};

const KEYS: &[Key] = &[
    Key::known("name"),
    Key::known("needs"),
    Key::known("if"),
    Key::known("runs-on"),
    Key::known("strategy"),
    Key::known("env"),
    Key::known("environment"),
    Key::known("permissions"),
    Key::known("defaults"),
    Key::known("outputs"),
    Key::known("timeout-minutes"),
    Key::known("cancel-timeout-minutes"),
    Key::known("continue-on-error"),
    Key::known("steps"),
    Key::later("container"),
    Key::later("services"),
    Key::later("concurrency"),
    Key::later("snapshot"),
];

pub(super) fn jobs(reader: &mut Reader<'_>, node: &Node) -> Vec<Job> {
    if !reader.is_mapping(node, "`jobs`") {
        return Vec::new();
    }
    if node.entries().is_empty() {
        reader.error(node.span, "LF-W0005", "a workflow has at least one job");
    }
    let mut jobs = Vec::new();
    for entry in node.entries() {
        if let Some(problem) = wrong_id(&entry.key) {
            reader.error(
                entry.key_span,
                "LF-W0009",
                format!("`{}` is no id of a job: {problem}", entry.key),
            );
        }
        jobs.extend(job(reader, &entry.key, entry.key_span.line, &entry.value));
    }
    jobs
}

/// Why a text is no id of a job or a step.
pub(super) fn wrong_id(id: &str) -> Option<&'static str> {
    let fits = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_' || symbol == '-';
    if !id.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        || !id.chars().all(fits)
    {
        return Some("it begins with a letter or `_` and holds letters, digits, `-` and `_` only");
    }
    if id.starts_with("__") {
        return Some("two underscores at its beginning are reserved");
    }
    (id.len() >= 100).then_some("it has 100 characters or more")
}

fn job(reader: &mut Reader<'_>, id: &str, line: usize, node: &Node) -> Option<Job> {
    if !reader.is_mapping(node, &format!("job `{id}`")) {
        return None;
    }
    if let Some(entry) = node.entries().iter().find(|it| it.key == "uses") {
        reader
            .later(entry.key_span, "uses")
            .help
            .push("a job that calls another workflow file cannot run here yet".to_owned());
        return None;
    }
    reader.check_keys(node, KEYS, &format!("job `{id}`"));
    let runs_on = reader.required(node, "runs-on");
    let runs_on = runs_on.map_or(Tree::Value(serde_json::Value::Null), |it| {
        runs_on_tree(reader, it)
    });
    let steps = reader
        .required(node, "steps")
        .map(|it| step::steps(reader, it))
        .unwrap_or_default();
    let template = |reader: &mut Reader<'_>, key: &str| {
        node.get(key).and_then(|it| reader.template(it, Site::Job))
    };
    Some(Job {
        id: id.to_owned(),
        line,
        name: template(reader, "name"),
        needs: node
            .get("needs")
            .map(|it| reader.text_list(it))
            .unwrap_or_default()
            .into_iter()
            .map(|(text, _)| text)
            .collect(),
        condition: node
            .get("if")
            .and_then(|it| reader.condition(it, Site::JobIf)),
        runs_on,
        strategy: node
            .get("strategy")
            .map(|it| strategy(reader, it))
            .unwrap_or_default(),
        environment: node
            .get("environment")
            .and_then(|it| environment(reader, it)),
        permissions: node
            .get("permissions")
            .map(|it| permissions(reader, it))
            .unwrap_or_default(),
        env: node
            .get("env")
            .map(|it| reader.templates(it, Site::JobEnv))
            .unwrap_or_default(),
        defaults: node
            .get("defaults")
            .map(|it| defaults(reader, it))
            .unwrap_or_default(),
        outputs: node
            .get("outputs")
            .map(|it| reader.templates(it, Site::JobOutputs))
            .unwrap_or_default(),
        timeout_minutes: node
            .get("timeout-minutes")
            .and_then(|it| reader.number(it, Site::Job)),
        cancel_timeout_minutes: node
            .get("cancel-timeout-minutes")
            .and_then(|it| reader.number(it, Site::Job)),
        continue_on_error: node
            .get("continue-on-error")
            .and_then(|it| reader.boolean(it, Site::Job)),
        steps,
    })
}

fn runs_on_tree(reader: &mut Reader<'_>, node: &Node) -> Tree {
    if let NodeValue::Mapping(_) = &node.value {
        reader.check_keys(
            node,
            &[Key::known("labels"), Key::later("group")],
            "`runs-on`",
        );
    }
    let tree = reader.tree(node, Site::Job);
    let labels = node.get("labels").unwrap_or(node);
    if !labels.text().is_some_and(|it| it.contains("${{")) {
        for (label, at) in reader.text_list(labels) {
            if ["windows", "macos"]
                .iter()
                .any(|it| label.to_ascii_lowercase().starts_with(it))
            {
                reader
                    .later(at.span, &format!("runs-on: {label}"))
                    .help
                    .push("jobs run on Linux".to_owned());
            }
        }
    }
    tree
}

fn strategy(reader: &mut Reader<'_>, node: &Node) -> Strategy {
    reader.check_keys(
        node,
        &[
            Key::known("matrix"),
            Key::known("fail-fast"),
            Key::known("max-parallel"),
        ],
        "`strategy`",
    );
    Strategy {
        matrix: node.get("matrix").map(|it| matrix(reader, it)),
        fail_fast: node
            .get("fail-fast")
            .and_then(|it| reader.boolean(it, Site::Strategy)),
        max_parallel: node
            .get("max-parallel")
            .and_then(|it| reader.number(it, Site::Strategy)),
    }
}

fn matrix(reader: &mut Reader<'_>, node: &Node) -> Matrix {
    let tree = reader.tree(node, Site::Strategy);
    let dynamic = node.text().is_some_and(|it| it.contains("${{"));
    if !dynamic && reader.is_mapping(node, "`matrix`") {
        // A matrix without expressions is checked before anything starts.
        let literal = tree
            .evaluate(&crate::expr::Scope::new())
            .ok()
            .filter(|_| !has_expressions(&tree));
        if let Some(Err(error)) = literal.as_ref().map(crate::matrix::expand) {
            reader.error(node.span, "LF-W0017", error.to_string());
        }
    }
    Matrix(tree)
}

fn has_expressions(tree: &Tree) -> bool {
    match tree {
        Tree::Value(_) => false,
        Tree::Template(_) => true,
        Tree::Sequence(items) => items.iter().any(has_expressions),
        Tree::Mapping(entries) => entries.iter().any(|(_, it)| has_expressions(it)),
    }
}

fn environment(reader: &mut Reader<'_>, node: &Node) -> Option<Environment> {
    if node.text().is_some() {
        return Some(Environment {
            name: reader.template(node, Site::Job)?,
            url: None,
        });
    }
    reader.check_keys(
        node,
        &[
            Key::known("name"),
            Key::known("url"),
            Key::later("deployment"),
        ],
        "`environment`",
    );
    let name = reader.required(node, "name")?;
    Some(Environment {
        name: reader.template(name, Site::Job)?,
        url: node
            .get("url")
            .and_then(|it| reader.template(it, Site::EnvironmentUrl)),
    })
}

pub(super) fn defaults(reader: &mut Reader<'_>, node: &Node) -> Defaults {
    reader.check_keys(node, &[Key::known("run")], "`defaults`");
    let Some(run) = node.get("run").filter(|it| !it.is_null()) else {
        return Defaults::default();
    };
    reader.check_keys(
        run,
        &[Key::known("shell"), Key::known("working-directory")],
        "`run`",
    );
    Defaults {
        shell: run
            .get("shell")
            .and_then(|it| step::shell(reader, it, Site::JobDefaults)),
        working_directory: run
            .get("working-directory")
            .and_then(|it| reader.template(it, Site::JobDefaults)),
    }
}

const SCOPES: &[Key] = &[
    Key::known("actions"),
    Key::known("artifact-metadata"),
    Key::known("attestations"),
    Key::known("checks"),
    Key::known("code-quality"),
    Key::known("contents"),
    Key::known("copilot-requests"),
    Key::known("deployments"),
    Key::known("discussions"),
    Key::known("drives"),
    Key::known("id-token"),
    Key::known("issues"),
    Key::known("models"),
    Key::known("packages"),
    Key::known("pages"),
    Key::known("pull-requests"),
    Key::known("repository-projects"),
    Key::known("security-events"),
    Key::known("statuses"),
    Key::known("vulnerability-alerts"),
];

pub(super) fn permissions(reader: &mut Reader<'_>, node: &Node) -> Permissions {
    if let Some(text) = node.text() {
        return match text {
            "read-all" => Permissions::ReadAll,
            "write-all" => Permissions::WriteAll,
            other => {
                reader.error(
                    node.span,
                    "LF-W0018",
                    format!("expected `read-all`, `write-all` or a mapping, found `{other}`"),
                );
                Permissions::Unset
            }
        };
    }
    reader.check_keys(node, SCOPES, "`permissions`");
    let mut scopes = Vec::new();
    for entry in node.entries() {
        let access = scalar_text(&entry.value);
        if ["read", "write", "none"].contains(&access.as_str()) {
            let access = if entry.key == "models" && access == "write" {
                "read".to_owned()
            } else {
                access
            };
            scopes.push((entry.key.clone(), access));
        } else {
            reader.error(
                entry.value.span,
                "LF-W0018",
                format!("expected `read`, `write` or `none`, found `{access}`"),
            );
        }
    }
    Permissions::Scopes(scopes)
}
