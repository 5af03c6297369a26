//! Field specs: where a transformer writes, and how the way there is walked.

use crate::{
    error::BuildError,
    id::Gvk,
    kustomization::FieldSpec,
    node::{Node, Shape},
};

/// What a transformer makes when the field is missing and its spec says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    Never,
    As(Shape),
}

impl FieldSpec {
    pub fn new(path: &str, create: bool) -> Self {
        Self {
            path: path.to_owned(),
            create,
            ..Self::default()
        }
    }

    pub fn of_kind(mut self, group: &str, kind: &str) -> Self {
        group.clone_into(&mut self.group);
        kind.clone_into(&mut self.kind);
        self
    }

    pub fn gvk(&self) -> Gvk {
        Gvk {
            group: self.group.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
        }
    }

    pub fn selects(&self, gvk: &Gvk) -> bool {
        (self.kind.is_empty() || self.kind == gvk.kind)
            && (self.group.is_empty() || self.group == gvk.group)
            && (self.version.is_empty() || self.version == gvk.version)
    }

    /// Whether `other` says nothing that this spec does not say: an empty part stands for all.
    fn covers(&self, other: &Self) -> bool {
        let part = |ours: &str, theirs: &str| theirs.is_empty() || ours == theirs;
        self.path == other.path
            && part(&self.group, &other.group)
            && part(&self.version, &other.version)
            && part(&self.kind, &other.kind)
    }
}

/// Adds specs that are new.
///
/// # Errors
///
/// Two specs of one place that disagree whether the field is made.
pub fn merge_specs(into: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Result<(), BuildError> {
    for spec in more {
        match into.iter().find(|it| it.covers(spec)) {
            None => into.push(spec.clone()),
            Some(old) if old.create == spec.create => {}
            Some(_) => {
                return Err(BuildError::new(format!(
                    "two field specs for `{}` of kind `{}` disagree about `create`",
                    spec.path, spec.kind
                )));
            }
        }
    }
    Ok(())
}

/// The parts of a path; `\/` is a slash within a part.
pub fn split_path(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.split('/') {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push('/');
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Calls `set` with every node that `spec` leads to in `object`.
///
/// # Errors
///
/// A scalar on the way, or what `set` refuses.
pub fn apply(
    object: &mut Node,
    gvk: &Gvk,
    spec: &FieldSpec,
    create: Create,
    set: &mut dyn FnMut(&mut Node) -> Result<(), String>,
) -> Result<(), BuildError> {
    if !spec.selects(gvk) {
        return Ok(());
    }
    let create = if spec.create { create } else { Create::Never };
    walk(object, &spec.path, create, set)
}

/// Calls `set` with every node at the end of `path`.
///
/// # Errors
///
/// A scalar on the way, or what `set` refuses.
pub fn walk(
    object: &mut Node,
    path: &str,
    create: Create,
    set: &mut dyn FnMut(&mut Node) -> Result<(), String>,
) -> Result<(), BuildError> {
    let found = if has_escapes(path) {
        step(object, Way::Parts(&split_path(path)), create, set)
    } else {
        step(object, Way::Text(path), create, set)
    };
    found.map_err(|error| BuildError::new(format!("`{path}`: {error}")))
}

fn has_escapes(path: &str) -> bool {
    path.as_bytes().contains(&b'\\')
}

/// Whether the way to the field begins at all: most objects have none of the fields.
pub fn may_have(node: &Node, path: &str) -> bool {
    if has_escapes(path) {
        return true;
    }
    let (mut node, mut way) = (node, Way::Text(path));
    while let Some((part, rest)) = way.split_first() {
        let Node::Map(map) = node else { return true };
        let Some(found) = map.get(part.strip_suffix("[]").unwrap_or(part)) else {
            return false;
        };
        (node, way) = (found, rest);
    }
    true
}

/// What is left of a path.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// Without escapes, so that it need not be taken apart beforehand.
    Text(&'a str),
    Parts(&'a [String]),
    Done,
}

impl<'a> Way<'a> {
    fn split_first(self) -> Option<(&'a str, Self)> {
        match self {
            Self::Text(path) => {
                let cut = path.bytes().position(|it| it == b'/');
                Some(match cut {
                    Some(cut) => (&path[..cut], Self::Text(&path[cut + 1..])),
                    None => (path, Self::Done),
                })
            }
            Self::Parts([part, rest @ ..]) => Some((part.as_str(), Self::Parts(rest))),
            Self::Parts([]) | Self::Done => None,
        }
    }

    fn is_empty(self) -> bool {
        matches!(self, Self::Parts([]) | Self::Done)
    }
}

fn step(
    node: &mut Node,
    path: Way<'_>,
    create: Create,
    set: &mut dyn FnMut(&mut Node) -> Result<(), String>,
) -> Result<(), String> {
    let Some((part, rest)) = path.split_first() else {
        return set(node);
    };
    if node.is_null() {
        return Ok(());
    }
    match node {
        Node::List(items) => items
            .iter_mut()
            .try_for_each(|item| step(item, path, create, set)),
        Node::Map(map) => {
            let (name, is_list) = match part.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (part, false),
            };
            let made = match create {
                Create::As(_) if is_list => None,
                Create::As(shape) if rest.is_empty() => Some(shape),
                Create::As(_) => Some(Shape::Map),
                Create::Never => None,
            };
            match (map.get_mut(name), made) {
                (None, None) => Ok(()),
                (None, Some(shape)) => {
                    let mut value = Node::empty(shape);
                    step(&mut value, rest, create, set)?;
                    map.set(name, value);
                    Ok(())
                }
                (Some(value), made) => {
                    if value.is_null() {
                        match made.or(is_list.then_some(Shape::List)) {
                            Some(shape) => *value = Node::empty(shape),
                            None if rest.is_empty() => {}
                            None => return Ok(()),
                        }
                    }
                    step(value, rest, create, set)
                }
            }
        }
        Node::Scalar(it) => Err(format!(
            "expected a list or a mapping above `{part}`, found `{}`",
            it.text
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slash_within_a_part_is_escaped() {
        assert_eq!(
            split_path(r"metadata/annotations/nginx.io\/auth"),
            ["metadata", "annotations", "nginx.io/auth"]
        );
    }
}
