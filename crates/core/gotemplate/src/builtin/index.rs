//! `index`, `slice`, `len`.

use crate::{
    error::FunctionError,
    exec::Call,
    function::Answer,
    gotype::{Kind, Type},
    text::Text,
    value::Value,
};

/// `index x 1 "a"` is `x[1]["a"]`.
pub(super) fn index(item: &Value, indexes: &[Value]) -> Answer {
    if item.is_nil() {
        return Err("index of untyped nil".into());
    }
    let mut item = item.clone();
    for index in indexes {
        item = match &item {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::List(list) => list[place(index, list.len(), "slice")?].clone(),
            Value::Bytes(bytes) => Value::Uint8(bytes[place(index, bytes.len(), "slice")?]),
            Value::String(text) => {
                Value::Uint8(text.as_bytes()[place(index, text.len(), "string")?])
            }
            Value::Map(map) => {
                let key = super::prepare(index, Type::String)?;
                let key = key.as_text().cloned().unwrap_or_default();
                map.get(&key).unwrap_or_else(|| Value::zero(map.element()))
            }
            other => return Err(format!("can't index item of type {}", pointed_type(other)).into()),
        };
    }
    Ok(item)
}

/// A place in a list; just behind its end Go fails later, and with other words.
fn place(index: &Value, len: usize, what: &str) -> Result<usize, FunctionError> {
    let place = bound(index, len)?;
    if place == len {
        return Err(format!("reflect: {what} index out of range").into());
    }
    Ok(place)
}

/// An index from 0 to `most`.
fn bound(index: &Value, most: usize) -> Result<usize, FunctionError> {
    let number = match (index.as_signed(), index.as_unsigned()) {
        (Some(signed), _) => signed,
        (None, Some(unsigned)) => unsigned.cast_signed(),
        (None, None) if index.is_nil() => return Err("cannot index slice/array with nil".into()),
        (None, None) => {
            return Err(format!("cannot index slice/array with type {}", index.type_name()).into());
        }
    };
    usize::try_from(number)
        .ok()
        .filter(|place| *place <= most)
        .ok_or_else(|| format!("index out of range: {number}").into())
}

/// `slice x 1 2` is `x[1:2]`.
pub(super) fn slice(call: &mut Call<'_>, item: &Value, indexes: &[Value]) -> Answer {
    if item.is_nil() {
        return Err("slice of untyped nil".into());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let len = match item {
        Value::String(_) if indexes.len() == 3 => {
            return Err("cannot 3-index slice a string".into());
        }
        Value::String(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Bytes(bytes) => bytes.len(),
        other => return Err(format!("can't slice item of type {}", pointed_type(other)).into()),
    };
    let mut bounds = [0, len, len];
    for (bound_at, index) in bounds.iter_mut().zip(indexes) {
        *bound_at = bound(index, len)?;
    }
    let [start, end, most] = bounds;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}").into());
    }
    if end > most {
        return Err(format!("invalid slice index: {end} > {most}").into());
    }
    call.budget()
        .take_memory((end - start) * size_of::<Value>())?;
    Ok(match item {
        Value::String(text) => Value::String(Text::from_bytes(&text.as_bytes()[start..end])),
        Value::List(list) => Value::typed_list(list.go_type(), list[start..end].to_vec()),
        Value::Bytes(bytes) => Value::Bytes(bytes[start..end].into()),
        _ => Value::Nil,
    })
}

pub(super) fn length(item: &Value) -> Answer {
    let len = match item {
        Value::String(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::Object(object) if object.kind() == Kind::String => match object.underlying() {
            Some(Value::String(text)) => text.len(),
            _ => 0,
        },
        other => return Err(format!("len of type {}", pointed_type(other)).into()),
    };
    Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX)))
}

/// The name of the type, of what a pointer points to.
fn pointed_type(value: &Value) -> String {
    let name = value.type_name();
    match value.kind() {
        Kind::Pointer => name.trim_start_matches('*').to_owned(),
        _ => name.into_owned(),
    }
}
