//! Strategic merge as the original does it: lists by merge keys, directives, nulls that delete.
//!
//! Its oddities are kept, because manifests depend on them: an object that is
//! patched anywhere loses its fields without value, items of a patch lead, and
//! a `$patch: replace` in an item of a list that merges by one key has no effect.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    node::{Map, Node, Shape, Tag},
    schema::{Place, Schemas},
};

const DIRECTIVE: &str = "$patch";

/// Merges `patch` into `dest`; `None` when the patch deletes the object.
///
/// # Errors
///
/// Shapes that do not fit, unknown directives.
pub fn merge(schemas: &Schemas, dest: Node, patch: Node) -> Result<Option<Node>, String> {
    let walker = Walker { schemas };
    Ok(walker.walk(None, Some(dest), Some(patch))?.into_node())
}

struct Walker<'a> {
    schemas: &'a Schemas,
}

/// What came of two nodes: the one that was there, changed or not, or the patch's.
enum Outcome {
    Cleared,
    Dest(Node),
    Patch(Node),
}

impl Outcome {
    fn into_node(self) -> Option<Node> {
        match self {
            Self::Cleared => None,
            Self::Dest(it) | Self::Patch(it) => Some(it),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn is_missing_or_null(node: Option<&Node>) -> bool {
    node.is_none_or(Node::is_null)
}

impl<'a> Walker<'a> {
    fn walk(
        &self,
        place: Option<Place<'a>>,
        dest: Option<Node>,
        patch: Option<Node>,
    ) -> Result<Outcome, String> {
        let place = place.or_else(|| {
            self.typed(dest.as_ref())
                .or_else(|| self.typed(patch.as_ref()))
        });
        let shape = [dest.as_ref(), patch.as_ref()]
            .into_iter()
            .flatten()
            .find(|it| !it.is_null())
            .map(Node::shape);
        if let Some(shape) = shape {
            for node in [dest.as_ref(), patch.as_ref()].into_iter().flatten() {
                if !node.is_null() && node.shape() != shape {
                    return Err(format!(
                        "the patch has {} where the object has {}",
                        patch.as_ref().map_or("nothing", Node::kind),
                        dest.as_ref().map_or("nothing", Node::kind)
                    ));
                }
            }
        }
        match shape {
            Some(Shape::Map) | None => self.walk_map(place, dest, patch),
            Some(Shape::List) => match place.as_ref().and_then(|it| it.merge_keys()) {
                Some(keys) => {
                    let keys = keys.to_vec();
                    self.walk_keyed_list(place.as_ref(), &keys, dest, patch)
                }
                None => Ok(replaced(dest, patch)),
            },
            Some(Shape::Scalar) => Ok(replaced(dest, patch)),
        }
    }

    /// The schema of an object that names its own kind, also inside another object.
    fn typed(&self, node: Option<&Node>) -> Option<Place<'a>> {
        let node = node?;
        let kind = node.get("kind")?.as_text();
        let version = node.get("apiVersion")?.as_text();
        self.schemas.of(version, kind)
    }

    fn walk_map(
        &self,
        place: Option<Place<'a>>,
        dest: Option<Node>,
        mut patch: Option<Node>,
    ) -> Result<Outcome, String> {
        if is_missing_or_null(dest.as_ref()) {
            let directive = take_directive(patch.as_mut()).unwrap_or(Directive::Merge);
            if directive == Directive::Delete {
                return Ok(Outcome::Cleared);
            }
            return match (dest, patch) {
                (Some(dest), None) if !dest.as_text().is_empty() => {
                    // A null that was written out stays.
                    Ok(Outcome::Patch(Node::tagged(dest.as_text(), Tag::Unset)))
                }
                (_, None) => Ok(Outcome::Cleared),
                (_, Some(patch)) => self.fields(place, patch.clone(), Some(patch), Outcome::Patch),
            };
        }
        if patch.as_ref().is_some_and(Node::is_null) {
            return Ok(Outcome::Cleared);
        }
        match take_directive(patch.as_mut())? {
            Directive::Delete => Ok(Outcome::Cleared),
            Directive::Replace => {
                let patch = patch.unwrap_or_else(|| Node::empty(Shape::Map));
                self.fields(place, patch.clone(), Some(patch), Outcome::Patch)
            }
            Directive::Merge => match dest {
                Some(mut dest) => {
                    // What a patch adds is merged with itself, directives and all.
                    if let Some(map) = dest.as_map_mut() {
                        map.remove(DIRECTIVE);
                    }
                    self.fields(place, dest, patch, Outcome::Dest)
                }
                None => Ok(Outcome::Cleared),
            },
        }
    }

    /// Walks every field of both mappings and writes what comes of it into `dest`.
    fn fields(
        &self,
        place: Option<Place<'a>>,
        dest: Node,
        patch: Option<Node>,
        outcome: fn(Node) -> Outcome,
    ) -> Result<Outcome, String> {
        let Node::Map(dest) = dest else {
            return Ok(outcome(dest));
        };
        let mut patch = match patch {
            Some(Node::Map(map)) => map,
            _ => Map::new(),
        };
        let before = dest.clone();
        let mut result = Map::new();
        let mut walk_field = |key: &Arc<str>, dest, patch| -> Result<(), String> {
            let inner = place.as_ref().and_then(|it| it.field(key));
            let walked = self
                .walk(inner, dest, patch)
                .map_err(|error| within(key, &error))?
                .into_node();
            if let Some(value) = walked.filter(|it| !it.is_null()) {
                result.push_from(&before, key, value);
            }
            Ok(())
        };
        let mut seen = BTreeSet::new();
        for (key, value) in dest.into_entries() {
            let other = patch.remove(&key);
            seen.insert(Arc::clone(&key));
            walk_field(&key, Some(value), other)?;
        }
        for (key, value) in patch.into_entries() {
            if !seen.contains(&key) {
                walk_field(&key, None, Some(value))?;
            }
        }
        Ok(outcome(Node::Map(result)))
    }

    fn walk_keyed_list(
        &self,
        place: Option<&Place<'a>>,
        keys: &[String],
        dest: Option<Node>,
        mut patch: Option<Node>,
    ) -> Result<Outcome, String> {
        let (target, outcome): (Node, fn(Node) -> Outcome) = if is_missing_or_null(dest.as_ref()) {
            match patch.clone() {
                Some(patch) => (patch, Outcome::Patch),
                None => return Ok(Outcome::Cleared),
            }
        } else if patch.as_ref().is_some_and(Node::is_null) {
            return Ok(Outcome::Cleared);
        } else {
            match take_list_directive(patch.as_mut())? {
                Directive::Delete => return Ok(Outcome::Cleared),
                Directive::Replace => (
                    patch.clone().unwrap_or_else(|| Node::empty(Shape::List)),
                    Outcome::Patch,
                ),
                Directive::Merge => (
                    dest.unwrap_or_else(|| Node::empty(Shape::List)),
                    Outcome::Dest,
                ),
            }
        };
        let Node::List(target) = target else {
            return Ok(outcome(target));
        };
        let patch = match patch {
            Some(Node::List(items)) => items,
            _ => Vec::new(),
        };
        let items = place.map(Place::items);
        let merged = if keys.is_empty() {
            merge_scalars(target, &patch)
        } else {
            self.merge_items(items, keys, target, patch)?
        };
        Ok(outcome(Node::List(merged)))
    }

    fn merge_items(
        &self,
        place: Option<Place<'a>>,
        keys: &[String],
        mut dest: Vec<Node>,
        patch: Vec<Node>,
    ) -> Result<Vec<Node>, String> {
        let mut identities: Vec<Vec<String>> = Vec::new();
        for item in patch.iter().chain(&dest) {
            let identity = identity(item, keys);
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
        if identities.is_empty() {
            return Ok(dest);
        }
        if keys.len() > 1 {
            join_partial(&mut identities);
        }
        let (used, all) = used_keys(&identities, keys);
        let mut lead: Vec<Node> = Vec::new();
        for identity in &identities {
            let values: Vec<&str> = identity
                .iter()
                .enumerate()
                .filter(|(index, _)| all || used.contains(index))
                .map(|(_, value)| value.as_str())
                .collect();
            let names: Vec<&str> = keys
                .iter()
                .enumerate()
                .filter(|(index, _)| all || used.contains(index))
                .map(|(_, key)| key.as_str())
                .collect();
            let index = find(&dest, &names, &values);
            let other = find(&patch, &names, &values)
                .and_then(|it| patch.get(it))
                .cloned();
            let before = index.and_then(|it| dest.get(it)).cloned();
            let walked = self.walk(place.clone(), before, other)?;
            let (mut value, is_dest) = match walked {
                Outcome::Cleared => {
                    set_item(&mut dest, &names, &values, None);
                    continue;
                }
                Outcome::Dest(it) => (it, true),
                Outcome::Patch(it) => (it, false),
            };
            if value.is_null() || value.as_map().is_some_and(Map::is_empty) {
                set_item(&mut dest, &names, &values, None);
                continue;
            }
            if let Node::Map(map) = &mut value {
                for (name, text) in names.iter().zip(&values) {
                    if !map.contains(name) && !text.is_empty() {
                        map.set(*name, Node::tagged(*text, Tag::Unset));
                    }
                }
            }
            if let Some(place) = index.filter(|_| is_dest).and_then(|it| dest.get_mut(it)) {
                *place = value.clone();
            }
            set_item(&mut lead, &names, &values, Some(&value));
        }
        let names: Vec<&str> = keys
            .iter()
            .enumerate()
            .filter(|(index, _)| all || used.contains(index))
            .map(|(_, key)| key.as_str())
            .collect();
        append(&mut lead, &dest, &names);
        Ok(lead)
    }
}

fn within(key: &str, error: &str) -> String {
    match error.strip_prefix("at `") {
        Some(rest) => format!("at `{key}.{rest}"),
        None => format!("at `{key}`: {error}"),
    }
}

fn replaced(dest: Option<Node>, patch: Option<Node>) -> Outcome {
    match (dest, patch) {
        (dest, Some(patch)) => Outcome::Patch(patch.in_place_of(dest.as_ref())),
        (Some(dest), None) => Outcome::Dest(dest),
        (None, None) => Outcome::Cleared,
    }
}

fn directive(word: &str) -> Result<Directive, String> {
    match word {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        other => Err(format!(
            "unknown directive `$patch: {other}`, expected merge, replace or delete"
        )),
    }
}

fn take_directive(patch: Option<&mut Node>) -> Result<Directive, String> {
    let Some(Node::Map(map)) = patch else {
        return Ok(Directive::Merge);
    };
    match map.get(DIRECTIVE) {
        None => Ok(Directive::Merge),
        Some(word) => {
            let found = directive(word.as_text())?;
            map.remove(DIRECTIVE);
            Ok(found)
        }
    }
}

/// A directive for a whole list is an item that holds nothing else.
fn take_list_directive(patch: Option<&mut Node>) -> Result<Directive, String> {
    let Some(Node::List(items)) = patch else {
        return Ok(Directive::Merge);
    };
    let first = items.iter().position(|it| it.get(DIRECTIVE).is_some());
    let Some(index) = first else {
        return Ok(Directive::Merge);
    };
    match items.get(index).and_then(Node::as_map) {
        Some(map) if map.len() == 1 => {
            let word = map
                .get(DIRECTIVE)
                .map(Node::as_text)
                .unwrap_or_default()
                .to_owned();
            let found = directive(&word)?;
            items.retain(|it| it.get(DIRECTIVE).is_none_or(|it| it.as_text() != word));
            Ok(found)
        }
        _ => Ok(Directive::Merge),
    }
}

fn merge_scalars(dest: Vec<Node>, patch: &[Node]) -> Vec<Node> {
    let mut merged: Vec<Node> = Vec::new();
    for item in patch.iter().chain(&dest) {
        if !item.is_null() && !merged.iter().any(|it| it.as_text() == item.as_text()) {
            merged.push(item.clone());
        }
    }
    merged
}

/// The values of an item's merge keys; empty where it has none.
fn identity(item: &Node, keys: &[String]) -> Vec<String> {
    keys.iter()
        .map(|key| {
            item.get(key)
                .filter(|it| !it.is_nil_or_empty())
                .map(Node::as_text)
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

/// Items that differ only where one says nothing are one: a port with and without protocol.
fn join_partial(identities: &mut [Vec<String>]) {
    for left in 0..identities.len() {
        // The original goes on with the values as they were before the first match.
        let Some(one) = identities.get(left).cloned() else {
            continue;
        };
        for right in 0..identities.len() {
            let Some(other) = identities.get(right) else {
                continue;
            };
            if let Some(joined) = joined(&one, other) {
                if let Some(place) = identities.get_mut(left) {
                    place.clone_from(&joined);
                }
                if let Some(place) = identities.get_mut(right) {
                    *place = joined;
                }
            }
        }
    }
}

fn joined(left: &[String], right: &[String]) -> Option<Vec<String>> {
    let mut common = false;
    let mut result = Vec::with_capacity(left.len());
    for (one, other) in left.iter().zip(right) {
        if one == other {
            common = true;
            result.push(one.clone());
        } else if one.is_empty() {
            result.push(other.clone());
        } else if other.is_empty() {
            result.push(one.clone());
        } else {
            return None;
        }
    }
    common.then_some(result)
}

/// Which of the keys any item has; all of them when none has any.
fn used_keys(identities: &[Vec<String>], keys: &[String]) -> (Vec<usize>, bool) {
    let used: Vec<usize> = (0..keys.len())
        .filter(|index| {
            identities
                .iter()
                .any(|it| it.get(*index).is_some_and(|value| !value.is_empty()))
        })
        .collect();
    let none = used.is_empty();
    (used, none)
}

/// The first item whose keys have these values; keys without value do not count unless all are.
fn find(items: &[Node], names: &[&str], values: &[&str]) -> Option<usize> {
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .zip(values)
        .map(|(name, value)| (*name, *value))
        .collect();
    let counted: Vec<&(&str, &str)> = if pairs.iter().any(|(_, value)| !value.is_empty()) {
        pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .collect()
    } else {
        pairs.iter().collect()
    };
    items.iter().position(|item| {
        item.as_map().is_some()
            && counted
                .iter()
                .all(|(name, value)| item.get(name).is_some_and(|it| it.as_text() == *value))
    })
}

/// Puts an item in place of those with the same keys, or at the end; without item, takes them out.
fn set_item(list: &mut Vec<Node>, names: &[&str], values: &[&str], item: Option<&Node>) {
    let maps_only = names.first().is_some_and(|it| !it.is_empty())
        && values.first().is_some_and(|it| !it.is_empty());
    let mut found = false;
    let mut kept = Vec::with_capacity(list.len() + 1);
    for old in list.drain(..) {
        if old.is_null() || old.as_map().is_some_and(Map::is_empty) {
            continue;
        }
        if old.as_map().is_none() && maps_only {
            kept.push(old);
            continue;
        }
        let mut matches = false;
        for (index, name) in names.iter().enumerate() {
            // A key beyond the values repeats the last answer.
            if let Some(value) = values.get(index) {
                matches = old
                    .get(name)
                    .is_some_and(|it| value.is_empty() || it.as_text() == *value);
            }
            if !matches {
                break;
            }
        }
        if !matches {
            if !values.is_empty() {
                kept.push(old);
            }
            continue;
        }
        found = true;
        kept.extend(item.cloned());
    }
    *list = kept;
    if let Some(item) = item.filter(|it| !it.is_null() && !found) {
        list.push(item.clone());
    }
}

/// Adds the items of `tail`, each in place of an item with the same keys.
fn append(lead: &mut Vec<Node>, tail: &[Node], names: &[&str]) {
    for item in tail {
        let mut values = Vec::new();
        for name in names {
            match item.get(name) {
                Some(value) => values.push(value.as_text()),
                None => lead.push(item.clone()),
            }
        }
        if names.len() > 1 {
            set_item(lead, names, &values, None);
        }
        set_item(lead, names, &values, Some(item));
    }
}
