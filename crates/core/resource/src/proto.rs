//! Reads Kubernetes' protobuf form into JSON.
//!
//! Typed Go clients send built-in kinds only so, and do not fall back to JSON. One table, made from
//! the struct tags of the Go types (`xtask/resource-data`), drives one decoder for all kinds. Its
//! lines are `root VERSION KIND MESSAGE`, `message NUMBER NAME` and, below a message, its fields as
//! `NUMBER JSON-NAME SHAPE TYPE`.

use std::{collections::HashMap, sync::LazyLock};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use names::Timestamp;
use serde_json::{Map, Value, json};

const MAGIC: &[u8] = b"k8s\0";
/// Deeper nesting than any kind has; keeps a hostile body from exhausting the stack.
const MAX_DEPTH: u32 = 64;

/// Why bytes cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the body is no Kubernetes protobuf envelope")]
    NoEnvelope,
    #[error("no kind \"{kind}\" is registered for version \"{api_version}\"")]
    UnknownKind { api_version: String, kind: String },
    #[error("malformed protobuf in `{0}`")]
    Malformed(&'static str),
}

/// Decodes an envelope (`k8s\0` and an `Unknown` message) to the JSON form of its object.
pub fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let body = bytes.strip_prefix(MAGIC).ok_or(DecodeError::NoEnvelope)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), [].as_slice());
    for field in fields(body, "Unknown") {
        match field? {
            (1, Wire::Bytes(meta)) => {
                for field in fields(meta, "TypeMeta") {
                    match field? {
                        (1, Wire::Bytes(text)) => api_version = utf8(text, "TypeMeta")?,
                        (2, Wire::Bytes(text)) => kind = utf8(text, "TypeMeta")?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let Some(message) = TABLE.root(&api_version, &kind) else {
        return Err(DecodeError::UnknownKind { api_version, kind });
    };
    let mut object = Map::new();
    object.insert("kind".to_owned(), Value::String(kind));
    object.insert("apiVersion".to_owned(), Value::String(api_version));
    read_message(message, raw, &mut object, 0)?;
    Ok(Value::Object(object))
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = crate::openapi::inflate(include_bytes!("../data/protobuf.txt.gz"));
    Table::parse(String::from_utf8(text).expect("the table is text").leak())
});

struct Table {
    roots: HashMap<(&'static str, &'static str), usize>,
    messages: Vec<Message>,
}

struct Message {
    name: &'static str,
    fields: HashMap<u64, Field>,
}

struct Field {
    name: &'static str,
    shape: Shape,
    kind: FieldKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    /// Hidden when zero.
    Omit,
    Many,
    Map,
    /// Its fields belong to the parent.
    Inline,
}

#[derive(Clone, Copy)]
enum FieldKind {
    Text,
    Bool,
    Int,
    Double,
    Bytes,
    Time,
    MicroTime,
    Duration,
    Quantity,
    IntOrString,
    Fields,
    Raw,
    Strings,
    Message(usize),
}

impl Table {
    fn parse(text: &'static str) -> Self {
        let mut table = Self {
            roots: HashMap::new(),
            messages: Vec::new(),
        };
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["root", version, kind, message] => {
                    table
                        .roots
                        .insert((version, kind), message.parse().expect("a number"));
                }
                ["message", _, name] => {
                    table.messages.push(Message {
                        name,
                        fields: HashMap::new(),
                    });
                }
                [number, name, shape, kind] => {
                    let field = Field {
                        name,
                        shape: Shape::parse(shape),
                        kind: FieldKind::parse(kind),
                    };
                    let message = table
                        .messages
                        .last_mut()
                        .expect("fields follow their message");
                    message
                        .fields
                        .insert(number.parse().expect("a number"), field);
                }
                _ => unreachable!("the embedded table has no other lines"),
            }
        }
        table
    }

    /// The meta kinds, such as `DeleteOptions`, belong to every group.
    fn root(&self, api_version: &str, kind: &str) -> Option<usize> {
        self.roots
            .get(&(api_version, kind))
            .or_else(|| self.roots.get(&("*", kind)))
            .copied()
    }
}

impl Shape {
    fn parse(text: &str) -> Self {
        match text {
            "one" => Self::One,
            "omit" => Self::Omit,
            "many" => Self::Many,
            "map" => Self::Map,
            _ => Self::Inline,
        }
    }
}

impl FieldKind {
    fn parse(text: &str) -> Self {
        match text {
            "string" => Self::Text,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "double" => Self::Double,
            "bytes" => Self::Bytes,
            "time" => Self::Time,
            "microtime" => Self::MicroTime,
            "duration" => Self::Duration,
            "quantity" => Self::Quantity,
            "intorstring" => Self::IntOrString,
            "fields" => Self::Fields,
            "raw" => Self::Raw,
            "strings" => Self::Strings,
            number => Self::Message(number.parse().expect("a message number")),
        }
    }
}

fn read_message(
    number: usize,
    bytes: &[u8],
    object: &mut Map<String, Value>,
    depth: u32,
) -> Result<(), DecodeError> {
    let message = &TABLE.messages[number];
    if depth > MAX_DEPTH {
        return Err(DecodeError::Malformed(message.name));
    }
    for field in fields(bytes, message.name) {
        let (number, wire) = field?;
        // Fields of a newer client are unknown and dropped, as the real server does.
        let Some(field) = message.fields.get(&number) else {
            continue;
        };
        match field.shape {
            Shape::Inline => {
                let (Wire::Bytes(inner), FieldKind::Message(number)) = (wire, field.kind) else {
                    return Err(DecodeError::Malformed(message.name));
                };
                read_message(number, inner, object, depth + 1)?;
            }
            Shape::Many => {
                let value = read_value(field.kind, wire, message.name, depth)?;
                let list = object.entry(field.name).or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(value);
                }
            }
            Shape::Map => {
                let (key, value) = read_entry(field.kind, wire, message.name, depth)?;
                let map = object.entry(field.name).or_insert_with(|| json!({}));
                map[key] = value;
            }
            Shape::One | Shape::Omit => {
                let value = read_value(field.kind, wire, message.name, depth)?;
                let hidden = value.is_null() || (field.shape == Shape::Omit && is_zero(&value));
                if !hidden {
                    object.insert(field.name.to_owned(), value);
                }
            }
        }
    }
    Ok(())
}

fn is_zero(value: &Value) -> bool {
    *value == json!("") || *value == json!(0) || *value == json!(false)
}

fn read_entry(
    kind: FieldKind,
    wire: Wire<'_>,
    owner: &'static str,
    depth: u32,
) -> Result<(String, Value), DecodeError> {
    let Wire::Bytes(entry) = wire else {
        return Err(DecodeError::Malformed(owner));
    };
    let mut key = String::new();
    let mut value = None;
    for field in fields(entry, owner) {
        match field? {
            (1, Wire::Bytes(text)) => key = utf8(text, owner)?,
            (2, wire) => value = Some(read_value(kind, wire, owner, depth)?),
            _ => {}
        }
    }
    Ok((key, value.unwrap_or_else(|| json!(""))))
}

fn read_value(
    kind: FieldKind,
    wire: Wire<'_>,
    owner: &'static str,
    depth: u32,
) -> Result<Value, DecodeError> {
    let value = match (kind, wire) {
        (FieldKind::Int, Wire::Varint(number)) => json!(number.cast_signed()),
        (FieldKind::Bool, Wire::Varint(number)) => json!(number != 0),
        (FieldKind::Double, Wire::Fixed64(bits)) => json!(f64::from_bits(bits)),
        (FieldKind::Text, Wire::Bytes(bytes)) => json!(utf8(bytes, owner)?),
        (FieldKind::Bytes, Wire::Bytes(bytes)) => json!(BASE64_STANDARD.encode(bytes)),
        (FieldKind::Message(number), Wire::Bytes(bytes)) => {
            let mut object = Map::new();
            read_message(number, bytes, &mut object, depth + 1)?;
            Value::Object(object)
        }
        (FieldKind::Strings, Wire::Bytes(bytes)) => {
            let mut list = Vec::new();
            for field in fields(bytes, owner) {
                if let (1, Wire::Bytes(text)) = field? {
                    list.push(json!(utf8(text, owner)?));
                }
            }
            Value::Array(list)
        }
        (FieldKind::Quantity, Wire::Bytes(bytes)) => first_text(bytes, owner)?,
        (FieldKind::Fields | FieldKind::Raw, Wire::Bytes(bytes)) => embedded(bytes, owner)?,
        (FieldKind::Time, Wire::Bytes(bytes)) => time(bytes, owner, Precision::Seconds)?,
        (FieldKind::MicroTime, Wire::Bytes(bytes)) => time(bytes, owner, Precision::Micros)?,
        (FieldKind::Duration, Wire::Bytes(bytes)) => {
            let mut nanos = 0;
            for field in fields(bytes, owner) {
                if let (1, Wire::Varint(number)) = field? {
                    nanos = number.cast_signed();
                }
            }
            json!(format!("{}s", nanos / 1_000_000_000))
        }
        (FieldKind::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes, owner)?,
        _ => return Err(DecodeError::Malformed(owner)),
    };
    Ok(value)
}

fn first_text(bytes: &[u8], owner: &'static str) -> Result<Value, DecodeError> {
    let mut text = String::new();
    for field in fields(bytes, owner) {
        if let (1, Wire::Bytes(bytes)) = field? {
            text = utf8(bytes, owner)?;
        }
    }
    Ok(json!(text))
}

/// JSON inside a bytes field.
fn embedded(bytes: &[u8], owner: &'static str) -> Result<Value, DecodeError> {
    for field in fields(bytes, owner) {
        if let (1, Wire::Bytes(text)) = field? {
            return serde_json::from_slice(text).map_err(|_| DecodeError::Malformed(owner));
        }
    }
    Ok(Value::Null)
}

#[derive(Clone, Copy)]
enum Precision {
    Seconds,
    Micros,
}

/// A point in time; the zero time, an empty message, becomes null.
fn time(bytes: &[u8], owner: &'static str, precision: Precision) -> Result<Value, DecodeError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for field in fields(bytes, owner) {
        match field? {
            (1, Wire::Varint(number)) => seconds = number.cast_signed(),
            (2, Wire::Varint(number)) => nanos = number.cast_signed(),
            _ => {}
        }
    }
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let micros = nanos / 1000;
    let text = Timestamp::from_micros(seconds.saturating_mul(1_000_000)).to_seconds_text();
    Ok(match precision {
        Precision::Seconds => json!(text),
        Precision::Micros => json!(format!("{}.{micros:06}Z", text.trim_end_matches('Z'))),
    })
}

fn int_or_string(bytes: &[u8], owner: &'static str) -> Result<Value, DecodeError> {
    let (mut kind, mut number, mut text) = (0, 0, String::new());
    for field in fields(bytes, owner) {
        match field? {
            (1, Wire::Varint(value)) => kind = value,
            (2, Wire::Varint(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => text = utf8(bytes, owner)?,
            _ => {}
        }
    }
    Ok(if kind == 0 {
        json!(number)
    } else {
        json!(text)
    })
}

fn utf8(bytes: &[u8], owner: &'static str) -> Result<String, DecodeError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Malformed(owner))
}

/// A value as the wire carries it.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a message in the order of the wire; ends after the first malformed one.
fn fields<'a>(
    mut bytes: &'a [u8],
    owner: &'static str,
) -> impl Iterator<Item = Result<(u64, Wire<'a>), DecodeError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let field = read_field(&mut bytes);
        if field.is_none() {
            bytes = &[];
        }
        Some(field.ok_or(DecodeError::Malformed(owner)))
    })
}

fn read_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let tag = read_varint(bytes)?;
    let wire = match tag & 7 {
        0 => Wire::Varint(read_varint(bytes)?),
        1 => {
            let (head, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Wire::Fixed64(u64::from_le_bytes(*head))
        }
        2 => {
            let length = usize::try_from(read_varint(bytes)?).ok()?;
            let (head, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Wire::Bytes(head)
        }
        5 => {
            *bytes = bytes.get(4..)?;
            Wire::Fixed32
        }
        _ => return None,
    };
    Some((tag >> 3, wire))
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_bodies_are_refused_and_never_panic() {
        assert_eq!(decode(b"{}"), Err(DecodeError::NoEnvelope));
        let unknown = DecodeError::UnknownKind {
            api_version: String::new(),
            kind: String::new(),
        };
        assert_eq!(decode(b"k8s\0"), Err(unknown));
        assert_eq!(
            decode(b"k8s\0\x0a\xff"),
            Err(DecodeError::Malformed("Unknown"))
        );
        let pod = include_bytes!("../tests/protobuf/core.v1.Service.pb");
        for length in 0..pod.len() {
            // Any outcome will do: a cut body may still be well formed.
            let _ = decode(&pod[..length]);
        }
    }
}
