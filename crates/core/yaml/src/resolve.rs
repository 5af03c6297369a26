//! What a plain scalar means in the YAML 1.2 core schema, as GitHub Actions reads it.

use serde_json::{Number, Value};

/// Resolves an untagged plain scalar.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// All numbers of the language are doubles; whole ones print as integers.
pub(crate) fn number(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix("0x") {
        let parsed = digits
            .bytes()
            .all(|it| it.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok());
        return parsed
            .flatten()
            .map(|value| Value::from(value.cast_signed()));
    }
    if let Some(digits) = text.strip_prefix("0o") {
        let parsed = digits
            .bytes()
            .all(|it| it.is_ascii_digit())
            .then(|| u32::from_str_radix(digits, 8).ok());
        return parsed
            .flatten()
            .map(|value| Value::from(value.cast_signed()));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        // JSON has neither; the text says the same to whoever coerces it to a number.
        let infinity = if text.starts_with('-') {
            "-Infinity"
        } else {
            "Infinity"
        };
        return Some(Value::String(
            if unsigned.ends_with(['n', 'N']) {
                "NaN"
            } else {
                infinity
            }
            .to_owned(),
        ));
    }
    is_decimal(unsigned)
        .then(|| double(text.parse().ok()?))
        .flatten()
}

/// A JSON number for a double: whole ones that fit exactly become integers.
pub(crate) fn double(value: f64) -> Option<Value> {
    /// Beyond this not every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Some(Value::from(value as i64));
    }
    Number::from_f64(value).map(Value::Number)
}

/// `[0-9]+`, `[0-9]*.[0-9]+`, `[0-9]+.`, each with an optional exponent.
pub(crate) fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, "")) => digits(whole),
        Some((whole, fraction)) => (whole.is_empty() || digits(whole)) && digits(fraction),
        None => digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|it| digits(it.strip_prefix(['-', '+']).unwrap_or(it)));
    mantissa_fits && exponent_fits
}
