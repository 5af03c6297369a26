//! Strict reading of JSON into records, with the rules of Go's decoder.
//!
//! Names match without regard to case, null leaves a field as it was, unknown
//! names and wrong types are errors that name the nearest right one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{BuildError, nearest};

/// What can be read from JSON.
pub trait Decode: Default {
    /// Becomes `value`, which stands at the path `at`.
    ///
    /// # Errors
    ///
    /// The first field that is unknown or of a wrong type.
    fn read(&mut self, value: &Value, at: &str) -> Result<(), BuildError>;

    /// Reads `value`, which stands at the path `at`.
    ///
    /// # Errors
    ///
    /// As [`Decode::read`].
    fn decode(value: &Value, at: &str) -> Result<Self, BuildError> {
        let mut it = Self::default();
        it.read(value, at)?;
        Ok(it)
    }
}

/// A record that can be part of another one, field by field.
///
/// Reading goes through `dyn Record`, so that the compiler writes it out once and not for each record.
pub trait Record {
    fn names() -> Vec<&'static str>
    where
        Self: Sized;

    /// The same, of a record whose type is not known.
    fn own_names(&self) -> Vec<&'static str>;

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
/// As [`Decode::read`].
pub fn record<T: Record + Default>(value: &Value, at: &str) -> Result<T, BuildError> {
    let mut record = T::default();
    fill(&mut record, value, at)?;
    Ok(record)
}

/// Reads the fields of a record.
///
/// # Errors
///
/// As [`Decode::read`].
pub fn fill(record: &mut dyn Record, value: &Value, at: &str) -> Result<(), BuildError> {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            let names = record.own_names();
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
    Ok(())
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
    fn read(&mut self, value: &Value, at: &str) -> Result<(), BuildError> {
        match value {
            Value::Null => self.clear(),
            Value::String(it) => self.clone_from(it),
            other => return Err(mismatch(at, "text", other)),
        }
        Ok(())
    }
}

impl Decode for bool {
    fn read(&mut self, value: &Value, at: &str) -> Result<(), BuildError> {
        *self = match value {
            Value::Null => false,
            Value::Bool(it) => *it,
            other => return Err(mismatch(at, "a boolean", other)),
        };
        Ok(())
    }
}

impl Decode for i64 {
    fn read(&mut self, value: &Value, at: &str) -> Result<(), BuildError> {
        *self = match value {
            Value::Null => 0,
            other => other
                .as_i64()
                .ok_or_else(|| mismatch(at, "a whole number", other))?,
        };
        Ok(())
    }
}

impl Decode for Value {
    fn read(&mut self, value: &Value, _: &str) -> Result<(), BuildError> {
        self.clone_from(value);
        Ok(())
    }
}

impl<T: Decode> Decode for Option<T> {
    fn read(&mut self, value: &Value, at: &str) -> Result<(), BuildError> {
        *self = None;
        if !value.is_null() {
            self.insert(T::default()).read(value, at)?;
        }
        Ok(())
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn read(&mut self, value: &Value, at: &str) -> Result<(), BuildError> {
        self.clear();
        for (index, item) in items(value, at)?.iter().enumerate() {
            self.push(T::decode(item, &format!("{at}[{index}]"))?);
        }
        Ok(())
    }
}

fn items<'v>(value: &'v Value, at: &str) -> Result<&'v [Value], BuildError> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        other => Err(mismatch(at, "a list", other)),
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn read(&mut self, value: &Value, at: &str) -> Result<(), BuildError> {
        self.clear();
        match value {
            Value::Null => {}
            Value::Object(map) => {
                for (key, value) in map {
                    self.insert(key.clone(), T::decode(value, &format!("{at}.{key}"))?);
                }
            }
            other => return Err(mismatch(at, "a mapping", other)),
        }
        Ok(())
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

            fn own_names(&self) -> Vec<&'static str> {
                Self::names()
            }

            fn take(
                &mut self,
                name: &str,
                value: &serde_json::Value,
                at: &str,
            ) -> Result<bool, $crate::error::BuildError> {
                match name {
                    $($word => {
                        $crate::decode::Decode::read(&mut self.$field, value, at).map(|()| true)
                    })*
                    _ => {
                        $($(if self.$part.take(name, value, at)? { return Ok(true); })*)?
                        Ok(false)
                    }
                }
            }
        }

        impl $crate::decode::Decode for $name {
            fn read(&mut self, value: &serde_json::Value, at: &str) -> Result<(), $crate::error::BuildError> {
                *self = Self::default();
                $crate::decode::fill(self, value, at)
            }
        }
    )*};
}
pub(crate) use records;
