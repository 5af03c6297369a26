//! Strict reading of JSON into records, with the rules of Go's decoder.
//!
//! Names match without regard to case, null leaves a field as it was, unknown
//! names and wrong types are errors that name the nearest right one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{BuildError, nearest};

/// What can be read from JSON.
pub trait Decode: Sized {
    /// Reads `value`, which stands at the path `at`.
    ///
    /// # Errors
    ///
    /// The first field that is unknown or of a wrong type.
    fn decode(value: &Value, at: &str) -> Result<Self, BuildError>;
}

/// A record that can be part of another one, field by field.
pub trait Record: Sized + Default {
    fn names() -> Vec<&'static str>;

    /// Takes the field `name` (already in its right spelling); false when it is not one of ours.
    ///
    /// # Errors
    ///
    /// A value of a wrong type.
    fn take(&mut self, name: &str, value: &Value, at: &str) -> Result<bool, BuildError>;
}

/// Reads a whole record.
///
/// # Errors
///
/// As [`Decode::decode`].
pub fn record<T: Record>(value: &Value, at: &str) -> Result<T, BuildError> {
    let mut record = T::default();
    match value {
        Value::Null => {}
        Value::Object(map) => {
            let names = T::names();
            for (key, value) in map {
                let place = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                let name = names
                    .iter()
                    .find(|it| *it == key)
                    .or_else(|| names.iter().find(|it| it.eq_ignore_ascii_case(key)));
                let Some(name) = name else {
                    let error = BuildError::new(format!("unknown field `{place}`"));
                    return Err(match nearest(key, names) {
                        Some(near) => error.hint(format!("did you mean `{near}`?")),
                        None => error,
                    });
                };
                record.take(name, value, &place)?;
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(mismatch(at, "a mapping", value));
        }
    }
    Ok(record)
}

/// A value of a wrong type.
pub fn mismatch(at: &str, expected: &str, found: &Value) -> BuildError {
    let error = BuildError::new(format!(
        "`{at}`: expected {expected}, found {}",
        kind(found)
    ));
    match found {
        Value::Number(_) | Value::Bool(_) if expected == "text" => error.hint("put it in quotes"),
        _ => error,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

impl Decode for String {
    fn decode(value: &Value, at: &str) -> Result<Self, BuildError> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::String(it) => Ok(it.clone()),
            other => Err(mismatch(at, "text", other)),
        }
    }
}

impl Decode for bool {
    fn decode(value: &Value, at: &str) -> Result<Self, BuildError> {
        match value {
            Value::Null => Ok(false),
            Value::Bool(it) => Ok(*it),
            other => Err(mismatch(at, "a boolean", other)),
        }
    }
}

impl Decode for i64 {
    fn decode(value: &Value, at: &str) -> Result<Self, BuildError> {
        match value {
            Value::Null => Ok(0),
            other => other
                .as_i64()
                .ok_or_else(|| mismatch(at, "a whole number", other)),
        }
    }
}

impl Decode for Value {
    fn decode(value: &Value, _: &str) -> Result<Self, BuildError> {
        Ok(value.clone())
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(value: &Value, at: &str) -> Result<Self, BuildError> {
        match value {
            Value::Null => Ok(None),
            other => T::decode(other, at).map(Some),
        }
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(value: &Value, at: &str) -> Result<Self, BuildError> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| T::decode(item, &format!("{at}[{index}]")))
                .collect(),
            other => Err(mismatch(at, "a list", other)),
        }
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn decode(value: &Value, at: &str) -> Result<Self, BuildError> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| Ok((key.clone(), T::decode(value, &format!("{at}.{key}"))?)))
                .collect(),
            other => Err(mismatch(at, "a mapping", other)),
        }
    }
}

/// Declares a record with its names in the file; parts after `;` are records written inline.
macro_rules! records {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty = $word:literal),* $(,)? $(; $($part:ident: $inner:ty),*)? }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $(pub $field: $type,)*
            $($(pub $part: $inner,)*)?
        }

        impl $crate::decode::Record for $name {
            #[allow(unused_mut)]
            fn names() -> Vec<&'static str> {
                let mut names = vec![$($word),*];
                $($(names.extend(<$inner as $crate::decode::Record>::names());)*)?
                names
            }

            fn take(
                &mut self,
                name: &str,
                value: &serde_json::Value,
                at: &str,
            ) -> Result<bool, $crate::error::BuildError> {
                match name {
                    $($word => {
                        self.$field = $crate::decode::Decode::decode(value, at)?;
                        Ok(true)
                    })*
                    _ => {
                        $($(if self.$part.take(name, value, at)? { return Ok(true); })*)?
                        Ok(false)
                    }
                }
            }
        }

        impl $crate::decode::Decode for $name {
            fn decode(value: &serde_json::Value, at: &str) -> Result<Self, $crate::error::BuildError> {
                $crate::decode::record(value, at)
            }
        }
    )*};
}
pub(crate) use records;
