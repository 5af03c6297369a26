//! What a plain scalar means to sigs.k8s.io/yaml, as Kubernetes and Helm read it.

use serde_json::{Number, Value};

/// Resolves an untagged plain scalar; `Err` where Go's step to JSON refuses the value.
pub(crate) fn plain(text: &str) -> Result<Value, String> {
    Ok(special(text)?.unwrap_or_else(|| Value::String(text.to_owned())))
}

/// As [`plain`]; `None` for what is text.
pub(crate) fn special(text: &str) -> Result<Option<Value>, String> {
    if text.len() <= LONGEST_WORD
        && let Some(word) = word(text)?
    {
        return Ok(Some(word));
    }
    let hint = text
        .bytes()
        .next()
        .is_some_and(|it| it.is_ascii_digit() || b"+-.".contains(&it));
    Ok(if hint { number(text) } else { None })
}

/// No word that means something else than itself is longer.
const LONGEST_WORD: usize = 5;

fn word(text: &str) -> Result<Option<Value>, String> {
    Ok(Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => {
            return Err(format!("`{text}` has no place in JSON"));
        }
        _ => return Ok(None),
    }))
}

fn number(text: &str) -> Option<Value> {
    // What starts with a point is read as a Go literal, in which underscores stand between digits.
    if text.starts_with('.') {
        return separates_digits(text)
            .then(|| float(&text.replace('_', "")))
            .flatten();
    }
    let bare = text.replace('_', "");
    integer(&bare).or_else(|| float(&bare))
}

fn float(bare: &str) -> Option<Value> {
    let unsigned = bare.strip_prefix(['-', '+']).unwrap_or(bare);
    if !crate::resolve::is_decimal(unsigned) {
        return None;
    }
    let value: f64 = bare.parse().ok()?;
    value
        .is_finite()
        .then(|| Number::from_f64(value).map(Value::Number))
        .flatten()
}

/// Whether each underscore has a digit on either side.
fn separates_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| {
        at.and_then(|it| bytes.get(it))
            .is_some_and(u8::is_ascii_digit)
    };
    let underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    underscores
        .map(|(at, _)| at)
        .all(|at| digit(at.checked_sub(1)) && digit(Some(at + 1)))
}

/// Go's `ParseInt` with base 0, then the YAML 1.1 spellings on top.
pub(crate) fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = if let Some(rest) = lower.strip_prefix("0x") {
        (rest, 16)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (rest, 2)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (rest, 8)
    } else if lower.len() > 1
        && lower.starts_with('0')
        && lower.bytes().all(|it| (b'0'..=b'7').contains(&it))
    {
        (lower.get(1..)?, 8)
    } else {
        (lower.as_str(), 10)
    };
    let (negative, digits) = match digits.strip_prefix(['+', '-']) {
        // The spelling of YAML 1.1 lets a sign follow its prefix.
        Some(rest) if text.starts_with("0b") => (digits.starts_with('-'), rest),
        Some(_) => return None,
        None => (negative, digits),
    };
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if !negative {
        return Some(Value::from(magnitude));
    }
    0_i64.checked_sub_unsigned(magnitude).map(Value::from)
}

/// A mapping key as Go's step to JSON writes it; `None` for keys it refuses.
pub(crate) fn key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
