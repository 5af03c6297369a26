//! Lists of a strategic merge: found by merge key, merged, ordered.

use serde_json::{Map, Value};

use super::{
    PatchError,
    strategic::{Purpose, merge_maps},
};
use crate::schema::Place;

pub(super) const DIRECTIVE: &str = "$patch";

/// What a list's items are compared by: their merge key, or themselves.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a>(pub Option<&'a str>);

impl Identity<'_> {
    fn of<'v>(&self, item: &'v Value) -> Option<&'v Value> {
        match self.0 {
            Some(key) => item.get(key),
            None => Some(item),
        }
    }

    pub(super) fn same(self, left: &Value, right: &Value) -> bool {
        self.of(left).is_some() && self.of(left) == self.of(right)
    }

    fn position(self, list: &[Value], item: &Value) -> Option<usize> {
        let wanted = self.of(item)?;
        list.iter().position(|it| self.of(it) == Some(wanted))
    }
}

/// Merges `patch` into `original` item by item; items of the patch lead, in the patch's order.
pub(super) fn merge_lists(
    original: Vec<Value>,
    patch: Vec<Value>,
    items: Option<Place>,
    key: Option<&str>,
    purpose: Purpose,
) -> Result<Vec<Value>, PatchError> {
    let holds_maps = original.iter().chain(&patch).any(Value::is_object);
    if !holds_maps {
        let merged = without_repeats(original.iter().chain(&patch).cloned());
        return Ok(reorder(merged, &patch, &original, Identity(None)));
    }
    let Some(key) = key else {
        return Err(PatchError::Malformed(
            "cannot merge lists without merge key".to_owned(),
        ));
    };
    require_key(&original, key)?;
    require_key(&patch, key)?;
    let (mut merged, patch) = carry_out_directives(original, patch, key)?;
    let before = merged.clone();
    for item in &patch {
        let Value::Object(fields) = item.clone() else {
            continue;
        };
        match Identity(Some(key)).position(&merged, item) {
            Some(index) => {
                let current = merged[index].as_object().cloned().unwrap_or_default();
                merged[index] = Value::Object(merge_maps(current, fields, items, purpose)?);
            }
            None => merged.push(Value::Object(fields)),
        }
    }
    Ok(reorder(merged, &patch, &before, Identity(Some(key))))
}

fn require_key(list: &[Value], key: &str) -> Result<(), PatchError> {
    for item in list {
        let Some(fields) = item.as_object() else {
            return Err(PatchError::Malformed(
                "list element types are not identical".to_owned(),
            ));
        };
        let replaces = fields.get(DIRECTIVE).is_some_and(|it| it == "replace");
        if !fields.contains_key(key) && !replaces {
            let message = format!("map: {item} does not contain declared merge key: {key}");
            return Err(PatchError::Malformed(message));
        }
    }
    Ok(())
}

/// Takes the items with a `$patch` marker out of `patch` and does what they say.
fn carry_out_directives(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut plain = Vec::new();
    let mut replaces = false;
    for item in patch {
        match item
            .get(DIRECTIVE)
            .map(|it| it.as_str().unwrap_or_default())
        {
            None => plain.push(item),
            Some("delete") => original.retain(|it| it.get(key) != item.get(key)),
            Some("replace") => replaces = true,
            Some("merge") => {
                let message = "merging lists cannot yet be specified in the patch";
                return Err(PatchError::Malformed(message.to_owned()));
            }
            Some(other) => return Err(unknown_directive(other, &item)),
        }
    }
    Ok(if replaces {
        (plain, Vec::new())
    } else {
        (original, plain)
    })
}

pub(super) fn unknown_directive(directive: &str, map: &Value) -> PatchError {
    PatchError::Malformed(format!("unknown patch type: {directive} in map: {map}"))
}

/// Orders a merged list: items of `leading` in its order, the others where `server` had them.
pub(super) fn reorder(
    merged: Vec<Value>,
    leading: &[Value],
    server: &[Value],
    identity: Identity<'_>,
) -> Vec<Value> {
    let (mut ours, mut theirs): (Vec<_>, Vec<_>) = merged
        .into_iter()
        .partition(|it| identity.position(leading, it).is_some());
    sort_by(&mut ours, leading, identity);
    sort_by(&mut theirs, server, identity);

    let mut result = Vec::with_capacity(ours.len() + theirs.len());
    let (mut ours, mut theirs) = (ours.into_iter().peekable(), theirs.into_iter().peekable());
    while let (Some(our), Some(their)) = (ours.peek(), theirs.peek()) {
        let positions = (
            identity.position(server, their),
            identity.position(server, our),
        );
        let theirs_first = matches!(positions, (Some(their), Some(our)) if their < our);
        result.extend(if theirs_first {
            theirs.next()
        } else {
            ours.next()
        });
    }
    result.extend(ours);
    result.extend(theirs);
    result
}

/// Sorts as `order` has it; deletions come last.
pub(super) fn sort_by(list: &mut [Value], order: &[Value], identity: Identity<'_>) {
    list.sort_by_key(|item| (deletes(item), identity.position(order, item)));
}

pub(super) fn deletes(item: &Value) -> bool {
    item.get(DIRECTIVE).is_some_and(|it| it == "delete")
}

pub(super) fn without_repeats(items: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut result: Vec<Value> = Vec::new();
    for item in items {
        if !result.contains(&item) {
            result.push(item);
        }
    }
    result
}

/// The map's keys that start with `prefix/`, with the field each speaks about.
pub(super) fn parallel_lists(map: &Map<String, Value>, prefix: &str) -> Vec<(String, String)> {
    let field = |key: &String| {
        key.strip_prefix(prefix)?
            .strip_prefix('/')
            .map(str::to_owned)
    };
    map.keys()
        .filter_map(|key| Some((key.clone(), field(key)?)))
        .collect()
}
