//! Reads `jobs` and what stands in a job.

use yaml::Node;

use super::{
    permissions,
    reader::{Reader, is_refused, scalar_text, words},
    step,
};
use crate::{
    Call, CallSecrets, Concurrency, Defaults, Environment, Job, Matrix, Queue, Snapshot, Strategy,
    Tree, WorkflowRef,
};

pub(super) fn jobs(reader: &mut Reader<'_>, node: &Node) -> Vec<Job> {
    let mut jobs = Vec::new();
    for entry in node.entries() {
        if let Some(problem) = wrong_id(&entry.key) {
            reader.error(
                entry.key_span,
                "LF-W0009",
                format!("`{}` is no id of a job: {problem}", entry.key),
            );
        }
        jobs.push(job(reader, &entry.key, entry.key_span.line, &entry.value));
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

fn job(reader: &mut Reader<'_>, id: &str, line: usize, node: &Node) -> Job {
    let tree = |reader: &mut Reader<'_>, key: &str| {
        let found = node.get(key).filter(|it| !it.is_null());
        found.map(|it| reader.tree(it))
    };
    Job {
        id: id.to_owned(),
        line,
        name: reader
            .template_at(node, "name")
            .filter(|it| !it.source().is_empty()),
        needs: words(node.get("needs")),
        condition: node.get("if").and_then(|it| reader.condition(it)),
        runs_on: tree(reader, "runs-on").unwrap_or(Tree::Value(serde_json::Value::Null)),
        strategy: node
            .get("strategy")
            .map(|it| strategy(reader, it))
            .unwrap_or_default(),
        concurrency: node
            .get("concurrency")
            .and_then(|it| concurrency(reader, it)),
        environment: node
            .get("environment")
            .and_then(|it| environment(reader, it)),
        container: tree(reader, "container"),
        services: tree(reader, "services"),
        snapshot: node.get("snapshot").and_then(|it| snapshot(reader, it)),
        permissions: permissions::read(node.get("permissions")),
        env: node
            .get("env")
            .map(|it| reader.mapping(it))
            .unwrap_or_default(),
        defaults: defaults(reader, node.get("defaults")),
        outputs: node
            .get("outputs")
            .map(|it| reader.templates(it))
            .unwrap_or_default(),
        timeout_minutes: reader.template_at(node, "timeout-minutes"),
        cancel_timeout_minutes: reader.template_at(node, "cancel-timeout-minutes"),
        continue_on_error: reader.template_at(node, "continue-on-error"),
        steps: node
            .get("steps")
            .map(|it| step::steps(reader, it))
            .unwrap_or_default(),
        call: node.get("uses").and_then(|it| call(reader, node, it)),
    }
}

fn call(reader: &mut Reader<'_>, node: &Node, uses: &Node) -> Option<Call> {
    let text = scalar_text(uses);
    if is_refused(&text) {
        return None;
    }
    let workflow: WorkflowRef = match text.parse() {
        Ok(workflow) => workflow,
        Err(error) => {
            reader.error(uses.span, "LF-W0023", format!("`uses`: {error}"));
            return None;
        }
    };
    let inputs = node.get("with").map(Node::entries).unwrap_or_default();
    let inputs = inputs
        .iter()
        .map(|it| (it.key.clone(), reader.tree(&it.value)))
        .collect();
    let secrets = match node.get("secrets") {
        Some(it) if it.text() == Some("inherit") => CallSecrets::Inherit,
        Some(it) => CallSecrets::Named(reader.templates(it)),
        None => CallSecrets::None,
    };
    Some(Call {
        workflow,
        inputs,
        secrets,
    })
}

fn strategy(reader: &mut Reader<'_>, node: &Node) -> Strategy {
    if node.text().is_some() {
        return Strategy {
            whole: reader.template(node),
            ..Strategy::default()
        };
    }
    Strategy {
        whole: None,
        matrix: node.get("matrix").map(|it| matrix(reader, it)),
        fail_fast: reader.template_at(node, "fail-fast"),
        max_parallel: reader.template_at(node, "max-parallel"),
    }
}

fn matrix(reader: &mut Reader<'_>, node: &Node) -> Matrix {
    let tree = reader.tree(node);
    // A matrix without expressions is checked before anything starts.
    if tree.is_literal() {
        let value = tree.evaluate(&crate::expr::Scope::new());
        if let Ok(Err(error)) = value.as_ref().map(crate::matrix::expand) {
            reader.error(node.span, "LF-W0017", error.to_string());
        }
    }
    Matrix(tree)
}

pub(super) fn concurrency(reader: &mut Reader<'_>, node: &Node) -> Option<Concurrency> {
    if node.text().is_some() {
        return Some(Concurrency {
            group: reader.template(node)?,
            cancel_in_progress: None,
            queue: Queue::Single,
        });
    }
    let queue = match node.get("queue").and_then(Node::text) {
        Some("max") => Queue::Max,
        Some(_) | None => Queue::Single,
    };
    let cancel = node.get("cancel-in-progress");
    if let Some(cancel) = cancel.filter(|it| queue == Queue::Max && it.text() == Some("true")) {
        reader
            .error(
                cancel.span,
                "LF-W0024",
                "`cancel-in-progress: true` and `queue: max` cannot stand together",
            )
            .help
            .push("runs either wait for one another or end one another".to_owned());
    }
    Some(Concurrency {
        group: reader.template_at(node, "group")?,
        cancel_in_progress: cancel.and_then(|it| reader.template(it)),
        queue,
    })
}

fn environment(reader: &mut Reader<'_>, node: &Node) -> Option<Environment> {
    if node.text().is_some() {
        return Some(Environment {
            name: reader.template(node)?,
            url: None,
            deployment: None,
        });
    }
    Some(Environment {
        name: reader.template_at(node, "name")?,
        url: reader.template_at(node, "url"),
        deployment: reader.template_at(node, "deployment"),
    })
}

fn snapshot(reader: &mut Reader<'_>, node: &Node) -> Option<Snapshot> {
    if node.text().is_some() {
        return Some(Snapshot {
            image_name: reader.template(node)?,
            version: None,
            condition: None,
        });
    }
    Some(Snapshot {
        image_name: reader.template_at(node, "image-name")?,
        version: reader.template_at(node, "version"),
        condition: node.get("if").and_then(|it| reader.condition(it)),
    })
}

pub(super) fn defaults(reader: &mut Reader<'_>, node: Option<&Node>) -> Defaults {
    let Some(run) = node.and_then(|it| it.get("run")).filter(|it| !it.is_null()) else {
        return Defaults::default();
    };
    if run.text().is_some() {
        return Defaults {
            run: reader.template(run),
            ..Defaults::default()
        };
    }
    Defaults {
        shell: run.get("shell").and_then(|it| step::shell(reader, it)),
        working_directory: reader.template_at(run, "working-directory"),
        run: None,
    }
}
