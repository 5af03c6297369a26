//! Go's quoted strings: `strconv.Quote` and its kin, and `strconv.Unquote`.

use crate::unicode::is_print;

/// Which characters stay as they are between quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// All that Go calls printable: `%q`.
    Printable,
    /// Printable ASCII only: `%+q`.
    Ascii,
}

/// The bytes as a double-quoted Go string (`strconv.Quote`).
pub fn quoted(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    append_quoted(&mut out, bytes, '"', Charset::Printable);
    String::from_utf8(out).expect("quoting gives UTF-8")
}

/// Appends the bytes between `quote`s.
pub fn append_quoted(out: &mut Vec<u8>, bytes: &[u8], quote: char, charset: Charset) {
    out.push(quote as u8);
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(|c| !matches!(c, ' '..='~') || c == quote || c == '\\') {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            let c = rest[at..].chars().next().expect("it was found");
            append_escaped(out, c, quote, charset);
            rest = &rest[at + c.len_utf8()..];
        }
        out.extend_from_slice(rest.as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    out.push(quote as u8);
}

/// Appends one character between `'`.
pub fn append_quoted_char(out: &mut Vec<u8>, c: char, charset: Charset) {
    out.push(b'\'');
    append_escaped(out, c, '\'', charset);
    out.push(b'\'');
}

fn append_escaped(out: &mut Vec<u8>, c: char, quote: char, charset: Charset) {
    if c == quote || c == '\\' {
        out.push(b'\\');
        out.push(c as u8);
        return;
    }
    let plain = match charset {
        Charset::Printable => is_print(c),
        Charset::Ascii => matches!(c, ' '..='~'),
    };
    if plain {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    let escape = match c {
        '\x07' => "\\a".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\x0C' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\x0B' => "\\v".to_owned(),
        '\0'..=' ' | '\x7F' => format!("\\x{:02x}", u32::from(c)),
        '\u{80}'..='\u{FFFF}' => format!("\\u{:04x}", u32::from(c)),
        _ => format!("\\U{:08x}", u32::from(c)),
    };
    out.extend_from_slice(escape.as_bytes());
}

/// Whether the bytes can stand between backquotes unchanged.
pub fn can_backquote(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        text.chars()
            .all(|c| c == '\t' || !matches!(c, '\u{FEFF}' | '\0'..='\x1F' | '`' | '\x7F'))
    })
}

/// A literal that Go's lexer let through but `strconv.Unquote` refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSyntax;

/// The value of a quoted or raw string literal, quotes included in `literal`.
///
/// # Errors
///
/// For escapes that Go does not know.
pub fn unquote(literal: &str) -> Result<Vec<u8>, InvalidSyntax> {
    let inner = literal
        .get(1..literal.len().wrapping_sub(1))
        .filter(|_| literal.len() >= 2)
        .ok_or(InvalidSyntax)?;
    match literal.as_bytes()[0] {
        b'`' if inner.contains('`') => Err(InvalidSyntax),
        // Go drops carriage returns from raw strings.
        b'`' => Ok(inner.bytes().filter(|byte| *byte != b'\r').collect()),
        b'"' => {
            let mut out = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                if rest.starts_with('\n') {
                    return Err(InvalidSyntax);
                }
                let (unit, tail) = unquote_unit(rest, '"')?;
                match unit {
                    Unit::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    Unit::Byte(byte) => out.push(byte),
                }
                rest = tail;
            }
            Ok(out)
        }
        _ => Err(InvalidSyntax),
    }
}

/// One character or byte of a quoted literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Char(char),
    Byte(u8),
}

/// Reads one character of a literal, and gives the rest (`strconv.UnquoteChar`).
pub(crate) fn unquote_unit(text: &str, quote: char) -> Result<(Unit, &str), InvalidSyntax> {
    let mut chars = text.chars();
    let c = chars.next().ok_or(InvalidSyntax)?;
    if c == quote {
        return Err(InvalidSyntax);
    }
    if c != '\\' {
        return Ok((Unit::Char(c), chars.as_str()));
    }
    let c = chars.next().ok_or(InvalidSyntax)?;
    let rest = chars.as_str();
    let simple = |c: char| Ok((Unit::Char(c), rest));
    match c {
        'a' => simple('\x07'),
        'b' => simple('\x08'),
        'f' => simple('\x0C'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\x0B'),
        '\\' => simple('\\'),
        '\'' | '"' if c == quote => simple(c),
        'x' => {
            let (code, rest) = digits(rest, 2, 16)?;
            Ok((
                Unit::Byte(u8::try_from(code).map_err(|_| InvalidSyntax)?),
                rest,
            ))
        }
        'u' | 'U' => {
            let (code, rest) = digits(rest, if c == 'u' { 4 } else { 8 }, 16)?;
            Ok((Unit::Char(char::from_u32(code).ok_or(InvalidSyntax)?), rest))
        }
        '0'..='7' => {
            let (code, rest) = digits(&text[1..], 3, 8)?;
            Ok((
                Unit::Byte(u8::try_from(code).map_err(|_| InvalidSyntax)?),
                rest,
            ))
        }
        _ => Err(InvalidSyntax),
    }
}

fn digits(text: &str, count: usize, radix: u32) -> Result<(u32, &str), InvalidSyntax> {
    let digits = text
        .get(..count)
        .filter(|digits| digits.chars().all(|c| c.is_digit(radix)))
        .ok_or(InvalidSyntax)?;
    let code = u32::from_str_radix(digits, radix).map_err(|_| InvalidSyntax)?;
    Ok((code, &text[count..]))
}
