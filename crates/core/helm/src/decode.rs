//! Reads parsed YAML into fields as Go's decoder does: keys without regard to case, scalars
//! become text where text is wanted, and errors with Go's words.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Compat;

/// Why a document does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A value of the wrong type.
    #[error("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {0}")]
    Type(String),
    /// A value that Helm refuses.
    #[error("validation: {0}")]
    Invalid(String),
}

/// Where and for whom a document is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    pub compat: Compat,
    /// The Go type of the document, named when the whole document does not fit.
    pub root_type: &'static str,
    /// The Go struct of the document, as Go before version 1.27 names it.
    pub struct_name: &'static str,
}

/// One value of a document and how it was reached.
pub(crate) struct Field<'a> {
    decoder: &'a Decoder,
    value: &'a Value,
    /// The innermost struct.
    struct_name: &'a str,
    /// What it lies in; `None` below the root.
    parent: Option<&'a Field<'a>>,
    step: Step<'a>,
}

/// How a value is reached from what it lies in.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// A field of a struct.
    Field(&'a str),
    /// A key of a map, which the old decoder does not count as a field.
    Key(&'a str),
    Item(usize),
}

impl Decoder {
    /// Visits the entries of an object; keys come in lower case.
    pub fn object(
        &self,
        value: &Value,
        mut visit: impl FnMut(&str, &Field<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let entries = match value {
            Value::Null => return Ok(()),
            Value::Object(entries) => entries,
            _ => {
                return Err(DecodeError::Type(format!(
                    "{} into Go value of type {}",
                    kind(value),
                    self.root_type
                )));
            }
        };
        for (key, value) in entries {
            let field = Field {
                decoder: self,
                value,
                struct_name: self.struct_name,
                parent: None,
                step: Step::Field(key),
            };
            visit(&key.to_ascii_lowercase(), &field)?;
        }
        Ok(())
    }
}

impl<'a> Field<'a> {
    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    pub fn text(&self, into: &mut String) -> Result<(), DecodeError> {
        match scalar(self.value) {
            Some(text) => *into = text,
            None if self.value.is_null() => {}
            None => return Err(self.mismatch("string")),
        }
        Ok(())
    }

    pub fn flag(&self, into: &mut bool) -> Result<(), DecodeError> {
        match self.value {
            Value::Null => {}
            Value::Bool(flag) => *into = *flag,
            _ => return Err(self.mismatch("bool")),
        }
        Ok(())
    }

    pub fn texts(&self, into: &mut Vec<String>) -> Result<(), DecodeError> {
        *into = self.list("[]string", |item| {
            let mut text = String::new();
            item.text(&mut text)?;
            Ok(text)
        })?;
        Ok(())
    }

    pub fn text_map(
        &self,
        into: &mut Option<BTreeMap<String, String>>,
    ) -> Result<(), DecodeError> {
        let entries = match self.value {
            Value::Null => {
                *into = None;
                return Ok(());
            }
            Value::Object(entries) => entries,
            _ => return Err(self.mismatch("map[string]string")),
        };
        let mut found = into.take().unwrap_or_default();
        for (key, value) in entries {
            let mut text = String::new();
            self.child(value, Step::Key(key)).text(&mut text)?;
            found.insert(key.clone(), text);
        }
        *into = Some(found);
        Ok(())
    }

    pub fn list<T>(
        &self,
        go_type: &str,
        mut read: impl FnMut(&Field<'_>) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let items = match self.value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(items) => items,
            _ => return Err(self.mismatch(go_type)),
        };
        let mut found = Vec::with_capacity(items.len());
        for (index, value) in items.iter().enumerate() {
            found.push(read(&self.child(value, Step::Item(index)))?);
        }
        Ok(found)
    }

    pub fn values(&self, go_type: &str, into: &mut Vec<Value>) -> Result<(), DecodeError> {
        *into = self.list(go_type, |item| Ok(item.value.clone()))?;
        Ok(())
    }

    /// Visits the entries of an object inside the document.
    pub fn object(
        &self,
        go_type: &str,
        struct_name: &str,
        mut visit: impl FnMut(&str, &Field<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let entries = match self.value {
            Value::Null => return Ok(()),
            Value::Object(entries) => entries,
            _ => return Err(self.mismatch(go_type)),
        };
        for (key, value) in entries {
            let mut field = self.child(value, Step::Field(key));
            field.struct_name = struct_name;
            visit(&key.to_ascii_lowercase(), &field)?;
        }
        Ok(())
    }

    fn child<'b>(&'b self, value: &'b Value, step: Step<'b>) -> Field<'b> {
        Field {
            decoder: self.decoder,
            value,
            struct_name: self.struct_name,
            parent: Some(self),
            step,
        }
    }

    /// The steps from the root.
    fn way(&self) -> Vec<Step<'_>> {
        let mut way = self.parent.map_or_else(Vec::new, Field::way);
        way.push(self.step);
        way
    }

    fn mismatch(&self, go_type: &str) -> DecodeError {
        let kind = kind(self.value);
        let joined = |shown: fn(&Step<'_>) -> Option<String>| {
            let steps: Vec<String> = self.way().iter().filter_map(shown).collect();
            steps.join(".")
        };
        let whole = |step: &Step<'_>| {
            Some(match step {
                Step::Field(name) | Step::Key(name) => (*name).to_owned(),
                Step::Item(index) => index.to_string(),
            })
        };
        let fields = |step: &Step<'_>| match step {
            Step::Field(name) => Some((*name).to_owned()),
            Step::Key(_) | Step::Item(_) => None,
        };
        DecodeError::Type(match (self.decoder.compat, self.step) {
            (Compat::Helm4, Step::Item(_)) => {
                format!("{kind} into .{} of type {go_type}", joined(whole))
            }
            (Compat::Helm4, _) => {
                format!("{kind} into Go struct field .{} of type {go_type}", joined(whole))
            }
            (Compat::Helm3, _) => format!(
                "{kind} into Go struct field {}.{} of type {go_type}",
                self.struct_name,
                joined(fields)
            ),
        })
    }
}

/// What Go's JSON errors call a value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The text of a scalar where text is wanted.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() => float_text(float),
            _ => number.to_string(),
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Go's shortest form of a float.
fn float_text(float: f64) -> String {
    let mut out = Vec::new();
    gotemplate::append_float(&mut out, float, b'g', None, gotemplate::FloatSize::F64);
    String::from_utf8_lossy(&out).into_owned()
}
