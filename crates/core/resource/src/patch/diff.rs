//! The difference of two objects as a strategic merge patch, and the three-way patch of
//! `kubectl apply`.

use serde_json::{Map, Value, json};

use super::{
    PatchError,
    lists::{DIRECTIVE, Identity, sort_by, without_repeats},
    strategic::{ORDER, Purpose, REMOVE, RETAIN, merge_maps},
};
use crate::{
    kinds::Kind,
    schema::{self, Place},
};

/// Which half of a difference is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Changes,
    Deletions,
}

/// Whether a map's patch must list the keys that stay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retain {
    No,
    Keys,
}

/// The strategic patch that `kubectl apply` sends.
///
/// What `modified` sets and `live` lacks is set; what `original` (the last applied manifest) had and
/// `modified` lacks is deleted; what others added to `live` stays. An empty object means that
/// nothing is to be done.
///
/// # Errors
///
/// [`PatchError::Malformed`] when an item of a merged list lacks its merge key.
pub fn three_way(
    kind: &Kind,
    original: Option<&Value>,
    modified: &Value,
    live: &Value,
) -> Result<Value, PatchError> {
    let map = |value: Option<&Value>| {
        value
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let (original, modified, live) = (map(original), map(Some(modified)), map(Some(live)));
    let place = schema::of(kind);
    let changes = diff_maps(&live, &modified, place, Half::Changes, Retain::No)?;
    let deletions = diff_maps(&original, &modified, place, Half::Deletions, Retain::No)?;
    Ok(Value::Object(merge_maps(
        deletions,
        changes,
        place,
        Purpose::Combine,
    )?))
}

fn diff_maps(
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    place: Option<Place>,
    half: Half,
    retain: Retain,
) -> Result<Map<String, Value>, PatchError> {
    let mut patch = Map::new();
    for (name, wanted) in to {
        let field = place.and_then(|it| it.field(name));
        match (from.get(name), wanted) {
            (Some(Value::Object(current)), Value::Object(wanted)) => {
                diff_object(&mut patch, name, current, wanted, field, half)?;
            }
            (Some(Value::Array(current)), Value::Array(wanted))
                if field.is_some_and(|it| it.has_strategy("merge")) =>
            {
                diff_list(&mut patch, name, current, wanted, field, half)?;
            }
            (current, wanted) => {
                if half == Half::Changes && !current.is_some_and(|it| same(it, wanted)) {
                    patch.insert(name.clone(), wanted.clone());
                }
            }
        }
    }
    if half == Half::Deletions {
        for name in from.keys().filter(|name| !to.contains_key(*name)) {
            patch.insert(name.clone(), Value::Null);
        }
    }
    if retain == Retain::Keys {
        let has_more = from
            .iter()
            .any(|(name, it)| !it.is_null() && !to.contains_key(name));
        let mut kept: Vec<&String> = to
            .iter()
            .filter(|(_, it)| !it.is_null())
            .map(|(name, _)| name)
            .collect();
        kept.sort();
        if !kept.is_empty() && (!patch.is_empty() || has_more) {
            patch.insert(RETAIN.to_owned(), json!(kept));
        }
    }
    Ok(patch)
}

/// Equal also when one number is written as a float: JSON knows one kind of number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        _ => left == right,
    }
}

fn diff_object(
    patch: &mut Map<String, Value>,
    name: &str,
    current: &Map<String, Value>,
    wanted: &Map<String, Value>,
    field: Option<Place>,
    half: Half,
) -> Result<(), PatchError> {
    if field.is_some_and(|it| it.has_strategy("replace")) {
        if half == Half::Changes {
            patch.insert(name.to_owned(), Value::Object(wanted.clone()));
        }
        return Ok(());
    }
    let retains = field.is_some_and(|it| it.has_strategy("retainKeys"));
    let retain = if retains { Retain::Keys } else { Retain::No };
    let inner = diff_maps(current, wanted, field, half, retain)?;
    if !inner.is_empty() {
        patch.insert(name.to_owned(), Value::Object(inner));
    }
    Ok(())
}

fn diff_list(
    patch: &mut Map<String, Value>,
    name: &str,
    current: &[Value],
    wanted: &[Value],
    field: Option<Place>,
    half: Half,
) -> Result<(), PatchError> {
    if current.is_empty() {
        if half == Half::Changes && !wanted.is_empty() {
            patch.insert(name.to_owned(), Value::from(wanted));
        }
        return Ok(());
    }
    let holds_maps = current.iter().chain(wanted).any(Value::is_object);
    if !holds_maps {
        diff_scalars(patch, name, current, wanted, half);
        return Ok(());
    }
    let Some(key) = field.and_then(Place::merge_key) else {
        return Err(PatchError::Malformed(
            "cannot merge lists without merge key".to_owned(),
        ));
    };
    let retains = field.is_some_and(|it| it.has_strategy("retainKeys"));
    let retain = if retains { Retain::Keys } else { Retain::No };
    let items = field.and_then(Place::items);
    let changes = diff_items(current, wanted, key, items, half, retain)?;
    let same_order = current.len() == wanted.len()
        && current
            .iter()
            .zip(wanted)
            .all(|(left, right)| left.get(key) == right.get(key));
    if !changes.is_empty() || (half == Half::Changes && !same_order) {
        let order: Vec<Value> = wanted.iter().map(|it| json!({ key: it[key] })).collect();
        patch.insert(format!("{ORDER}/{name}"), Value::Array(order));
    }
    if !changes.is_empty() {
        patch.insert(name.to_owned(), Value::Array(changes));
    }
    Ok(())
}

fn diff_items(
    current: &[Value],
    wanted: &[Value],
    key: &str,
    items: Option<Place>,
    half: Half,
    retain: Retain,
) -> Result<Vec<Value>, PatchError> {
    if let Some(item) = current
        .iter()
        .chain(wanted)
        .find(|it| it.get(key).is_none())
    {
        let message = format!("map: {item} does not contain declared merge key: {key}");
        return Err(PatchError::Malformed(message));
    }
    let mut changes = Vec::new();
    for item in wanted {
        let Some(fields) = item.as_object() else {
            continue;
        };
        let known = current.iter().find(|it| it.get(key) == item.get(key));
        match known.and_then(Value::as_object) {
            Some(known) => {
                let mut inner = diff_maps(known, fields, items, half, retain)?;
                if !inner.is_empty() {
                    inner.insert(key.to_owned(), item[key].clone());
                    changes.push(Value::Object(inner));
                }
            }
            None if half == Half::Changes => changes.push(item.clone()),
            None => {}
        }
    }
    sort_by(&mut changes, wanted, Identity(Some(key)));
    if half == Half::Deletions {
        let mut gone: Vec<&Value> = current
            .iter()
            .filter(|item| !wanted.iter().any(|it| it.get(key) == item.get(key)))
            .collect();
        gone.sort_by_key(|it| text(&it[key]));
        changes.extend(
            gone.iter()
                .map(|it| json!({ DIRECTIVE: "delete", key: it[key] })),
        );
    }
    Ok(changes)
}

/// A scalar as the original's sort sees it: printed, without quotes.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn diff_scalars(
    patch: &mut Map<String, Value>,
    name: &str,
    current: &[Value],
    wanted: &[Value],
    half: Half,
) {
    let missing = |from: &[Value], list: &[Value]| {
        let mut found = without_repeats(list.iter().filter(|it| !from.contains(it)).cloned());
        found.sort_by_key(text);
        found
    };
    let order = format!("{ORDER}/{name}");
    match half {
        Half::Changes if current != wanted => {
            let mut added = missing(current, wanted);
            sort_by(&mut added, wanted, Identity(None));
            if !added.is_empty() {
                patch.insert(name.to_owned(), Value::Array(added));
            }
            if !wanted.is_empty() {
                patch.insert(order, Value::from(wanted));
            }
        }
        Half::Deletions => {
            let removed = missing(wanted, current);
            if !removed.is_empty() {
                patch.insert(format!("{REMOVE}/{name}"), Value::Array(removed));
                if !wanted.is_empty() {
                    patch.insert(order, Value::from(wanted));
                }
            }
        }
        Half::Changes => {}
    }
}
