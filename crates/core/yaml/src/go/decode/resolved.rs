//! What scalars are: by their tags, else by their words, as YAML 1.1 has them.

use serde_json::Value;

use crate::{emit, go::error::GoError, resolve_go};

const STR: &str = "tag:yaml.org,2002:str";
const BINARY: &str = "tag:yaml.org,2002:binary";

/// What a scalar is.
pub(super) enum Resolved {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text,
    Other(String),
}

/// What a scalar is, by its tag, else by its words if nothing stands around them.
pub(super) fn resolve(text: &str, tag: &str, implicit: bool) -> Result<Resolved, GoError> {
    if tag.is_empty() {
        return Ok(if implicit { plain(text) } else { Resolved::Text });
    }
    let wanted = tag.strip_prefix("tag:yaml.org,2002:");
    match (tag, wanted) {
        (STR, _) => return Ok(Resolved::Text),
        (BINARY, _) => return binary(text),
        (_, Some("bool" | "int" | "float" | "null" | "timestamp")) => {}
        _ => return Ok(Resolved::Text),
    }
    let found = plain(text);
    let name = match &found {
        Resolved::Null => "null",
        Resolved::Boolean(_) => "bool",
        Resolved::Integer(_) | Resolved::Unsigned(_) => "int",
        Resolved::Float(_) => "float",
        Resolved::Text | Resolved::Other(_) if emit::is_timestamp(text) => "timestamp",
        Resolved::Text | Resolved::Other(_) => "str",
    };
    match wanted {
        None => Ok(found),
        Some(wanted) if wanted == name => Ok(found),
        #[expect(clippy::cast_precision_loss, reason = "Go rounds too")]
        Some("float") if name == "int" => Ok(match found {
            Resolved::Integer(number) => Resolved::Float(number as f64),
            other => other,
        }),
        Some(wanted) => Err(GoError::yaml(format_args!(
            "cannot decode !!{name} `{text}` as a !!{wanted}"
        ))),
    }
}

/// Words that mean something else than themselves, and numbers, begin so.
const HINTS: &[u8] = b"0123456789+-.~yYnNtTfFoO";

fn plain(text: &str) -> Resolved {
    let Some(first) = text.bytes().next() else { return Resolved::Null };
    if !HINTS.contains(&first) {
        return Resolved::Text;
    }
    if let Some(number) = short_decimal(text) {
        return Resolved::Integer(number);
    }
    if matches!(first, b'.' | b'+' | b'-') {
        match text {
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
                return Resolved::Float(f64::INFINITY);
            }
            "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
            ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
            _ => {}
        }
    }
    // Years may have a sign as far as the check goes, but never another first character.
    if (first.is_ascii_digit() || first == b'+') && emit::is_timestamp(text) {
        return Resolved::Text;
    }
    match resolve_go::special(text) {
        Ok(Some(Value::Null)) => Resolved::Null,
        Ok(Some(Value::Bool(flag))) => Resolved::Boolean(flag),
        Ok(Some(Value::Number(number))) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Resolved::Integer(number),
            (None, Some(number)) => Resolved::Unsigned(number),
            (None, None) => Resolved::Float(number.as_f64().unwrap_or(0.0)),
        },
        Ok(Some(Value::String(_) | Value::Array(_) | Value::Object(_)) | None) | Err(_) => {
            Resolved::Text
        }
    }
}

/// The most common numbers: digits only, no leading zero, few enough for any integer.
fn short_decimal(text: &str) -> Option<i64> {
    let digits = text.as_bytes();
    if digits.len() > 18 || digits.first() == Some(&b'0') && digits.len() > 1 {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn binary(text: &str) -> Result<Resolved, GoError> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let wrong = || GoError::yaml("!!binary value contains invalid base64 data");
    let symbols: Vec<u8> = text
        .bytes()
        .filter(|it| !matches!(it, b'\n' | b'\r'))
        .collect();
    if !symbols.len().is_multiple_of(4) {
        return Err(wrong());
    }
    let mut bytes = Vec::new();
    let groups = symbols.chunks(4);
    let last = groups.len();
    for (at, group) in groups.enumerate() {
        let padding = group.iter().rev().take_while(|it| **it == b'=').count();
        if padding > 2 || (padding > 0 && at + 1 != last) {
            return Err(wrong());
        }
        let mut bits = 0_u32;
        for symbol in group.iter().take(4 - padding) {
            bits = bits << 6 | u32::from(digit(*symbol).ok_or_else(wrong)?);
        }
        bits <<= 6 * padding;
        let [_, decoded @ ..] = bits.to_be_bytes();
        bytes.extend(decoded.iter().take(3 - padding));
    }
    Ok(Resolved::Other(
        String::from_utf8_lossy(&bytes).into_owned(),
    ))
}
