//! YAML as `sigs.k8s.io/yaml` reads it, to the letter: what Helm and Kubernetes' tools make of a text,
//! and what they say when it is none.
//!
//! [`read_go`] builds values of any kind through a [`Build`]; [`go_json`] gives JSON. The first
//! document counts; use [`parse`](crate::parse) where places in the source matter.

mod compose;
mod decode;
mod error;
mod parser;
mod pieces;
mod reader;
mod scalar;
mod scanner;
mod token;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub use error::GoError;
pub(crate) use pieces::Pieces;

/// Makes values of what was read, from the leaves up.
pub trait Build {
    type Value;

    fn null(&self) -> Self::Value;
    fn boolean(&self, flag: bool) -> Self::Value;
    fn integer(&self, number: i64) -> Self::Value;
    /// A whole number beyond [`i64::MAX`].
    fn unsigned(&self, number: u64) -> Self::Value;
    /// Always finite.
    fn float(&self, number: f64) -> Self::Value;
    fn text(&self, text: Cow<'_, str>) -> Self::Value;
    fn sequence(&self, items: Vec<Self::Value>) -> Self::Value;
    /// Each key comes once, in the order in which it was set last.
    fn mapping(&self, entries: Vec<(Cow<'_, str>, Self::Value)>) -> Self::Value;
}

/// Reads the first document of `source`; no document is null.
///
/// # Errors
///
/// With the message of the original, its prefixes included.
pub fn read_go<B: Build>(source: &[u8], build: &B) -> Result<B::Value, GoError> {
    let text = reader::check(source)?;
    let document = compose::compose(text)?;
    decode::decode(document, build)
}

/// As [`read_go`], into JSON, but of the entries of a root mapping only those that are wanted: the
/// others are looked at for faults, and null.
///
/// # Errors
///
/// As [`read_go`].
pub fn go_json_of(source: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Value, GoError> {
    let text = reader::check(source)?;
    let document = compose::compose(text)?;
    decode::decode_wanted(document, &Json, wanted)
}

/// As [`read_go`], into JSON.
///
/// # Errors
///
/// As [`read_go`].
pub fn go_json(source: &[u8]) -> Result<Value, GoError> {
    read_go(source, &Json)
}

struct Json;

impl Build for Json {
    type Value = Value;

    fn null(&self) -> Value {
        Value::Null
    }

    fn boolean(&self, flag: bool) -> Value {
        Value::Bool(flag)
    }

    fn integer(&self, number: i64) -> Value {
        Value::from(number)
    }

    fn unsigned(&self, number: u64) -> Value {
        Value::from(number)
    }

    fn float(&self, number: f64) -> Value {
        Value::from(number)
    }

    fn text(&self, text: Cow<'_, str>) -> Value {
        Value::String(text.into_owned())
    }

    fn sequence(&self, items: Vec<Value>) -> Value {
        Value::Array(items)
    }

    fn mapping(&self, entries: Vec<(Cow<'_, str>, Value)>) -> Value {
        let entries = entries.into_iter().map(|(key, value)| (key.into_owned(), value));
        Value::Object(entries.collect::<Map<_, _>>())
    }
}
