//! Values as text, the way sprig turns anything into a string.

use std::borrow::Cow;

use gotemplate::{Text, Value};

/// sprig's `strval`: strings and bytes as they are, the rest as `%v` prints it.
pub(crate) fn show(value: &Value) -> Text {
    match value {
        Value::String(text) => text.clone(),
        Value::Bytes(bytes) => Text::from_bytes(bytes),
        _ => verb_v(value),
    }
}

/// As `%v` prints it.
pub(crate) fn verb_v(value: &Value) -> Text {
    gotemplate::sprint(std::slice::from_ref(value))
}

/// sprig's `strslice`: the texts of a list without its nils; anything else is a list of one.
pub(crate) fn texts(value: &Value) -> Vec<Text> {
    match crate::arguments::elements(value) {
        Some(items) => items.iter().filter(|it| !it.is_nil()).map(show).collect(),
        None if value.is_nil() => Vec::new(),
        None => vec![show(value)],
    }
}

/// Joins texts, whatever bytes they hold.
pub(crate) fn join(parts: &[Text], separator: &Text) -> Text {
    let parts: Vec<&[u8]> = parts.iter().map(Text::as_bytes).collect();
    let joined: Cow<'_, [u8]> = parts.join(separator.as_bytes()).into();
    Text::from_bytes(&joined)
}
