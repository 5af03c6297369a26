//! Strategic merge: a merge patch that knows which lists are really maps.

use serde_json::{Map, Value};

use super::{
    PatchError,
    lists::{
        DIRECTIVE, Identity, deletes, merge_lists, parallel_lists, reorder, unknown_directive,
        without_repeats,
    },
};
use crate::{
    kinds::Kind,
    schema::{self, Place},
};

pub(super) const ORDER: &str = "$setElementOrder";
pub(super) const REMOVE: &str = "$deleteFromPrimitiveList";
pub(super) const RETAIN: &str = "$retainKeys";

/// Why two maps are merged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A patch is applied to an object.
    Apply,
    /// Two patches become one: directives stay as they are.
    Combine,
}

/// Applies a strategic merge patch by the merge keys of `kind`.
///
/// # Errors
///
/// [`PatchError::Malformed`] when the patch or one of its directives is not what the form allows.
pub fn strategic(kind: &Kind, target: &Value, patch: &Value) -> Result<Value, PatchError> {
    let (Some(target), Some(patch)) = (target.as_object(), patch.as_object()) else {
        return Err(PatchError::Malformed("invalid JSON document".to_owned()));
    };
    let merged = merge_maps(
        target.clone(),
        patch.clone(),
        schema::of(kind),
        Purpose::Apply,
    )?;
    Ok(Value::Object(merged))
}

pub(super) fn merge_maps(
    mut original: Map<String, Value>,
    mut patch: Map<String, Value>,
    place: Option<Place>,
    purpose: Purpose,
) -> Result<Map<String, Value>, PatchError> {
    match patch
        .get(DIRECTIVE)
        .map(|it| it.as_str().unwrap_or_default())
    {
        None => {}
        Some("replace") => {
            patch.shift_remove(DIRECTIVE);
            return Ok(patch);
        }
        Some("delete") => return Ok(Map::new()),
        Some(other) => return Err(unknown_directive(other, &Value::Object(patch.clone()))),
    }
    retain_keys(&mut original, &mut patch, purpose)?;
    for (key, field) in parallel_lists(&patch, ORDER) {
        merge_ordered(&mut original, &mut patch, &key, &field, place, purpose)?;
    }
    for (key, field) in parallel_lists(&patch, REMOVE) {
        remove_scalars(&mut original, &mut patch, key, &field, purpose)?;
    }
    for (name, value) in patch {
        merge_field(&mut original, name, value, place, purpose)?;
    }
    Ok(original)
}

fn merge_field(
    original: &mut Map<String, Value>,
    name: String,
    value: Value,
    place: Option<Place>,
    purpose: Purpose,
) -> Result<(), PatchError> {
    if value.is_null() && purpose == Purpose::Apply {
        original.shift_remove(&name);
        return Ok(());
    }
    let field = place.and_then(|it| it.field(&name));
    let merged = match (original.get(&name).cloned(), value) {
        (Some(Value::Object(current)), Value::Object(fields)) => {
            if field.is_some_and(|it| it.has_strategy("replace")) {
                Value::Object(fields)
            } else {
                Value::Object(merge_maps(current, fields, field, purpose)?)
            }
        }
        (Some(Value::Array(current)), Value::Array(items)) => match field {
            Some(field) if field.has_strategy("merge") => {
                let key = field.merge_key();
                Value::Array(merge_lists(current, items, field.items(), key, purpose)?)
            }
            _ => Value::Array(items),
        },
        (_, value) => match plain(value, purpose) {
            Some(value) => value,
            None => {
                original.shift_remove(&name);
                return Ok(());
            }
        },
    };
    original.insert(name, merged);
    Ok(())
}

/// What a patch value becomes where there is nothing to merge it with: directives go, and so do
/// nulls once it is part of an object. `None` when the value itself is a directive.
fn plain(value: Value, purpose: Purpose) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .filter(|(_, it)| !it.is_null() || purpose == Purpose::Combine);
            let kept = fields.filter_map(|(name, it)| Some((name, plain(it, purpose)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(
            items
                .into_iter()
                .filter_map(|it| plain(it, purpose))
                .collect(),
        )),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value),
    }
}

fn retain_keys(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    purpose: Purpose,
) -> Result<(), PatchError> {
    let Some(directive) = patch.shift_remove(RETAIN) else {
        return Ok(());
    };
    let wrong = || PatchError::Malformed("invalid patch format of retainKeys".to_owned());
    if purpose == Purpose::Combine {
        if original.get(RETAIN).is_some_and(|it| *it != directive) {
            return Err(wrong());
        }
        original.insert(RETAIN.to_owned(), directive);
        return Ok(());
    }
    let retained = directive.as_array().ok_or_else(wrong)?;
    let is_retained = |name: &str| retained.iter().any(|it| it == name);
    let unlisted = patch.iter().any(|(name, value)| {
        !value.is_null()
            && !name.starts_with(ORDER)
            && !name.starts_with(REMOVE)
            && !is_retained(name)
    });
    if unlisted {
        return Err(wrong());
    }
    original.retain(|name, _| is_retained(name));
    Ok(())
}

/// Merges a list that comes with `$setElementOrder`, and takes both out of the patch.
fn merge_ordered(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    key: &str,
    field: &str,
    place: Option<Place>,
    purpose: Purpose,
) -> Result<(), PatchError> {
    let wrong = || PatchError::Malformed("invalid patch format of setElementOrder list".to_owned());
    let Some(Value::Array(order)) = patch.shift_remove(key) else {
        return Err(wrong());
    };
    if purpose == Purpose::Combine {
        let order = Value::Array(order.clone());
        if original.get(key).is_some_and(|it| *it != order) {
            return Err(wrong());
        }
        original.insert(key.to_owned(), order);
    }
    let place = place.and_then(|it| it.field(field));
    let merge_key = place.and_then(Place::merge_key);
    let identity = Identity(merge_key);
    let current = original
        .get(field)
        .map(|it| it.as_array().cloned().ok_or_else(wrong))
        .transpose()?;
    let patched = patch
        .get(field)
        .map(|it| it.as_array().cloned().ok_or_else(wrong))
        .transpose()?;
    check_order(patched.as_deref().unwrap_or_default(), &order, identity)?;
    let server = current.clone().unwrap_or_default();
    let merged = match (current, patched) {
        (None, None) => return Ok(()),
        (Some(current), None) => current,
        (None, Some(patched)) => patched
            .into_iter()
            .filter_map(|it| plain(it, Purpose::Combine))
            .collect(),
        (Some(current), Some(patched)) => match place {
            Some(place) if place.has_strategy("merge") => {
                merge_lists(current, patched, place.items(), merge_key, purpose)?
            }
            _ => patched,
        },
    };
    patch.shift_remove(field);
    original.insert(
        field.to_owned(),
        Value::Array(reorder(merged, &order, &server, identity)),
    );
    Ok(())
}

/// The patch's items must stand in the order that `$setElementOrder` gives.
fn check_order(
    patched: &[Value],
    order: &[Value],
    identity: Identity<'_>,
) -> Result<(), PatchError> {
    if patched.is_empty() || order.is_empty() {
        return Ok(());
    }
    let kept = |it: &&Value| !deletes(it) && it.get(DIRECTIVE).is_none();
    let mut rest = order.iter();
    for item in patched.iter().filter(kept) {
        if !rest.any(|it| identity.same(it, item)) {
            let (patched, order) = (Value::from(patched), Value::from(order));
            return Err(PatchError::Malformed(format!(
                "The order in patch list:\n{patched}\n doesn't match {ORDER} list:\n{order}\n"
            )));
        }
    }
    Ok(())
}

fn remove_scalars(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    key: String,
    field: &str,
    purpose: Purpose,
) -> Result<(), PatchError> {
    let Some(removed) = patch.shift_remove(&key) else {
        return Ok(());
    };
    if purpose == Purpose::Combine {
        original.insert(key, removed);
        return Ok(());
    }
    let Value::Array(removed) = removed else {
        return Err(PatchError::Malformed(
            "invalid patch format of primitive list".to_owned(),
        ));
    };
    if let Some(Value::Array(current)) = original.get_mut(field) {
        *current = without_repeats(current.drain(..).filter(|it| !removed.contains(it)));
    }
    Ok(())
}
