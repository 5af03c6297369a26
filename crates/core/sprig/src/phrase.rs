//! Words of a sentence: titles, initials, abbreviations, wrapping.

use gotemplate::{Functions, Signature, Text, Type, Value};

use crate::{
    arguments::{any, integer, room, string, text},
    case::{lower, title, upper},
};

pub(crate) fn add(all: &mut Functions) {
    let mapped = Signature::new(&[Type::String], Type::String);
    all.add("title", mapped, |_, arguments| {
        Ok(titled(&string(arguments, 0)).into())
    });
    all.add("untitle", mapped, |_, arguments| {
        Ok(untitled(&string(arguments, 0)).into())
    });
    all.add("swapcase", mapped, |_, arguments| {
        Ok(swapped(&string(arguments, 0)).into())
    });
    all.add("initials", mapped, |_, arguments| {
        Ok(initials(text(arguments, 0).as_bytes()).into())
    });
    all.add("nospace", mapped, |_, arguments| {
        Ok(without_blanks(
            any(arguments, 0),
            text(arguments, 0).as_bytes(),
        ))
    });
    all.add(
        "abbrev",
        Signature::new(&[Type::Int, Type::String], Type::String),
        |_, arguments| {
            let width = integer(arguments, 0);
            if width < 4 {
                return Ok(any(arguments, 1).clone());
            }
            Ok(abbreviated(text(arguments, 1).as_bytes(), 0, width).into())
        },
    );
    all.add(
        "abbrevboth",
        Signature::new(&[Type::Int, Type::Int, Type::String], Type::String),
        |_, arguments| {
            let (left, right) = (integer(arguments, 0), integer(arguments, 1));
            if right < 4 || (left > 0 && right < 7) {
                return Ok(any(arguments, 2).clone());
            }
            Ok(abbreviated(text(arguments, 2).as_bytes(), left, right).into())
        },
    );
    all.add(
        "wrap",
        Signature::new(&[Type::Int, Type::String], Type::String),
        |_, arguments| {
            let whole = text(arguments, 1).as_bytes();
            Ok(wrapped(whole, integer(arguments, 0), b"\n", LongWords::Keep).into())
        },
    );
    all.add(
        "wrapWith",
        Signature::new(&[Type::Int, Type::String, Type::String], Type::String),
        |call, arguments| {
            let separator = text(arguments, 1);
            let whole = text(arguments, 2);
            room(call, whole.len().saturating_mul(separator.len() + 1))?;
            let separator = match separator.as_bytes() {
                b"" => b"\n",
                it => it,
            };
            Ok(wrapped(
                whole.as_bytes(),
                integer(arguments, 0),
                separator,
                LongWords::Break,
            )
            .into())
        },
    );
}

/// Go's deprecated `strings.Title`: a letter after anything but a letter, digit or underscore.
fn titled(text: &str) -> String {
    let separates = |it: char| {
        if it.is_ascii() {
            !it.is_ascii_alphanumeric() && it != '_'
        } else {
            !it.is_alphanumeric() && it.is_whitespace()
        }
    };
    let mut previous = ' ';
    let each = text.chars().map(|symbol| {
        let starts = separates(std::mem::replace(&mut previous, symbol));
        if starts { title(symbol) } else { symbol }
    });
    each.collect()
}

fn untitled(text: &str) -> String {
    let mut starts = true;
    let each = text.chars().map(|symbol| {
        if symbol.is_whitespace() {
            starts = true;
            symbol
        } else if std::mem::take(&mut starts) {
            lower(symbol)
        } else {
            symbol
        }
    });
    each.collect()
}

fn swapped(text: &str) -> String {
    let mut after_blank = true;
    let each = text.chars().map(|symbol| {
        let two_in_one = matches!(symbol, '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}');
        if symbol.is_uppercase() || two_in_one {
            after_blank = false;
            lower(symbol)
        } else if symbol.is_lowercase() {
            if std::mem::take(&mut after_blank) {
                title(symbol)
            } else {
                upper(symbol)
            }
        } else {
            after_blank = symbol.is_whitespace();
            symbol
        }
    });
    each.collect()
}

/// The first byte of each word, each byte taken for a character as the original does.
fn initials(bytes: &[u8]) -> String {
    let mut after_gap = true;
    let mut out = String::new();
    for symbol in bytes.iter().map(|it| char::from(*it)) {
        if symbol.is_whitespace() {
            after_gap = true;
        } else if std::mem::take(&mut after_gap) {
            out.push(symbol);
        }
    }
    out
}

/// Without white space, each byte taken for a character as the original does.
fn without_blanks(value: &Value, bytes: &[u8]) -> Value {
    let symbols = bytes.iter().map(|it| char::from(*it));
    if !symbols.clone().any(char::is_whitespace) {
        return value.clone();
    }
    let kept: String = symbols.filter(|it| !it.is_whitespace()).collect();
    kept.into()
}

fn abbreviated(bytes: &[u8], left: i64, width: i64) -> Text {
    let size = |it: i64| usize::try_from(it).unwrap_or(0);
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    if length <= width {
        return Text::from_bytes(bytes);
    }
    let mut left = left.min(length);
    if length - left < width - 3 {
        left = length - (width - 3);
    }
    if left <= 4 {
        let head = bytes.get(..size(width - 3)).unwrap_or_default();
        return Text::from_bytes(&[head, b"..."].concat());
    }
    if left + width - 3 < length {
        let tail = bytes.get(size(left)..).unwrap_or_default();
        let inner = abbreviated(tail, 0, width - 3);
        return Text::from_bytes(&[b"...", inner.as_bytes()].concat());
    }
    let tail = bytes.get(size(length - (width - 3))..).unwrap_or_default();
    Text::from_bytes(&[b"...", tail].concat())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LongWords {
    Keep,
    Break,
}

fn wrapped(bytes: &[u8], width: i64, separator: &[u8], long_words: LongWords) -> Text {
    let width = usize::try_from(width).unwrap_or(1).max(1);
    let mut out = Vec::new();
    let mut rest = bytes;
    while rest.len() > width {
        if let Some(after) = rest.strip_prefix(b" ") {
            rest = after;
            continue;
        }
        let (line, after) = rest.split_at(width);
        let last_space = rest.iter().take(width + 1).rposition(|it| *it == b' ');
        let next_space = || rest.iter().skip(width).position(|it| *it == b' ');
        let at = match (last_space, long_words) {
            (Some(at), _) => at,
            (None, LongWords::Break) => {
                out.extend_from_slice(line);
                out.extend_from_slice(separator);
                rest = after;
                continue;
            }
            (None, LongWords::Keep) => match next_space() {
                Some(at) => at + width,
                None => break,
            },
        };
        let (line, after) = rest.split_at(at);
        out.extend_from_slice(line);
        out.extend_from_slice(separator);
        rest = after.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Text::from_bytes(&out)
}
