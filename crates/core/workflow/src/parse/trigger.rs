//! Reads `on`.

use yaml::{Node, NodeValue, Severity};

use super::reader::{Reader, is_true, scalar_text, text_list, words};
use crate::{
    Pattern, PatternList, Tree,
    cron::{Cron, Schedule},
    trigger::{
        CallInput, CallInterface, CallSecret, DispatchInput, Filters, InputKind, Trigger, Triggers,
    },
};

pub(super) fn triggers(reader: &mut Reader<'_>, node: &Node) -> Triggers {
    let mut triggers = Triggers::default();
    if let NodeValue::Mapping(entries) = &node.value {
        for entry in entries {
            event(reader, &mut triggers, &entry.key, Some(&entry.value));
        }
    } else {
        for (name, _) in text_list(node) {
            event(reader, &mut triggers, &name, None);
        }
    }
    triggers
}

fn event(reader: &mut Reader<'_>, triggers: &mut Triggers, name: &str, node: Option<&Node>) {
    let node = node.filter(|it| !it.is_null());
    match name {
        "workflow_dispatch" => {
            let inputs = node.and_then(|it| it.get("inputs"));
            let inputs = inputs.map(Node::entries).unwrap_or_default();
            triggers.workflow_dispatch = Some(
                inputs
                    .iter()
                    .map(|it| dispatch_input(reader, &it.key, &it.value))
                    .collect(),
            );
        }
        "workflow_call" => triggers.workflow_call = Some(interface(reader, node)),
        "schedule" => {
            if let Some(NodeValue::Sequence(items)) = node.map(|it| &it.value) {
                let schedules = items.iter().filter_map(|it| schedule(reader, it));
                triggers.schedule.extend(schedules.collect::<Vec<_>>());
            }
        }
        _ => {}
    }
    triggers.events.push(Trigger {
        event: name.to_owned(),
        types: words(node.and_then(|it| it.get("types"))),
        filters: node.map(|it| filters(reader, it)).unwrap_or_default(),
        workflows: words(node.and_then(|it| it.get("workflows"))),
        names: words(node.and_then(|it| it.get("names"))),
        versions: words(node.and_then(|it| it.get("versions"))),
    });
}

fn schedule(reader: &mut Reader<'_>, node: &Node) -> Option<Schedule> {
    let cron = node.get("cron")?;
    let parsed: Option<Cron> = match scalar_text(cron).parse() {
        Ok(cron) => Some(cron),
        Err(error) => {
            reader.error(cron.span, "LF-W0027", format!("`cron`: {error}"));
            None
        }
    };
    let zone = node.get("timezone").map(|it| (scalar_text(it), it));
    if let Some((name, at)) = zone.as_ref().filter(|(it, _)| !crate::cron::is_zone(it)) {
        reader
            .error(at.span, "LF-W0027", format!("unknown time zone `{name}`"))
            .help
            .push("time zones have names such as `Europe/Zurich`".to_owned());
        return None;
    }
    Some(Schedule {
        cron: parsed?,
        zone: zone.map(|(name, _)| name),
    })
}

fn filters(reader: &mut Reader<'_>, node: &Node) -> Filters {
    for key in ["branches", "tags", "paths"] {
        let ignore = format!("{key}-ignore");
        if let (Some(_), Some(second)) = (node.get(key), node.get(&ignore)) {
            reader
                .error(
                    second.span,
                    "LF-W0007",
                    format!("`{key}` and `{ignore}` cannot stand together"),
                )
                .help
                .push(format!("use `{key}` with patterns that begin with `!`"));
        }
    }
    Filters {
        branches: patterns(reader, node, "branches"),
        branches_ignore: patterns(reader, node, "branches-ignore"),
        tags: patterns(reader, node, "tags"),
        tags_ignore: patterns(reader, node, "tags-ignore"),
        paths: patterns(reader, node, "paths"),
        paths_ignore: patterns(reader, node, "paths-ignore"),
    }
}

fn patterns(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<PatternList> {
    let list = node.get(key)?;
    let mut patterns: Vec<Pattern> = Vec::new();
    for (text, at) in text_list(list) {
        match Pattern::parse(&text) {
            Ok(pattern)
                if pattern.is_negative() && !patterns.iter().any(|it| !it.is_negative()) =>
            {
                reader
                    .error(
                        at.span,
                        "LF-W0008",
                        format!("`{text}` takes out what no pattern before it let in"),
                    )
                    .help
                    .push("put a pattern without `!` before it, such as `'**'`".to_owned());
            }
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                reader.error(at.span, "LF-W0008", error.to_string());
            }
        }
    }
    Some(PatternList(patterns))
}

fn dispatch_input(reader: &mut Reader<'_>, name: &str, node: &Node) -> DispatchInput {
    let options = node.get("options");
    let kind = match node.get("type").and_then(Node::text) {
        Some("boolean") => InputKind::Boolean,
        Some("number") => InputKind::Number,
        Some("environment") => InputKind::Environment,
        Some("choice") => InputKind::Choice(words(options)),
        Some(_) | None => InputKind::String,
    };
    check_options(reader, name, &kind, node);
    let default = node.get("default").filter(|it| !it.is_null());
    if let Some(default) = default {
        check_default(reader, name, &kind, default);
    }
    DispatchInput {
        name: name.to_owned(),
        description: node.get("description").map(scalar_text).unwrap_or_default(),
        required: is_true(node.get("required")),
        default: default.map(Node::to_json),
        kind,
    }
}

fn check_options(reader: &mut Reader<'_>, name: &str, kind: &InputKind, node: &Node) {
    let span = node.entries().first().map_or(node.span, |it| it.key_span);
    match (kind, node.get("options")) {
        (InputKind::Choice(options), given)
            if options.is_empty()
                && given.is_none_or(|it| matches!(it.value, NodeValue::Sequence(_))) =>
        {
            reader.error(
                span,
                "LF-W0028",
                format!("input `{name}` is a choice and has no `options`"),
            );
        }
        (InputKind::Choice(_), _) | (_, None) => {}
        (_, Some(_)) => {
            reader
                .error(
                    span,
                    "LF-W0028",
                    format!("input `{name}` has `options` and is no choice"),
                )
                .help
                .push("add `type: choice`".to_owned());
        }
    }
}

/// A default must be of the input's type; of a choice it must be among the options.
fn check_default(reader: &mut Reader<'_>, name: &str, kind: &InputKind, node: &Node) {
    let value = node.to_json();
    let expected = match kind {
        InputKind::Boolean if !value.is_boolean() => "true or false".to_owned(),
        InputKind::Number if !value.is_number() => "a number".to_owned(),
        InputKind::Choice(options)
            if !options.is_empty() && !options.contains(&scalar_text(node)) =>
        {
            format!("one of {}", options.join(", "))
        }
        InputKind::Boolean
        | InputKind::Number
        | InputKind::Choice(_)
        | InputKind::String
        | InputKind::Environment => return,
    };
    let found = scalar_text(node);
    let message = format!("default of input `{name}`: expected {expected}, found `{found}`");
    let problem = reader.error(node.span, "LF-W0028", message);
    // Only what a dispatch leaves out takes the default, so a file may live with a wrong one.
    if *kind != InputKind::Boolean {
        problem.severity = Severity::Warning;
    }
}

fn interface(reader: &mut Reader<'_>, node: Option<&Node>) -> CallInterface {
    let entries = |key: &str| {
        let found = node.and_then(|it| it.get(key));
        found.map(Node::entries).unwrap_or_default()
    };
    let inputs = entries("inputs").iter().map(|entry| {
        let node = &entry.value;
        let kind = match node.get("type").and_then(Node::text) {
            Some("boolean") => InputKind::Boolean,
            Some("number") => InputKind::Number,
            Some(_) | None => InputKind::String,
        };
        let default = node.get("default").filter(|it| !it.is_null());
        CallInput {
            name: entry.key.clone(),
            kind,
            required: is_true(node.get("required")),
            default: default.map(|it| reader.tree(it)),
        }
    });
    let inputs = inputs.collect::<Vec<_>>();
    for (input, entry) in inputs.iter().zip(entries("inputs")) {
        if let (Some(Tree::Value(_)), Some(node)) = (&input.default, entry.value.get("default")) {
            check_default(reader, &input.name, &input.kind, node);
        }
    }
    let outputs = entries("outputs").iter().filter_map(|entry| {
        let value = entry.value.get("value")?;
        Some((entry.key.clone(), reader.template(value)?))
    });
    CallInterface {
        outputs: outputs.collect(),
        secrets: entries("secrets")
            .iter()
            .map(|it| CallSecret {
                name: it.key.clone(),
                required: is_true(it.value.get("required")),
            })
            .collect(),
        inputs,
    }
}
