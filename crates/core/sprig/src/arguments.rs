//! Taking arguments apart. The engine has checked their number and types before.

use std::{borrow::Cow, rc::Rc};

use gotemplate::{Call, FunctionError, Kind, Map, Text, Value};

/// What Go says when a nil is asked for its type.
pub(crate) const NIL_POINTER: &str =
    "runtime error: invalid memory address or nil pointer dereference";

/// The argument at `at` as text; the signature promises that it is one.
pub(crate) fn text(arguments: &[Value], at: usize) -> &Text {
    const EMPTY: &Text = &Text::EMPTY;
    arguments.get(at).and_then(Value::as_text).unwrap_or(EMPTY)
}

/// As [`text`], with what is not UTF-8 replaced.
pub(crate) fn string(arguments: &[Value], at: usize) -> Cow<'_, str> {
    text(arguments, at).to_str()
}

pub(crate) fn integer(arguments: &[Value], at: usize) -> i64 {
    arguments.get(at).and_then(Value::as_signed).unwrap_or(0)
}

pub(crate) fn any(arguments: &[Value], at: usize) -> &Value {
    const NIL: &Value = &Value::Nil;
    arguments.get(at).unwrap_or(NIL)
}

/// The map at `at`; `None` for a nil one.
pub(crate) fn map(arguments: &[Value], at: usize) -> Option<&Rc<Map>> {
    arguments.get(at).and_then(Value::as_map)
}

/// The elements of whatever Go calls a slice.
pub(crate) fn elements(value: &Value) -> Option<Cow<'_, [Value]>> {
    match value {
        Value::List(list) => Some(Cow::Borrowed(list)),
        Value::Bytes(bytes) => Some(Cow::Owned(
            bytes.iter().map(|it| Value::Uint8(*it)).collect(),
        )),
        _ => None,
    }
}

/// The elements of a list, or Go's complaint, which `what` starts (`Cannot push on type`).
pub(crate) fn list_or<'a>(value: &'a Value, what: &str) -> Result<Cow<'a, [Value]>, FunctionError> {
    elements(value).ok_or_else(|| match value.kind() {
        Kind::Invalid => FunctionError::new(NIL_POINTER),
        kind => FunctionError::new(format!("{what} {}", kind.name())),
    })
}

/// Takes the memory of `count` values that a template asked for.
pub(crate) fn room_for(call: &mut Call<'_>, count: usize) -> Result<(), FunctionError> {
    call.budget().take_memory(count.saturating_mul(32))
}

/// Takes memory for a text that a template asked for.
pub(crate) fn room(call: &mut Call<'_>, bytes: usize) -> Result<(), FunctionError> {
    call.budget().take_memory(bytes)
}
