//! Any value as a number: strings are parsed as Go literals, what has no number counts as zero.

use gotemplate::Value;

/// As `int` and `int64` see it.
pub(crate) fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(it) | Value::Int64(it) => *it,
        Value::Int32(it) => i64::from(*it),
        Value::Uint(it) | Value::Uint64(it) => it.cast_signed(),
        Value::Uint8(it) => i64::from(*it),
        Value::Uint32(it) => i64::from(*it),
        Value::Float64(it) => truncated(*it),
        Value::Float32(it) => truncated(f64::from(*it)),
        Value::Bool(it) => i64::from(*it),
        Value::String(text) => text
            .as_str()
            .and_then(|it| parse_integer(without_zero_fraction(it)))
            .unwrap_or(0),
        _ => calendar(value).unwrap_or(0),
    }
}

/// As `float64` sees it.
pub(crate) fn float(value: &Value) -> f64 {
    match value {
        Value::Float64(it) => *it,
        Value::Float32(it) => f64::from(*it),
        #[expect(clippy::cast_precision_loss, reason = "Go rounds too")]
        Value::Uint(it) | Value::Uint64(it) => *it as f64,
        Value::String(text) => text.as_str().and_then(parse_float).unwrap_or(0.0),
        #[expect(clippy::cast_precision_loss, reason = "Go rounds too")]
        _ => integer(value) as f64,
    }
}

/// Months and weekdays are the only named integers that count as such.
fn calendar(value: &Value) -> Option<i64> {
    match value {
        Value::Object(object) if matches!(object.type_name(), "time.Month" | "time.Weekday") => {
            object.underlying()?.as_signed()
        }
        _ => None,
    }
}

/// Go's conversion on the common processors: what does not fit becomes the least number.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn truncated(number: f64) -> i64 {
    /// 2^63, the first that does not fit.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// `1.00` is `1`; `1.50` stays.
fn without_zero_fraction(text: &str) -> &str {
    match text.trim_end_matches('0').strip_suffix('.') {
        Some(whole) if text.ends_with('0') => whole,
        _ => text,
    }
}

/// Go's `ParseInt` with base 0: `0x`, `0o`, `0b`, a leading zero for octal, underscores between digits.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, prefix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, 2),
        [b'0', b'b' | b'B', ..] => (2, 2),
        [b'0', b'o' | b'O', ..] => (8, 2),
        [b'0', _, ..] => (8, 1),
        _ => (10, 0),
    };
    let body = digits.get(prefix..)?;
    let plain = if body.contains('_') {
        // A prefix counts as a digit before the first of them.
        if body.ends_with('_') || body.contains("__") || (prefix == 0 && body.starts_with('_')) {
            return None;
        }
        body.replace('_', "")
    } else {
        body.to_owned()
    };
    parse_radix(&plain, radix, negative)
}

fn parse_radix(digits: &str, radix: u32, negative: bool) -> Option<i64> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Go's `ParseInt` with a base of its own: no prefix, no underscores.
pub(crate) fn parse_in_base(text: &str, radix: u32) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(digits) => parse_radix(digits, radix, true),
        None => parse_radix(text.strip_prefix('+').unwrap_or(text), radix, false),
    }
}

/// Go's `ParseFloat`; numbers too large for a double are an error.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.starts_with(['0'])
        && unsigned
            .get(1..2)
            .is_some_and(|it| it.eq_ignore_ascii_case("x"))
    {
        return hexadecimal(text, unsigned.get(2..)?);
    }
    let named = unsigned.starts_with(|it: char| it.is_ascii_alphabetic());
    if named && unsigned.len() < text.len() && unsigned.eq_ignore_ascii_case("nan") {
        return None;
    }
    let bare: std::borrow::Cow<'_, str> = if text.contains('_') {
        separates_digits(text)
            .then(|| text.replace('_', ""))?
            .into()
    } else {
        text.into()
    };
    let number: f64 = bare.parse().ok()?;
    (named || number.is_finite()).then_some(number)
}

/// Whether each underscore has a digit on either side.
fn separates_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    underscores.all(|(at, _)| at > 0 && digit(at - 1) && digit(at + 1))
}

/// `0x1.8p3`
fn hexadecimal(text: &str, body: &str) -> Option<f64> {
    let (mantissa, exponent) = body.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut number = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        number = number * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let places = i32::try_from(fraction.len()).ok()? * 4;
    let number = number * 2.0_f64.powi(exponent - places);
    number.is_finite().then_some(if text.starts_with('-') {
        -number
    } else {
        number
    })
}
