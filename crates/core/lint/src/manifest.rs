//! Kubernetes manifests, as the API server would judge them.

use resource::{kinds, schema, validate};
use serde_json::Value;
use yaml::{Diagnostic, Document, Flavor, Node, NodeValue, Span};

use crate::{
    Tree, field,
    mend::{Source, is_character},
    tree,
};

/// Groups whose objects are read by tools and never applied.
const TOOL_GROUPS: [&str; 4] = ["kustomize.config.k8s.io", "kind.x-k8s.io", "skaffold", "kubelet.config.k8s.io"];

pub(crate) fn check(path: &str, source: &Source, tree: &Tree, found: &mut Vec<Diagnostic>) {
    // A template of Helm is no YAML before it is rendered.
    if source.original.contains("{{") || !looks_like_manifest(source.text()) || is_patch(path, tree) {
        return;
    }
    let mut problems = Vec::new();
    if source.is_mended()
        && let Err(characters) = yaml::parse(&source.original, path, Flavor::Go11)
    {
        found.extend(characters.into_iter().filter(is_character));
    }
    match yaml::parse(source.text(), path, Flavor::Go11) {
        Err(errors) => problems.extend(errors),
        Ok(documents) => {
            for document in documents {
                let Document { root, warnings } = document;
                // The findings of a text are told with its first document.
                problems.extend(warnings.into_iter().filter(|it| !problems.contains(it)).collect::<Vec<_>>());
                object(path, &root, &mut problems);
            }
        }
    }
    found.extend(problems.into_iter().map(|it| source.place(it)));
}

/// Whether a kustomization uses the file as a patch, which is only a part of an object.
fn is_patch(path: &str, tree: &Tree) -> bool {
    let kustomizations = tree.sources().filter(|(path, _)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        matches!(name, "kustomization.yaml" | "kustomization.yml")
    });
    kustomizations.into_iter().any(|(kustomization, source)| {
        let folder = kustomization.rsplit_once('/').map_or("", |(folder, _)| folder);
        let documents = yaml::parse(source.text(), kustomization, Flavor::Go11).unwrap_or_default();
        let lists = documents.iter().flat_map(|it| ["patches", "patchesStrategicMerge", "patchesJson6902"].map(|key| it.root.get(key)));
        let items = lists.flatten().flat_map(|it| match &it.value {
            NodeValue::Sequence(items) => items.as_slice(),
            NodeValue::Mapping(_) | NodeValue::Scalar { .. } => &[],
        });
        let mut names = items.filter_map(|it| it.text().or_else(|| it.get("path")?.text()));
        names.any(|name| tree::resolve(folder, name).as_deref() == Some(path))
    })
}

/// Other YAML is none of our business, however wrong it is.
fn looks_like_manifest(text: &str) -> bool {
    let has = |key: &str| text.lines().any(|line| line.trim_start_matches(['-', ' ', '\u{feff}']).starts_with(key));
    has("apiVersion:") && has("kind:")
}

fn object(path: &str, root: &Node, found: &mut Vec<Diagnostic>) {
    let (Some(version), Some(kind_name)) = (root.get("apiVersion"), root.get("kind")) else { return };
    let (Some(version_text), Some(kind_text)) = (version.text(), kind_name.text()) else { return };
    if TOOL_GROUPS.iter().any(|it| version_text.split('/').next().is_some_and(|group| group == *it)) {
        return;
    }
    if version_text == "v1" && kind_text == "List" {
        if let Some(NodeValue::Sequence(items)) = root.get("items").map(|it| &it.value) {
            items.iter().for_each(|it| object(path, it, found));
        }
        return;
    }
    let Some(kind) = kinds::by_kind(version_text, kind_text) else {
        found.push(unserved(path, version, version_text, kind_name, kind_text));
        return;
    };
    let value = root.to_json();
    let fields = schema::check(kind, &value);
    found.extend(fields.iter().map(|it| misfit(path, root, kind, it)));
    let typed = !fields.iter().any(|it| matches!(it, schema::FieldProblem::WrongType { .. }));
    if typed {
        let mut full = value;
        resource::defaults::apply(kind, &mut full);
        let causes = validate::create(kind, &full);
        // An unknown field is often a misspelt one that is then missing, which is no second fault.
        let causes = causes.iter().filter(|cause| fields.is_empty() || cause.reason != "FieldValueRequired");
        found.extend(causes.map(|cause| {
            let span = field::value(root, &cause.field);
            Diagnostic::error(path, span, "LF-K0003", cause.to_string())
        }));
    }
}

fn unserved(path: &str, version: &Node, version_text: &str, kind: &Node, kind_text: &str) -> Diagnostic {
    let known = kinds::kinds().iter().find(|it| it.kind.eq_ignore_ascii_case(kind_text) && it.is_stored());
    let message = format!("no kind `{kind_text}` in version `{version_text}`");
    match known {
        Some(known) if known.kind == kind_text => {
            Diagnostic::error(path, version.span, "LF-K0004", message).help(format!("write `apiVersion: {}`", known.api_version()))
        }
        Some(known) => {
            let found = Diagnostic::error(path, kind.span, "LF-K0004", message);
            found.help(format!("write `kind: {}` with `apiVersion: {}`", known.kind, known.api_version()))
        }
        None => {
            let message = format!("the embedded cluster serves no `{kind_text}` of `{version_text}`");
            let found = Diagnostic::error(path, kind.span, "LF-K0004", message).warning();
            found.help("applied there it fails with `no matches for kind`; another cluster may know it")
        }
    }
}

fn misfit(path: &str, root: &Node, kind: &kinds::Kind, problem: &schema::FieldProblem) -> Diagnostic {
    match problem {
        schema::FieldProblem::Unknown { path: at } | schema::FieldProblem::Duplicate { path: at } => {
            let place = field::key(root, at);
            let span = place.as_ref().map_or_else(|| field::value(root, at), |(span, _)| *span);
            let found = Diagnostic::error(path, span, "LF-K0001", problem.to_string());
            match place.and_then(|(_, name)| nearest(kind, at, &name)) {
                Some(near) => found.label(format!("did you mean `{near}`?")),
                None => found.help(format!("remove it, or move it to where it belongs in a {}", kind.kind)),
            }
        }
        schema::FieldProblem::WrongType { message } => {
            let span = wrong_type(root, message);
            Diagnostic::error(path, span, "LF-K0002", message.clone())
        }
    }
}

/// The field of the same object that is spelt most alike.
fn nearest(kind: &kinds::Kind, path: &str, name: &str) -> Option<String> {
    let outer = path.rsplit_once('.').map_or("", |(outer, _)| outer);
    let mut place = schema::of(kind)?;
    for part in outer.split('.').filter(|it| !it.is_empty()) {
        let (field, indexes) = part.split_once('[').map_or((part, 0), |(field, rest)| (field, rest.matches(']').count()));
        place = place.field(field)?;
        for _ in 0..indexes {
            place = place.items()?;
        }
    }
    // Case alone counts nothing.
    let lower = name.to_lowercase();
    let best = place.names().into_iter().map(|it| (names::edits(&lower, &it.to_lowercase()), it)).min()?;
    (best.0 <= (name.chars().count() / 3).clamp(1, 3)).then(|| best.1.to_owned())
}

/// The place that a message of the decoder means.
fn wrong_type(root: &Node, message: &str) -> Span {
    let found = message.strip_prefix("json: cannot unmarshal ").and_then(|rest| {
        let (found, rest) = rest.split_once(" into Go struct field ")?;
        let path = rest.split_once(" of type ")?.0.split_once('.')?.1;
        let word = found.split(' ').next().unwrap_or(found);
        field::among(root, path, &|node| word == describe(node))
    });
    let text = || {
        // A quantity or a time is quoted in its message.
        scalars(root).into_iter().find(|(text, _)| !text.is_empty() && message.contains(&format!("\"{text}\""))).map(|(_, span)| span)
    };
    found.or_else(text).unwrap_or_else(|| field::value(root, ""))
}

fn describe(node: &Node) -> &'static str {
    match node.to_json() {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn scalars(node: &Node) -> Vec<(&str, Span)> {
    match &node.value {
        NodeValue::Scalar { text, .. } => vec![(text.as_str(), node.span)],
        NodeValue::Sequence(items) => items.iter().flat_map(scalars).collect(),
        NodeValue::Mapping(entries) => entries.iter().flat_map(|it| scalars(&it.value)).collect(),
    }
}
