//! Writes values as Go programs write YAML, so that both flavours read the same back.

use std::cmp::Ordering;

use serde_json::Value;

use crate::{resolve, resolve_go};

/// Writes `value` as one document that ends in a line break; keys are sorted.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, value, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            scalar(&mut out, value, 0);
            out.push('\n');
        }
    }
    out
}

fn mapping(out: &mut String, value: &Value, indent: usize) {
    let Value::Object(map) = value else { return };
    let mut keys: Vec<_> = map.keys().collect();
    keys.sort_by(|left, right| natural(left, right));
    for (position, key) in keys.into_iter().enumerate() {
        if position > 0 || out.ends_with('\n') || out.is_empty() {
            pad(out, indent);
        }
        text(out, key, indent, Place::Key);
        out.push(':');
        if let Some(value) = map.get(key) {
            below(out, value, indent);
        }
    }
}

/// The value of a key: collections go to the next line, sequences without indentation.
fn below(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            mapping(out, value, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            sequence(out, items, indent);
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            out.push(' ');
            scalar(out, value, indent);
            out.push('\n');
        }
    }
}

fn sequence(out: &mut String, items: &[Value], indent: usize) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 || out.ends_with('\n') || out.is_empty() {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => mapping(out, item, indent + 2),
            Value::Array(inner) if !inner.is_empty() => sequence(out, inner, indent + 2),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {
                scalar(out, item, indent);
                out.push('\n');
            }
        }
    }
}

fn scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(it) => text(out, it, indent, Place::Value),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    Value,
}

fn text(out: &mut String, it: &str, indent: usize, place: Place) {
    if place == Place::Value && fits_block(it) {
        block(out, it, indent);
    } else if fits_plain(it) {
        out.push_str(it);
    } else {
        quoted(out, it);
    }
}

/// Text with line breaks, but without trailing blanks or odd characters, reads best as a block.
fn fits_block(it: &str) -> bool {
    let printable = it
        .chars()
        .all(|symbol| symbol == '\n' || (!symbol.is_control() && printable(symbol)));
    it.contains('\n')
        && printable
        && !it.starts_with([' ', '\n'])
        && !it.lines().any(|line| line.ends_with(' '))
}

fn block(out: &mut String, it: &str, indent: usize) {
    let body = it.trim_end_matches('\n');
    out.push_str(match it.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in it.strip_suffix('\n').unwrap_or(it).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent + 2);
            out.push_str(line);
        }
    }
}

fn fits_plain(it: &str) -> bool {
    let text = Value::String(it.to_owned());
    let same = resolve::plain(it) == text && resolve_go::plain(it) == Ok(text) && !looks_typed(it);
    let first = it.chars().next().unwrap_or(' ');
    let second = it.chars().nth(1).unwrap_or(' ');
    let start = match first {
        '-' | '?' | ':' => !second.is_whitespace(),
        _ => !" \t!&*'\"%@`,[]{}#|>=".contains(first),
    };
    same && start
        && !it.contains(": ")
        && !it.contains(" #")
        && !it.ends_with([':', ' '])
        && it != "<<"
        && !it.starts_with("---")
        && !it.starts_with("...")
        && it
            .chars()
            .all(|symbol| !symbol.is_control() && printable(symbol))
}

/// Dates and base-60 numbers: text to both flavours here, yet typed to some readers.
fn looks_typed(it: &str) -> bool {
    it.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && it
            .chars()
            .all(|symbol| symbol.is_ascii_digit() || "+-.:_TZt eExXabcdfABCDF".contains(symbol))
        && it.chars().any(|symbol| symbol.is_ascii_digit())
        && !it.contains("..")
        && (it.contains(':')
            || it.contains('_')
            || it.matches('-').count() == 2
            || it.contains(['e', 'E']))
}

fn printable(symbol: char) -> bool {
    !matches!(
        symbol,
        '\u{a0}' | '\u{85}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{10000}'..
    )
}

fn quoted(out: &mut String, it: &str) {
    out.push('"');
    for symbol in it.chars() {
        match symbol {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            _ if !symbol.is_control() && printable(symbol) => out.push(symbol),
            _ => match u32::from(symbol) {
                code @ 0..=0xff => out.push_str(&format!("\\x{code:02X}")),
                code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04X}")),
                code => out.push_str(&format!("\\U{code:08X}")),
            },
        }
    }
    out.push('"');
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Go sorts keys so that `a2` comes before `a10`.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let (Some(a), Some(b)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len());
        };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let (first, rest_left) = digits(left);
            let (second, rest_right) = digits(right);
            let order = first.cmp(&second);
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (rest_left, rest_right);
        } else if a == b {
            left = left.get(a.len_utf8()..).unwrap_or_default();
            right = right.get(b.len_utf8()..).unwrap_or_default();
        } else {
            return match (a.is_alphabetic(), b.is_alphabetic()) {
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                _ => a.cmp(&b),
            };
        }
    }
}

fn digits(text: &str) -> (u128, &str) {
    let end = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (number.parse().unwrap_or(u128::MAX), rest)
}
