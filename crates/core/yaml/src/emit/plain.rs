//! Which texts would read back as something else when they stand without quotes.

use serde_json::Value;

/// Whether `text`, unquoted, reads as text under YAML 1.1 and 1.2 alike.
pub(crate) fn reads_as_text(text: &str) -> bool {
    let Some(first) = text.bytes().next() else {
        return false;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            !is_word(text)
        }
        b'+' | b'-' | b'.' | b'0'..=b'9' => {
            !is_word(text) && !is_timestamp(text) && !is_number(text) && !is_base_60(text)
        }
        _ => true,
    }
}

fn is_word(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "true"
            | "True"
            | "TRUE"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "false"
            | "False"
            | "FALSE"
            | "off"
            | "Off"
            | "OFF"
            | "~"
            | "null"
            | "Null"
            | "NULL"
            | ".nan"
            | ".NaN"
            | ".NAN"
            | ".inf"
            | ".Inf"
            | ".INF"
            | "+.inf"
            | "+.Inf"
            | "+.INF"
            | "-.inf"
            | "-.Inf"
            | "-.INF"
    )
}

fn is_number(text: &str) -> bool {
    matches!(crate::resolve_go::plain(text), Ok(Value::Number(_)))
}

/// `190:20:30.5`, a number to YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let digits = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let sixty = |it: &str| match it.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    };
    whole.contains(':')
        && first.starts_with(|it: char| it.is_ascii_digit())
        && digits(first)
        && parts.all(sixty)
        && digits(fraction)
}

/// `2001-1-2`, with a time after `T`, `t` or blanks.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let Some((year, rest)) = text.split_at_checked(4) else {
        return false;
    };
    let Some(rest) = rest.strip_prefix('-') else {
        return false;
    };
    let Ok(year) = year.parse::<u32>() else {
        return false;
    };
    let Some((month, rest)) = one_or_two(rest) else {
        return false;
    };
    let Some((day, rest)) = rest.strip_prefix('-').and_then(one_or_two) else {
        return false;
    };
    if !(1..=12).contains(&month) || day < 1 || day > days(month, year) {
        return false;
    }
    if rest.is_empty() {
        return true;
    }
    let spaced = rest.trim_start_matches(' ');
    if spaced.len() < rest.len() {
        return clock(spaced).is_some_and(str::is_empty);
    }
    rest.strip_prefix(['T', 't'])
        .and_then(clock)
        .is_some_and(is_zone)
}

fn days(month: u32, year: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `15:4:5.25`, each part with one or two digits; gives what follows.
fn clock(text: &str) -> Option<&str> {
    let (hour, rest) = one_or_two(text)?;
    let (minute, rest) = one_or_two(rest.strip_prefix(':')?)?;
    let (second, rest) = one_or_two(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let Some(fraction) = rest.strip_prefix(['.', ',']) else {
        return Some(rest);
    };
    let after = fraction.trim_start_matches(|it: char| it.is_ascii_digit());
    Some(if after.len() < fraction.len() {
        after
    } else {
        rest
    })
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let two = |it: &[u8]| it.iter().all(u8::is_ascii_digit);
    match text.as_bytes() {
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            two(&[*h1, *h2, *m1, *m2]) && (*h1, *h2) <= (b'2', b'4') && (*m1, *m2) <= (b'6', b'0')
        }
        _ => false,
    }
}

fn one_or_two(text: &str) -> Option<(u32, &str)> {
    let count = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(count);
    Some((digits.parse().ok()?, rest))
}
