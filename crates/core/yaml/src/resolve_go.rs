//! What a plain scalar means to sigs.k8s.io/yaml, as Kubernetes and Helm read it.

use serde_json::{Number, Value};

/// Resolves an untagged plain scalar; `Err` where Go's step to JSON refuses the value.
pub(crate) fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            return Ok(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Ok(Value::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => {
            return Err(format!("`{text}` has no place in JSON"));
        }
        _ => {}
    }
    let hint = text
        .bytes()
        .next()
        .is_some_and(|it| it.is_ascii_digit() || b"+-.".contains(&it));
    let number = if hint { number(text) } else { None };
    Ok(number.unwrap_or_else(|| Value::String(text.to_owned())))
}

fn number(text: &str) -> Option<Value> {
    let bare = text.replace('_', "");
    if let Some(integer) = integer(&bare) {
        return Some(integer);
    }
    // Go matches floats on the text with its underscores still in place, then drops them.
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !crate::resolve::is_decimal(unsigned) {
        return None;
    }
    let value: f64 = bare.parse().ok()?;
    value
        .is_finite()
        .then(|| Number::from_f64(value).map(Value::Number))
        .flatten()
}

/// Go's `ParseInt` with base 0, then the YAML 1.1 spellings on top.
fn integer(text: &str) -> Option<Value> {
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
