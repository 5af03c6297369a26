//! What a plain scalar means in YAML as Kustomize reads it: 1.2 with the octals of 1.1.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::node::{Node, Scalar, Tag};

/// A scalar once it is read for good.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

/// The tag that the text of a plain scalar gets.
pub fn tag_of(text: &str) -> Tag {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Tag::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Tag::Bool,
        _ => match text.as_bytes().first() {
            Some(b'0'..=b'9' | b'+' | b'-' | b'.') => match number(text) {
                Some(Meaning::Float(_)) => Tag::Float,
                Some(Meaning::Text(_)) => Tag::Timestamp,
                Some(_) => Tag::Int,
                None => Tag::Word,
            },
            _ => Tag::Word,
        },
    }
}

/// Reads a scalar as it is written in the end.
///
/// # Errors
///
/// When its text does not fit its tag any more, or has no place in JSON.
pub fn meaning(scalar: &Scalar) -> Result<Meaning, String> {
    let text = &*scalar.text;
    let tag = match scalar.tag {
        Tag::Str | Tag::Word => return Ok(Meaning::Text(text.to_owned())),
        Tag::Binary => return binary(text),
        Tag::Unset if text.contains('\n') => return Ok(Meaning::Text(text.to_owned())),
        Tag::Unset => tag_of(text),
        tag => tag,
    };
    let found = tag_of(text);
    let fits = found == tag || (tag == Tag::Float && found == Tag::Int);
    if !fits {
        return Err(format!(
            "`{text}` is {}, expected {}",
            word(found),
            word(tag)
        ));
    }
    match found {
        Tag::Null => Ok(Meaning::Null),
        Tag::Bool => Ok(Meaning::Bool(text.starts_with(['t', 'T']))),
        Tag::Int | Tag::Float | Tag::Timestamp => match number(text) {
            Some(Meaning::Float(it)) if !it.is_finite() => {
                Err(format!("`{text}` has no place in JSON"))
            }
            Some(it) => Ok(it),
            None => Ok(Meaning::Text(text.to_owned())),
        },
        Tag::Unset | Tag::Str | Tag::Word | Tag::Binary => Ok(Meaning::Text(text.to_owned())),
    }
}

/// Bytes in base64 become text when they are text.
fn binary(text: &str) -> Result<Meaning, String> {
    let bare: String = text.split_whitespace().collect();
    let bytes = STANDARD
        .decode(bare)
        .map_err(|error| format!("`{text}` is no base64: {error}"))?;
    String::from_utf8(bytes)
        .map(Meaning::Text)
        .map_err(|_| "binary values that are no text are not supported".to_owned())
}

fn word(tag: Tag) -> &'static str {
    match tag {
        Tag::Unset | Tag::Str | Tag::Word => "text",
        Tag::Int => "an integer",
        Tag::Float => "a number",
        Tag::Bool => "a boolean",
        Tag::Null => "null",
        Tag::Timestamp => "a point in time",
        Tag::Binary => "binary",
    }
}

/// Numbers and points in time; a point in time comes back as the text that JSON gives it.
fn number(text: &str) -> Option<Meaning> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let ".inf" | ".Inf" | ".INF" = unsigned {
        let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
        return Some(Meaning::Float(sign * f64::INFINITY));
    }
    if let ".nan" | ".NaN" | ".NAN" = text {
        return Some(Meaning::Float(f64::NAN));
    }
    if text.starts_with('.') {
        return float(text);
    }
    if let Some(time) = timestamp(text) {
        return Some(Meaning::Text(time));
    }
    let plain = text.replace('_', "");
    if let Some(whole) = integer(&plain) {
        return Some(whole);
    }
    is_float(&plain).then(|| float(&plain)).flatten()
}

fn float(text: &str) -> Option<Meaning> {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !body.bytes().any(|it| it.is_ascii_digit())
        || !body
            .bytes()
            .all(|it| it.is_ascii_digit() || b".eE+-".contains(&it))
    {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Meaning::Float(value))
}

/// Go's `ParseInt` with base 0, then the octals and binaries of YAML.
fn integer(text: &str) -> Option<Meaning> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (digits.get(2..)?, 16),
        [b'0', b'b' | b'B', ..] => (digits.get(2..)?, 2),
        [b'0', b'o' | b'O', ..] => (digits.get(2..)?, 8),
        [b'0', _, ..] => (digits.get(1..)?, 8),
        _ => (digits, 10),
    };
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(magnitude).map(Meaning::Int);
    }
    match i64::try_from(magnitude) {
        Ok(whole) => Some(Meaning::Int(whole)),
        // `ParseUint` takes no sign.
        Err(_) => (!text.starts_with('+')).then_some(Meaning::Unsigned(magnitude)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(|it| digits(it.strip_prefix(['-', '+']).unwrap_or(it)))
}

/// A date or a date with time, as JSON writes it.
fn timestamp(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes.get(4) != Some(&b'-') || !text.is_ascii() {
        return None;
    }
    let (date, time) = match text.find('T') {
        Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let year: u32 = digits(year, 4)?;
    let month = digits(month, 2).filter(|it| (1..=12).contains(it))?;
    let day = digits(day, 2).filter(|it| (1..=days(year, month)).contains(it))?;
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some(time) = time else {
        return Some(format!("{date}T00:00:00Z"));
    };
    let at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = (time.get(..at)?, zone(time.get(at..)?)?);
    Some(format!("{date}T{}{zone}", clock_text(clock)?))
}

fn digits(text: &str, most: usize) -> Option<u32> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn clock_text(clock: &str) -> Option<String> {
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    let hour = digits(hour, 2).filter(|it| *it < 24)?;
    let minute = digits(minute, 2).filter(|it| *it < 60)?;
    let second = digits(second, 2).filter(|it| *it < 60)?;
    if !fraction.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.get(..fraction.len().min(9))?.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{hour:02}:{minute:02}:{second:02}{dot}{fraction}"))
}

fn zone(text: &str) -> Option<String> {
    if text == "Z" {
        return Some("Z".to_owned());
    }
    let (hour, minute) = text.get(1..)?.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hour, 2)?, digits(minute, 2)?);
    if hours > 24 || minutes > 60 {
        return None;
    }
    Some(if hours == 0 && minutes == 0 {
        "Z".to_owned()
    } else {
        text.to_owned()
    })
}

impl Node {
    /// What a transformer writes into a field: text that Go would quote where it has to.
    pub fn plain(text: &str) -> Self {
        Self::tagged(text, tag_of(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_go_reads() {
        check("0755", Meaning::Int(493));
        check("08", Meaning::Float(8.0));
        check("0o17", Meaning::Int(15));
        check("1_000", Meaning::Int(1000));
        check("1e3", Meaning::Float(1000.0));
        check(
            "12345678901234567890",
            Meaning::Unsigned(12_345_678_901_234_567_890),
        );
        check("yes", Meaning::Text("yes".to_owned()));
        check("1:30", Meaning::Text("1:30".to_owned()));
        check(
            "2020-01-02",
            Meaning::Text("2020-01-02T00:00:00Z".to_owned()),
        );
        check(
            "2020-1-2T3:4:5.10Z",
            Meaning::Text("2020-01-02T03:04:05.1Z".to_owned()),
        );
        check(
            "2020-01-02 03:04:05",
            Meaning::Text("2020-01-02 03:04:05".to_owned()),
        );
        check("2020-13-02", Meaning::Text("2020-13-02".to_owned()));
        check(".5", Meaning::Float(0.5));
        check(".1e400", Meaning::Text(".1e400".to_owned()));
        check("-", Meaning::Text("-".to_owned()));
        check("~", Meaning::Null);
    }

    #[test]
    fn text_in_a_number_is_refused() {
        let scalar = Scalar {
            text: "web".into(),
            tag: Tag::Int,
            share: 0,
        };
        assert_eq!(
            meaning(&scalar),
            Err("`web` is text, expected an integer".to_owned())
        );
    }

    #[track_caller]
    fn check(text: &str, expected: Meaning) {
        let scalar = Scalar {
            text: text.into(),
            tag: tag_of(text),
            share: 0,
        };
        assert_eq!(meaning(&scalar), Ok(expected));
    }
}
