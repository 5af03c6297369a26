//! Replacements: a value from one place, written into others.

use std::sync::Arc;

use regex::Regex;

use crate::{
    error::BuildError,
    id::{Gvk, Id},
    kustomization::{FieldOptions, Replacement, Selector, SourceSelector, TargetSelector},
    node::{Map, Node, Scalar, Shape, Tag},
    resource::Resource,
    selector::Matcher,
    set::ResourceSet,
};

const DEFAULT_PATH: &str = "metadata.name";

/// Carries out the replacements in order.
///
/// # Errors
///
/// A source that is not there or not alone, a target field that is missing.
pub fn transform(set: &mut ResourceSet, replacements: &[Replacement]) -> Result<(), BuildError> {
    for replacement in replacements {
        let targets = match &replacement.targets {
            Some(targets) if replacement.source.is_some() || replacement.source_value.is_some() => {
                targets
            }
            _ => {
                return Err(BuildError::new(
                    "replacements must specify a source and at least one target",
                ));
            }
        };
        let value = match (&replacement.source, &replacement.source_value) {
            (Some(_), Some(_)) => {
                return Err(BuildError::new(
                    "value and resource selectors are mutually exclusive in replacement",
                ));
            }
            (_, Some(text)) => Node::tagged(text.as_str(), Tag::Unset),
            (Some(source), None) => read_source(set, source)?,
            (None, None) => continue,
        };
        for target in targets {
            write_target(set, target, &value)?;
        }
    }
    Ok(())
}

fn read_source(set: &ResourceSet, source: &SourceSelector) -> Result<Node, BuildError> {
    let pattern = Id {
        gvk: Gvk {
            group: source.group.clone(),
            version: source.version.clone(),
            kind: source.kind.clone(),
        },
        name: source.name.clone(),
        namespace: source.namespace.clone(),
    };
    let mut found = set.items.iter().filter(|it| {
        it.id().is_selected(&pattern) || it.previous().any(|id| id.is_selected(&pattern))
    });
    let resource = match (found.next(), found.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) => {
            return Err(BuildError::new(format!(
                "multiple matches for selector {pattern}"
            )));
        }
        (None, _) => return Err(BuildError::new(format!("nothing selected by {pattern}"))),
    };
    let path = if source.field_path.is_empty() {
        DEFAULT_PATH
    } else {
        &source.field_path
    };
    let value = look_up(resource.node(), &split(path))
        .map_err(|error| BuildError::new(format!("replacement source `{path}`: {error}")))?
        .filter(|it| !it.is_nil_or_empty())
        .ok_or_else(|| {
            BuildError::new(format!(
                "fieldPath `{path}` is missing for replacement source {pattern}"
            ))
        })?;
    refine(value.clone(), source.options.as_ref())
}

/// One part of a source that a delimiter takes apart.
fn refine(value: Node, options: Option<&FieldOptions>) -> Result<Node, BuildError> {
    let Some(options) = options.filter(|it| !it.delimiter.is_empty()) else {
        return Ok(value);
    };
    let Node::Scalar(scalar) = &value else {
        return Err(BuildError::new(
            "delimiter option can only be used with scalar nodes",
        ));
    };
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|index| scalar.text.split(options.delimiter.as_str()).nth(index));
    match part {
        Some(part) => Ok(Node::tagged(part, scalar.tag)),
        None => Err(BuildError::new(format!(
            "options.index {} is out of bounds for value {}",
            options.index, scalar.text
        ))),
    }
}

fn write_target(
    set: &mut ResourceSet,
    target: &TargetSelector,
    value: &Node,
) -> Result<(), BuildError> {
    let Some(select) = &target.select else {
        return Err(BuildError::new("target must specify resources to select"));
    };
    let select = TargetMatcher::new(select)?;
    let rejects = target
        .reject
        .iter()
        .map(TargetMatcher::new)
        .collect::<Result<Vec<_>, _>>()?;
    let default = [DEFAULT_PATH.to_owned()];
    let paths = if target.field_paths.is_empty() {
        &default[..]
    } else {
        &target.field_paths
    };
    let options = target.options.clone().unwrap_or_default();
    for resource in &mut set.items {
        if !select.by_labels(resource)
            || rejects
                .iter()
                .any(|it| it.0.has_label_selectors() && it.by_labels(resource))
        {
            continue;
        }
        let mut ids: Vec<Id> = vec![(**resource.id()).clone()];
        ids.extend(resource.previous());
        if ids.iter().any(|id| {
            rejects
                .iter()
                .any(|it| !it.0.names_nothing && it.0.selects_id(id))
        }) || !ids.iter().any(|id| select.0.selects_id(id))
        {
            continue;
        }
        let id = Arc::clone(resource.id());
        for path in paths {
            write_field(resource.node_mut(), path, &options, value)
                .map_err(|error| error.during(format_args!("replacement target {id}")))?;
        }
        resource.settle_shares();
    }
    Ok(())
}

struct TargetMatcher(Matcher);

impl TargetMatcher {
    fn new(selector: &Selector) -> Result<Self, BuildError> {
        Matcher::new(selector).map(Self)
    }

    fn by_labels(&self, resource: &Resource) -> bool {
        self.0.matches_labels(resource) && self.0.matches_annotations(resource)
    }
}

fn write_field(
    object: &mut Node,
    path: &str,
    options: &FieldOptions,
    value: &Node,
) -> Result<(), BuildError> {
    let create = options.create.then(|| value.shape());
    let parts = split(path);
    if structured(object, &parts, create, value)? {
        return Ok(());
    }
    let mut count = 0;
    matching(object, &parts, create, &mut |node| {
        count += 1;
        write_value(node, options, value)
    })
    .map_err(|error| BuildError::new(format!("{}: {error}", missing(path, options.create))))?;
    if count == 0 {
        return Err(BuildError::new(missing(path, options.create)));
    }
    Ok(())
}

/// Writes into JSON or YAML that a text of the object holds; false when the path leads into no such text.
fn structured(
    object: &mut Node,
    path: &[String],
    create: Option<Shape>,
    value: &Node,
) -> Result<bool, BuildError> {
    for length in 1..path.len() {
        let (outer, inner) = path.split_at(length);
        let Ok(Some(Node::Scalar(scalar))) = look_up(object, outer) else {
            continue;
        };
        let text = Arc::clone(&scalar.text);
        let Some(changed) = crate::structured::write(&text, |node| {
            let mut count = 0;
            matching(node, inner, create, &mut |node| {
                count += 1;
                write_value(node, &FieldOptions::default(), value)
            })
            .is_ok_and(|()| count > 0)
        })?
        else {
            return Ok(false);
        };
        let mut seen = false;
        let _ = matching(object, outer, None, &mut |node| {
            if let (Node::Scalar(scalar), false) = (node, seen) {
                scalar.text = changed.as_str().into();
                seen = true;
            }
            Ok(())
        });
        return Ok(true);
    }
    Ok(false)
}

fn missing(path: &str, create: bool) -> String {
    let word = if create { "find or create" } else { "find" };
    format!("unable to {word} field `{path}` in replacement target")
}

fn write_value(node: &mut Node, options: &FieldOptions, value: &Node) -> Result<(), String> {
    let mut value = value.clone();
    if !options.delimiter.is_empty() {
        let Node::Scalar(old) = &*node else {
            return Err("delimiter option can only be used with scalar nodes".to_owned());
        };
        let mut parts: Vec<&str> = old.text.split(options.delimiter.as_str()).collect();
        let new = value.as_text().to_owned();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, &new),
            Ok(index) => match parts.get_mut(index) {
                Some(place) => *place = &new,
                None => parts.push(&new),
            },
        }
        let joined = parts.join(&options.delimiter);
        value = Node::tagged(joined, value.as_scalar().map_or(Tag::Unset, |it| it.tag));
    }
    match node {
        // The field keeps its type, so that a number may become part of a text and back.
        Node::Scalar(old) => {
            *old = Scalar {
                text: value
                    .as_scalar()
                    .map_or_else(|| Arc::from(""), |it| Arc::clone(&it.text)),
                tag: old.tag,
                share: old.share,
            };
        }
        Node::List(_) | Node::Map(_) => *node = value,
    }
    Ok(())
}

/// The parts of a path; dots within brackets or after a backslash do not divide.
pub fn split(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut inside = false;
    for symbol in path.chars() {
        match symbol {
            '.' if !inside => {
                match parts.last_mut() {
                    Some(last) if last.ends_with('\\') => {
                        last.pop();
                        last.push('.');
                    }
                    _ => parts.push(String::new()),
                }
                continue;
            }
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(symbol);
        }
    }
    // A key in brackets that is no `key=value` is a part of a mapping.
    parts
        .into_iter()
        .flat_map(|part| match part.find('[') {
            Some(at) if at > 0 && part.ends_with(']') => {
                let (name, rest) = part.split_at(at);
                vec![name.to_owned(), rest.to_owned()]
            }
            _ => vec![part],
        })
        .map(
            |part| match part.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                Some(inner) if !inner.contains('=') => inner.to_owned(),
                _ => part,
            },
        )
        .filter(|it| !it.trim().is_empty())
        .collect()
}

fn list_index(part: &str) -> Option<(&str, &str)> {
    part.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

/// One node by its path, as a source is read.
fn look_up<'n>(node: &'n Node, path: &[String]) -> Result<Option<&'n Node>, String> {
    let Some((part, rest)) = path.split_first() else {
        return Ok(Some(node));
    };
    let found = if let Ok(number) = part.parse::<i64>() {
        let items = node
            .as_list()
            .ok_or_else(|| format!("expected a list above `{part}`"))?;
        let index = usize::try_from(number)
            .map_err(|_| format!("array index {number} cannot be negative"))?;
        items.get(index)
    } else if part == "-" {
        node.as_list()
            .ok_or_else(|| format!("expected a list above `{part}`"))?
            .last()
    } else if let Some((name, value)) = list_index(part) {
        let items = node
            .as_list()
            .ok_or_else(|| format!("expected a list above `{part}`"))?;
        items.iter().find(|it| match name {
            "" => it.as_text() == value,
            name => it.get(name).is_some_and(|it| it.as_text() == value),
        })
    } else {
        match node {
            Node::Map(map) => map.get(part),
            it if it.is_null() => None,
            it => {
                return Err(format!(
                    "expected a mapping above `{part}`, found {}",
                    it.kind()
                ));
            }
        }
    };
    match found {
        Some(it) => look_up(it, rest),
        None => Ok(None),
    }
}

/// The field of a var.
pub fn field<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    look_up(node, &split(path)).ok().flatten()
}

/// Calls `each` with every node that the path matches, made on the way when `create` says so.
fn matching(
    node: &mut Node,
    path: &[String],
    create: Option<Shape>,
    each: &mut dyn FnMut(&mut Node) -> Result<(), String>,
) -> Result<(), String> {
    let Some((part, rest)) = path.split_first() else {
        return each(node);
    };
    if let Ok(index) = part.parse::<usize>() {
        let Node::List(items) = node else {
            return Err(format!(
                "expected a list above `{part}`, found {}",
                node.kind()
            ));
        };
        if items.len() == index
            && let Some(shape) = create
        {
            items.push(Node::empty(next_shape(rest, shape)));
        }
        let count = items.len();
        let item = items
            .get_mut(index)
            .ok_or_else(|| format!("index {index} specified but only {count} elements found"))?;
        return matching(item, rest, create, each);
    }
    if let Some((name, pattern)) = list_index(part) {
        let Node::List(items) = node else {
            if node.is_null() {
                return Ok(());
            }
            return Err(format!(
                "expected a list above `{part}`, found {}",
                node.kind()
            ));
        };
        let regex = Regex::new(pattern)
            .map_err(|error| format!("`{pattern}` is no regular expression: {error}"))?;
        let fits = |item: &Node| match name {
            "" => regex.is_match(item.as_text()),
            name => item
                .get(name)
                .is_some_and(|it| regex.is_match(it.as_text())),
        };
        if create.is_some() && !items.iter().any(fits) {
            let value = Node::tagged(pattern, Tag::Unset);
            items.push(if name.is_empty() {
                value
            } else {
                let mut map = Map::new();
                map.set(name, value);
                Node::Map(map)
            });
        }
        for item in items.iter_mut() {
            if fits(item) {
                if name.is_empty() {
                    each(item)?;
                } else {
                    matching(item, rest, create, each)?;
                }
            }
        }
        return Ok(());
    }
    if part == "*" {
        let Node::List(items) = node else {
            return Err(format!("expected a list above `*`, found {}", node.kind()));
        };
        return items
            .iter_mut()
            .try_for_each(|item| matching(item, rest, create, each));
    }
    match node {
        Node::Map(map) => match (map.get_mut(part), create) {
            (Some(child), _) => matching(child, rest, create, each),
            (None, None) => Ok(()),
            (None, Some(shape)) => {
                let mut child = Node::empty(next_shape(rest, shape));
                matching(&mut child, rest, create, each)?;
                map.set(part.as_str(), child);
                Ok(())
            }
        },
        it if it.is_null() => Ok(()),
        it => Err(format!(
            "expected a mapping above `{part}`, found {}",
            it.kind()
        )),
    }
}

fn next_shape(rest: &[String], last: Shape) -> Shape {
    match rest.first() {
        None => last,
        Some(part)
            if list_index(part).is_some() || part.parse::<usize>().is_ok() || part == "-" =>
        {
            Shape::List
        }
        Some(_) => Shape::Map,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_in_brackets_and_after_backslashes_do_not_divide() {
        assert_eq!(
            split(r"spec.containers.[name=a.b].env.*.value"),
            ["spec", "containers", "[name=a.b]", "env", "*", "value"]
        );
        assert_eq!(
            split(r"metadata.annotations.config\.io/name"),
            ["metadata", "annotations", "config.io/name"]
        );
        assert_eq!(
            split("metadata.annotations[config.io/name]"),
            ["metadata", "annotations", "config.io/name"]
        );
    }
}
