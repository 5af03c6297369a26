//! Reads the steps of a composite action.

use yaml::{Node, NodeValue};

use super::read::{Reader, STEP_CONTEXTS, text};
use crate::{Shell, Step, StepAction, Uses};

const KEYS: &[&str] = &[
    "id",
    "name",
    "if",
    "env",
    "continue-on-error",
    "timeout-minutes",
    "run",
    "shell",
    "working-directory",
    "uses",
    "with",
];

pub(super) fn steps(reader: &mut Reader<'_>, node: &Node) -> Vec<Step> {
    let NodeValue::Sequence(items) = &node.value else {
        reader.error(node, "`steps` is a sequence");
        return Vec::new();
    };
    let mut steps: Vec<Step> = Vec::new();
    for item in items {
        let Some(step) = step(reader, item, steps.len()) else {
            continue;
        };
        if step.is_published() && steps.iter().any(|it| it.id.eq_ignore_ascii_case(&step.id)) {
            let at = item.get("id").unwrap_or(item);
            reader.error(at, format!("`{}` is the id of an earlier step", step.id));
        }
        steps.push(step);
    }
    steps
}

fn step(reader: &mut Reader<'_>, node: &Node, position: usize) -> Option<Step> {
    if !matches!(node.value, NodeValue::Mapping(_)) {
        reader.error(node, "a step is a mapping");
        return None;
    }
    for entry in node.entries() {
        if !KEYS.contains(&entry.key.as_str()) {
            let message = format!("a step of a composite action has no key `{}`", entry.key);
            reader.error(&entry.value, message);
        }
    }
    let action = match (node.get("run"), node.get("uses")) {
        (Some(run), None) => run_action(reader, node, run)?,
        (None, Some(uses)) => uses_action(reader, node, uses)?,
        (Some(_), Some(uses)) => {
            reader.error(uses, "a step has either `run` or `uses`, not both");
            return None;
        }
        (None, None) => {
            reader.error(node, "a step needs `run` or `uses`");
            return None;
        }
    };
    let field = |name: &str| node.get(name).filter(|it| !it.is_null());
    let id = field("id").and_then(text).filter(|it| !it.is_empty());
    let mut template = |name: &str| field(name).and_then(|it| reader.template(it, STEP_CONTEXTS));
    let (name, continue_on_error, timeout_minutes) = (
        template("name"),
        template("continue-on-error"),
        template("timeout-minutes"),
    );
    Some(Step {
        id: id.unwrap_or_else(|| format!("__step_{position}")),
        line: node.span.line,
        name,
        condition: field("if").and_then(|it| reader.condition(it, STEP_CONTEXTS)),
        env: field("env")
            .map(|it| reader.mapping(it, STEP_CONTEXTS))
            .unwrap_or_default(),
        continue_on_error,
        timeout_minutes,
        background: false,
        action,
    })
}

fn run_action(reader: &mut Reader<'_>, node: &Node, run: &Node) -> Option<StepAction> {
    let Some(shell_node) = node.get("shell") else {
        reader.error(run, "`run` in a composite action needs `shell`");
        return None;
    };
    let shell = reader.template(shell_node, STEP_CONTEXTS)?;
    if let Some(Err(error)) = shell.as_literal().map(str::trim).map(Shell::named) {
        reader.error(shell_node, error.to_string());
    }
    let folder = node.get("working-directory");
    Some(StepAction::Run {
        script: reader.template(run, STEP_CONTEXTS)?,
        shell: Some(shell),
        working_directory: folder.and_then(|it| reader.template(it, STEP_CONTEXTS)),
    })
}

fn uses_action(reader: &mut Reader<'_>, node: &Node, uses: &Node) -> Option<StepAction> {
    let action: Uses = match text(uses).unwrap_or_default().parse() {
        Ok(action) => action,
        Err(error) => {
            reader.error(uses, format!("`uses`: {error}"));
            return None;
        }
    };
    let inputs = node.get("with").filter(|it| !it.is_null());
    Some(StepAction::Uses {
        action,
        inputs: inputs
            .map(|it| reader.mapping(it, STEP_CONTEXTS))
            .unwrap_or_default(),
    })
}
