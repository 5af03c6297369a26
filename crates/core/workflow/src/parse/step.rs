//! Reads `steps`.

use yaml::{Node, NodeValue};

use super::{
    job::wrong_id,
    reader::{Key, Reader},
};
use crate::{ActionRef, Shell, Step, StepAction, context::Site, expr::Template};

const RUN_KEYS: &[Key] = &[
    Key::known("name"),
    Key::known("id"),
    Key::known("if"),
    Key::known("run"),
    Key::known("shell"),
    Key::known("working-directory"),
    Key::known("env"),
    Key::known("timeout-minutes"),
    Key::known("continue-on-error"),
    Key::later("background"),
];

const USES_KEYS: &[Key] = &[
    Key::known("name"),
    Key::known("id"),
    Key::known("if"),
    Key::known("uses"),
    Key::known("with"),
    Key::known("env"),
    Key::known("timeout-minutes"),
    Key::known("continue-on-error"),
    Key::later("background"),
];

/// Steps of the language that are neither `run` nor `uses`.
const LATER: &[&str] = &["wait", "wait-all", "cancel", "parallel"];

pub(super) fn steps(reader: &mut Reader<'_>, node: &Node) -> Vec<Step> {
    let NodeValue::Sequence(items) = &node.value else {
        reader.expected(node, "a sequence of steps");
        return Vec::new();
    };
    let mut steps: Vec<Step> = Vec::new();
    for item in items {
        let Some(mut step) = step(reader, item) else {
            continue;
        };
        if step.id.is_empty() {
            step.id = generated_id(&step.action, &steps);
        } else if steps.iter().any(|it| it.id.eq_ignore_ascii_case(&step.id)) {
            let span = item.get("id").map_or(item.span, |it| it.span);
            reader.error(
                span,
                "LF-W0009",
                format!("`{}` is the id of an earlier step", step.id),
            );
        }
        steps.push(step);
    }
    steps
}

/// `__run`, `__actions_checkout`, then with `_2` and so on.
fn generated_id(action: &StepAction, steps: &[Step]) -> String {
    let base = match action {
        StepAction::Run { .. } => "__run".to_owned(),
        StepAction::Uses { action, .. } => {
            let name = action
                .repository
                .replace(|it: char| !it.is_ascii_alphanumeric() && it != '-', "_");
            format!("__{name}")
        }
    };
    let taken = |id: &str| steps.iter().any(|it| it.id == id);
    let numbered = (2..).map(|number| format!("{base}_{number}"));
    std::iter::once(base.clone())
        .chain(numbered)
        .find(|id| !taken(id))
        .unwrap_or(base)
}

fn step(reader: &mut Reader<'_>, node: &Node) -> Option<Step> {
    if !reader.is_mapping(node, "a step") {
        return None;
    }
    if let Some(entry) = node
        .entries()
        .iter()
        .find(|it| LATER.contains(&it.key.as_str()))
    {
        reader.later(entry.key_span, &entry.key);
        return None;
    }
    let action = match (node.get("run"), node.get("uses")) {
        (Some(_), Some(uses)) => {
            reader.error(
                uses.span,
                "LF-W0019",
                "a step has either `run` or `uses`, not both",
            );
            None
        }
        (None, None) => {
            reader.check_keys(node, RUN_KEYS, "a step");
            let first = node.entries().first().map_or(node.span, |it| it.key_span);
            reader.error(first, "LF-W0005", "a step needs `run` or `uses`");
            None
        }
        (Some(run), None) => {
            reader.check_keys(node, RUN_KEYS, "a step with `run`");
            run_action(reader, node, run)
        }
        (None, Some(uses)) => {
            reader.check_keys(node, USES_KEYS, "a step with `uses`");
            uses_action(reader, node, uses)
        }
    };
    let id = node.get("id").map(|it| id(reader, it)).unwrap_or_default();
    let name = node
        .get("name")
        .and_then(|it| reader.template(it, Site::Step));
    let condition = node
        .get("if")
        .and_then(|it| reader.condition(it, Site::StepIf));
    let env = node
        .get("env")
        .map(|it| reader.templates(it, Site::Step))
        .unwrap_or_default();
    let continue_on_error = node
        .get("continue-on-error")
        .and_then(|it| reader.boolean(it, Site::Step));
    let timeout_minutes = node
        .get("timeout-minutes")
        .and_then(|it| reader.number(it, Site::Step));
    Some(Step {
        id,
        line: node.span.line,
        name,
        condition,
        env,
        continue_on_error,
        timeout_minutes,
        action: action?,
    })
}

fn id(reader: &mut Reader<'_>, node: &Node) -> String {
    let id = reader.plain_text(node).unwrap_or_default();
    if let Some(problem) = wrong_id(&id) {
        reader.error(
            node.span,
            "LF-W0009",
            format!("`{id}` is no id of a step: {problem}"),
        );
    }
    id
}

fn run_action(reader: &mut Reader<'_>, node: &Node, run: &Node) -> Option<StepAction> {
    let script = reader.template(run, Site::Step)?;
    Some(StepAction::Run {
        script,
        shell: node
            .get("shell")
            .and_then(|it| shell(reader, it, Site::Step)),
        working_directory: node
            .get("working-directory")
            .and_then(|it| reader.template(it, Site::Step)),
    })
}

/// A shell; a literal one is checked at once.
pub(super) fn shell(reader: &mut Reader<'_>, node: &Node, site: Site) -> Option<Template> {
    let template = reader.template(node, site)?;
    if let Some(Err(error)) = template
        .as_literal()
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(Shell::named)
    {
        reader.error(node.span, "LF-W0022", error.to_string());
    }
    Some(template)
}

fn uses_action(reader: &mut Reader<'_>, node: &Node, uses: &Node) -> Option<StepAction> {
    let text = reader.plain_text(uses)?;
    if text.starts_with("./") || text.starts_with("docker://") {
        let what = if text.starts_with("./") {
            "actions from this repository"
        } else {
            "container actions"
        };
        reader
            .later(uses.span, &format!("uses: {text}"))
            .help
            .push(format!("{what} cannot run here yet"));
        return None;
    }
    let action: ActionRef = match text.parse() {
        Ok(action) => action,
        Err(error) => {
            reader.error(uses.span, "LF-W0023", format!("`uses`: {error}"));
            return None;
        }
    };
    if let Some(known) = reader
        .actions
        .filter(|it| !it.iter().any(|it| it.eq_ignore_ascii_case(&action.name())))
    {
        let known: Vec<_> = known.iter().map(|it| format!("`{it}`")).collect();
        let help = format!(
            "built in: {}; what the action does can often be done with `run`",
            known.join(", ")
        );
        reader
            .later(uses.span, &format!("uses: {text}"))
            .help
            .push(help);
    }
    let inputs = node
        .get("with")
        .map(|it| reader.templates(it, Site::Step))
        .unwrap_or_default();
    Some(StepAction::Uses { action, inputs })
}
