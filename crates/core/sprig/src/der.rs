//! Just enough DER and PEM to write certificates and keys, and to find one's way in those of others.

use base64::{Engine as _, engine::general_purpose::STANDARD};

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// An element of a tag.
pub(crate) fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(body.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let length = body.len().to_be_bytes();
            let digits: Vec<u8> = length.iter().copied().skip_while(|it| *it == 0).collect();
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            out.extend(digits);
        }
    }
    out.extend_from_slice(body);
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

/// A number that is not negative, from its bytes.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = bytes.iter().copied().skip_while(|it| *it == 0).collect();
    let body = match digits.first() {
        None => vec![0],
        Some(first) if *first >= 0x80 => [&[0], digits.as_slice()].concat(),
        Some(_) => digits,
    };
    element(INTEGER, &body)
}

/// Whole bytes as a string of bits.
pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes].concat())
}

/// An object identifier from its encoded form.
pub(crate) fn oid(encoded: &[u8]) -> Vec<u8> {
    element(OID, encoded)
}

/// One element: its tag, its body, itself as a whole, and what follows.
pub(crate) struct Element<'a> {
    pub tag: u8,
    pub body: &'a [u8],
    pub whole: &'a [u8],
    pub rest: &'a [u8],
}

/// Reads the first element.
pub(crate) fn read(bytes: &[u8]) -> Option<Element<'_>> {
    let (tag, after) = bytes.split_first()?;
    let (first, after) = after.split_first()?;
    let (length, after) = if *first < 0x80 {
        (usize::from(*first), after)
    } else {
        let count = usize::from(first & 0x7f);
        let (digits, after) = after.split_at_checked(count)?;
        if !(1..=4).contains(&count) {
            return None;
        }
        let length = digits
            .iter()
            .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        (length, after)
    };
    let (body, rest) = after.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len() - rest.len())?;
    Some(Element {
        tag: *tag,
        body,
        whole,
        rest,
    })
}

/// The elements in a row.
pub(crate) fn read_all(mut bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let element = read(bytes)?;
        bytes = element.rest;
        elements.push(element);
    }
    Some(elements)
}

pub(crate) fn to_pem(label: &str, bytes: &[u8]) -> String {
    let coded = STANDARD.encode(bytes);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = coded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// The first block: its label and its bytes.
pub(crate) fn from_pem(text: &str) -> Option<(String, Vec<u8>)> {
    let (_, after) = text.split_once("-----BEGIN ")?;
    let (label, after) = after.split_once("-----")?;
    let (body, _) = after.split_once(&format!("-----END {label}-----"))?;
    // Headers stand before an empty line.
    let body = match body.split_once("\n\n") {
        Some((headers, body)) if headers.contains(':') => body,
        _ => body,
    };
    let body: String = body.chars().filter(|it| !it.is_whitespace()).collect();
    let bytes = STANDARD.decode(body).ok()?;
    Some((label.to_owned(), bytes))
}
