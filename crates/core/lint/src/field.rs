//! From the field paths of messages to places in a manifest.

use yaml::{Node, NodeValue, Span};

/// The place of a field such as `spec.containers[0].image`; the nearest outer one if it is not there.
pub(crate) fn value(root: &Node, path: &str) -> Span {
    let mut node = root;
    let mut span = root.entries().first().map_or(root.span, |it| it.key_span);
    for part in parts(path) {
        match (&part, &node.value) {
            (Part::Index(index), NodeValue::Sequence(items)) => match items.get(*index) {
                Some(item) => (node, span) = (item, first_of(item)),
                None => break,
            },
            (Part::Name(name), NodeValue::Mapping(entries)) => match entries.iter().find(|it| it.key == *name) {
                Some(entry) => {
                    span = if entry.value.entries().is_empty() && is_short(&entry.value) { entry.value.span } else { entry.key_span };
                    node = &entry.value;
                }
                None => break,
            },
            _ => break,
        }
    }
    span
}

/// The place of the name of a field.
pub(crate) fn key(root: &Node, path: &str) -> Option<(Span, String)> {
    let parts = parts(path);
    let (last, outer) = parts.split_last()?;
    let mut node = root;
    for part in outer {
        node = match (part, &node.value) {
            (Part::Index(index), NodeValue::Sequence(items)) => items.get(*index)?,
            (Part::Name(name), NodeValue::Mapping(_)) => node.get(name)?,
            _ => return None,
        };
    }
    let Part::Name(name) = last else { return None };
    let entry = node.entries().iter().find(|it| it.key == *name)?;
    Some((entry.key_span, name.clone()))
}

/// The first value at a path without indexes for which `fits` holds, as type errors name it.
pub(crate) fn among(node: &Node, path: &str, fits: &dyn Fn(&Node) -> bool) -> Option<Span> {
    if let NodeValue::Sequence(items) = &node.value
        && !path.is_empty()
    {
        return items.iter().find_map(|it| among(it, path, fits));
    }
    if path.is_empty() {
        if fits(node) {
            return Some(node.span);
        }
        // The path of a free map or a list ends at it, and not at its items.
        return match &node.value {
            NodeValue::Mapping(entries) => entries.iter().find(|it| fits(&it.value)).map(|it| it.value.span),
            NodeValue::Sequence(items) => items.iter().find(|it| fits(it)).map(|it| it.span),
            NodeValue::Scalar { .. } => None,
        };
    }
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    node.get(name).and_then(|it| among(it, rest, fits))
}

enum Part {
    Name(String),
    Index(usize),
}

fn parts(path: &str) -> Vec<Part> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            let text = inner.get(..end).unwrap_or_default();
            found.push(text.parse().map_or_else(|_| Part::Name(text.to_owned()), Part::Index));
            rest = inner.get(end + 1..).unwrap_or_default();
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        if let Some(name) = rest.get(..end).filter(|it| !it.is_empty()) {
            found.push(Part::Name(name.to_owned()));
        } else if end == 0 && !rest.starts_with('[') {
            break;
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    found
}

fn is_short(node: &Node) -> bool {
    matches!(node.value, NodeValue::Scalar { .. }) && node.span.end > node.span.start
}

fn first_of(node: &Node) -> Span {
    node.entries().first().map_or(node.span, |it| it.key_span)
}
