//! Reads `steps`.

use std::collections::{HashMap, HashSet};

use yaml::{Node, NodeValue, Severity};

use super::{
    job::wrong_id,
    reader::{Reader, is_refused, is_true, scalar_text, text_list},
};
use crate::{Shell, Step, StepAction, Uses, expr::Template};

/// The ids of a job's steps so far: what a later step may wait for.
#[derive(Default)]
struct Ids {
    chosen: Vec<String>,
    generated: HashSet<String>,
    /// What the last generated id for the same work ended with.
    numbers: HashMap<String, usize>,
}

pub(super) fn steps(reader: &mut Reader<'_>, node: &Node) -> Vec<Step> {
    let mut ids = Ids::default();
    let mut steps = list(reader, node, &mut ids);
    generate_ids(&mut steps, &mut ids);
    steps
}

fn list(reader: &mut Reader<'_>, node: &Node, ids: &mut Ids) -> Vec<Step> {
    let NodeValue::Sequence(items) = &node.value else {
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| step(reader, item, ids))
        .collect()
}

/// Steps without an id get one from what they do: `__run`, `__actions_checkout`, then with `_2` and so on.
fn generate_ids(steps: &mut [Step], ids: &mut Ids) {
    for step in steps {
        if let StepAction::Parallel(inner) = &mut step.action {
            generate_ids(inner, ids);
        }
        if step.id.is_empty() {
            step.id = ids.generate(&step.action);
        }
    }
}

impl Ids {
    fn generate(&mut self, action: &StepAction) -> String {
        let what = match action {
            StepAction::Run { .. } => "run",
            StepAction::Wait(_) => "wait",
            StepAction::WaitAll => "wait-all",
            StepAction::Cancel(_) => "cancel",
            StepAction::Parallel(_) => "parallel",
            StepAction::Uses { action, .. } => match action {
                Uses::Repository(action) => &action.repository,
                Uses::Local(_) => "self",
                Uses::Image(image) => image,
            },
        };
        let fits = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        let base = format!("__{}", what.replace(|it: char| !fits(it), "_"));
        let last = self.numbers.entry(base.clone()).or_default();
        loop {
            *last += 1;
            let suffix = match *last {
                1 => String::new(),
                number => format!("_{number}"),
            };
            let kept = base.len().min(100 - suffix.len());
            let id = format!("{}{suffix}", base.get(..kept).unwrap_or(&base));
            if self.generated.insert(id.clone()) {
                return id;
            }
        }
    }

    fn has(&self, id: &str) -> bool {
        self.chosen.iter().any(|it| it.eq_ignore_ascii_case(id))
    }
}

fn step(reader: &mut Reader<'_>, node: &Node, ids: &mut Ids) -> Option<Step> {
    let id = node
        .get("id")
        .map(|it| id(reader, it, ids))
        .unwrap_or_default();
    Some(Step {
        name: reader.template_at(node, "name"),
        condition: node.get("if").and_then(|it| reader.condition(it)),
        env: node
            .get("env")
            .map(|it| reader.mapping(it))
            .unwrap_or_default(),
        continue_on_error: reader.template_at(node, "continue-on-error"),
        timeout_minutes: reader.template_at(node, "timeout-minutes"),
        background: is_true(node.get("background")),
        line: node.span.line,
        action: action(reader, node, &id, ids)?,
        id,
    })
}

fn id(reader: &mut Reader<'_>, node: &Node, ids: &mut Ids) -> String {
    let id = scalar_text(node);
    if is_refused(&id) {
        return id;
    }
    if let Some(problem) = wrong_id(&id) {
        reader.error(
            node.span,
            "LF-W0009",
            format!("`{id}` is no id of a step: {problem}"),
        );
    } else if ids.has(&id) {
        reader.error(
            node.span,
            "LF-W0009",
            format!("`{id}` is the id of an earlier step"),
        );
    } else {
        ids.chosen.push(id.clone());
    }
    id
}

fn action(reader: &mut Reader<'_>, node: &Node, own: &str, ids: &mut Ids) -> Option<StepAction> {
    if let Some(run) = node.get("run") {
        return Some(StepAction::Run {
            script: reader.template(run)?,
            shell: node.get("shell").and_then(|it| shell(reader, it)),
            working_directory: reader.template_at(node, "working-directory"),
        });
    }
    if let Some(uses) = node.get("uses") {
        return uses_action(reader, node, uses);
    }
    if let Some(wait) = node.get("wait") {
        let targets = text_list(wait);
        for (target, at) in &targets {
            check_target(reader, at, target, own, ids);
        }
        return Some(StepAction::Wait(
            targets.into_iter().map(|(it, _)| it).collect(),
        ));
    }
    if let Some(all) = node.get("wait-all") {
        if all.text() == Some("false") {
            reader.error(
                all.span,
                "LF-W0004",
                "expected `wait-all` without a value or with true, found false",
            );
        }
        return Some(StepAction::WaitAll);
    }
    if let Some(cancel) = node.get("cancel") {
        let target = scalar_text(cancel);
        check_target(reader, cancel, &target, own, ids);
        return Some(StepAction::Cancel(target));
    }
    let group = node.get("parallel")?;
    let inner = list(reader, group, ids);
    check_parallel(reader, group);
    Some(StepAction::Parallel(inner))
}

/// A target must be the id of a step above.
fn check_target(reader: &mut Reader<'_>, at: &Node, target: &str, own: &str, ids: &Ids) {
    let problem = if !own.is_empty() && target.eq_ignore_ascii_case(own) {
        format!("step `{own}` cannot wait for itself")
    } else if ids.has(target) || is_refused(target) {
        return;
    } else {
        format!("no step above has the id `{target}`")
    };
    let known = ids.chosen.iter().map(String::as_str);
    let near = super::nearest::nearest(target, known.filter(|it| *it != own)).map(str::to_owned);
    let found = reader.error(at.span, "LF-W0025", problem);
    found
        .help
        .extend(near.map(|it| format!("did you mean `{it}`?")));
}

/// Steps side by side are neither told to run in the background nor wait themselves.
fn check_parallel(reader: &mut Reader<'_>, group: &Node) {
    let NodeValue::Sequence(items) = &group.value else {
        return;
    };
    for entry in items.iter().flat_map(Node::entries) {
        if ["background", "wait", "wait-all", "cancel", "parallel"].contains(&entry.key.as_str()) {
            let message = format!("`{}` cannot stand inside `parallel`", entry.key);
            reader
                .error(entry.key_span, "LF-W0026", message)
                .help
                .push("its steps always run side by side, and the group waits for all".to_owned());
        }
    }
}

/// A shell; a literal one is checked at once.
pub(super) fn shell(reader: &mut Reader<'_>, node: &Node) -> Option<Template> {
    let template = reader.template(node)?;
    if let Some(Err(error)) = template
        .as_literal()
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(Shell::named)
    {
        // Jobs on other systems may stand in the file; the step itself will say no.
        let found = reader.error(node.span, "LF-W0022", error.to_string());
        found.severity = Severity::Warning;
    }
    Some(template)
}

fn uses_action(reader: &mut Reader<'_>, node: &Node, uses: &Node) -> Option<StepAction> {
    let text = scalar_text(uses);
    if is_refused(&text) {
        return None;
    }
    let action: Uses = match text.parse() {
        Ok(action) => action,
        Err(error) => {
            reader.error(uses.span, "LF-W0023", format!("`uses`: {error}"));
            return None;
        }
    };
    let inputs = node
        .get("with")
        .map(|it| reader.mapping(it))
        .unwrap_or_default();
    Some(StepAction::Uses { action, inputs })
}
