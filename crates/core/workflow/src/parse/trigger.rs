//! Reads `on`.

use yaml::{Node, NodeValue};

use super::{
    nearest::nearest,
    reader::{Key, Reader, scalar_text},
};
use crate::{
    Pattern, PatternList, PushFilter, Triggers,
    trigger::{DispatchInput, InputKind},
};

/// The events of the language that start nothing here yet.
const OTHER_EVENTS: &[&str] = &[
    "pull_request",
    "pull_request_target",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_comment",
    "schedule",
    "workflow_call",
    "workflow_run",
    "repository_dispatch",
    "release",
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "discussion",
    "discussion_comment",
    "fork",
    "gollum",
    "image_version",
    "issue_comment",
    "issues",
    "label",
    "merge_group",
    "milestone",
    "page_build",
    "project",
    "project_card",
    "project_column",
    "public",
    "registry_package",
    "status",
    "watch",
    "branch_protection_rule",
    "check_run",
    "check_suite",
];

pub(super) fn triggers(reader: &mut Reader<'_>, node: &Node) -> Triggers {
    let mut triggers = Triggers::default();
    match &node.value {
        NodeValue::Mapping(entries) => {
            for entry in entries {
                event(
                    reader,
                    &mut triggers,
                    &entry.key,
                    entry.key_span,
                    Some(&entry.value),
                );
            }
        }
        NodeValue::Scalar { .. } | NodeValue::Sequence(_) => {
            for (name, at) in reader.text_list(node) {
                event(reader, &mut triggers, &name, at.span, None);
            }
        }
    }
    if triggers.push.is_none()
        && triggers.workflow_dispatch.is_none()
        && !triggers.others.is_empty()
    {
        let names = triggers
            .others
            .iter()
            .map(|it| format!("`{it}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let found = reader.error(
            node.span,
            "LF-W0021",
            format!("nothing starts this workflow yet: {names} starts no run here"),
        );
        found.severity = yaml::Severity::Warning;
        found
            .help
            .push("add `push` or `workflow_dispatch`".to_owned());
    }
    triggers
}

fn event(
    reader: &mut Reader<'_>,
    triggers: &mut Triggers,
    name: &str,
    span: yaml::Span,
    filter: Option<&Node>,
) {
    let filter = filter.filter(|it| !it.is_null());
    match name {
        "push" => triggers.push = Some(filter.map(|it| push(reader, it)).unwrap_or_default()),
        "workflow_dispatch" => {
            triggers.workflow_dispatch =
                Some(filter.map(|it| dispatch(reader, it)).unwrap_or_default());
        }
        other if OTHER_EVENTS.contains(&other) => triggers.others.push(other.to_owned()),
        other => {
            let near = nearest(
                other,
                OTHER_EVENTS
                    .iter()
                    .copied()
                    .chain(["push", "workflow_dispatch"]),
            );
            let found = reader.error(span, "LF-W0006", format!("unknown event `{other}`"));
            found
                .help
                .extend(near.map(|it| format!("did you mean `{it}`?")));
        }
    }
}

const PUSH_KEYS: &[Key] = &[
    Key::known("branches"),
    Key::known("branches-ignore"),
    Key::known("tags"),
    Key::known("tags-ignore"),
    Key::known("paths"),
    Key::known("paths-ignore"),
];

fn push(reader: &mut Reader<'_>, node: &Node) -> PushFilter {
    reader.check_keys(node, PUSH_KEYS, "`push`");
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
    PushFilter {
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
    for (text, at) in reader.text_list(list) {
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

const INPUT_KEYS: &[Key] = &[
    Key::known("description"),
    Key::known("type"),
    Key::known("required"),
    Key::known("default"),
    Key::known("options"),
    Key::known("deprecationMessage"),
];

fn dispatch(reader: &mut Reader<'_>, node: &Node) -> Vec<DispatchInput> {
    reader.check_keys(node, &[Key::known("inputs")], "`workflow_dispatch`");
    let Some(inputs) = node.get("inputs").filter(|it| !it.is_null()) else {
        return Vec::new();
    };
    if !reader.is_mapping(inputs, "`inputs`") {
        return Vec::new();
    }
    inputs
        .entries()
        .iter()
        .map(|entry| input(reader, &entry.key, &entry.value))
        .collect()
}

fn input(reader: &mut Reader<'_>, name: &str, node: &Node) -> DispatchInput {
    let name = name.to_owned();
    if node.is_null() {
        return DispatchInput {
            name,
            kind: InputKind::String,
            required: false,
            default: None,
        };
    }
    reader.check_keys(node, INPUT_KEYS, "an input");
    let options = node
        .get("options")
        .map(|it| reader.text_list(it))
        .unwrap_or_default();
    let kind = match node.get("type").and_then(|it| it.text()) {
        None | Some("string") => InputKind::String,
        Some("boolean") => InputKind::Boolean,
        Some("number") => InputKind::Number,
        Some("environment") => InputKind::Environment,
        Some("choice") => InputKind::Choice(options.into_iter().map(|(text, _)| text).collect()),
        Some(other) => {
            let span = node.get("type").map_or(node.span, |it| it.span);
            reader.error(span, "LF-W0006", format!("unknown type `{other}`: expected string, boolean, number, choice or environment"));
            InputKind::String
        }
    };
    let required = node
        .get("required")
        .is_some_and(|it| scalar_text(it) == "true");
    let default = node
        .get("default")
        .filter(|it| !it.is_null())
        .map(Node::to_json);
    DispatchInput {
        name,
        kind,
        required,
        default,
    }
}
