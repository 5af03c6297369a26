//! Reads JUnit's XML in the dialects of surefire, pytest, jest, go, nextest, gtest, phpunit and others.
//!
//! There is no standard. Suites nest or are missing, attributes are missing, times have commas,
//! tools add elements for their re-runs. What cannot be understood is passed over; what is
//! dangerous (a document type, entities, endless depth) is refused.

mod cases;
mod numbers;

use std::borrow::Cow;

use api::TestCase;
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use crate::xml_text;
use cases::Builder;
pub use cases::MESSAGE_MAX;
pub(crate) use cases::id;

/// No tool writes a larger report than this on purpose: a million cases fit.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// So deep do suites nest at most.
pub const DEPTH_MAX: usize = 64;

/// More cases of one job are not kept.
pub const CASES_MAX: usize = 200_000;

/// What of a report could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// In the order of the file.
    pub cases: Vec<TestCase>,
    /// Why the rest could not be read, e.g. because the file was cut off.
    pub problem: Option<ParseError>,
}

/// Why a file is no report, or not a whole one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("expected `testsuites` or `testsuite` at the top, found `{0}`")]
    OtherRoot(String),
    #[error("the file is empty")]
    Empty,
    #[error("a document type declaration is refused; a test report needs none")]
    DocumentType,
    #[error("the entity `{0}` is refused; a test report defines none")]
    Entity(String),
    #[error("elements lie more than {DEPTH_MAX} deep")]
    TooDeep,
    #[error("more than {CASES_MAX} cases")]
    TooMany,
    #[error("the file ends before `{0}` does")]
    CutOff(String),
    #[error("byte {at}: {why}")]
    Malformed { at: u64, why: String },
}

/// Reads a report; cases that were read before a fault are kept.
pub fn parse(bytes: &[u8]) -> Parsed {
    let text = xml_text::decode(bytes);
    let mut builder = Builder::default();
    let problem = read(&text, &mut builder).err();
    Parsed { cases: builder.finish(), problem }
}

fn read(text: &str, builder: &mut Builder) -> Result<(), ParseError> {
    if text.trim().is_empty() {
        return Err(ParseError::Empty);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = false;
    let mut open: Vec<String> = Vec::new();
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|error| fault(&error, at, &open))?;
        match event {
            Event::Start(start) => {
                begin(builder, &open, &start)?;
                open.push(local_name(&start));
            }
            Event::Empty(start) => {
                begin(builder, &open, &start)?;
                builder.end(&local_name(&start))?;
            }
            Event::End(end) => {
                open.pop();
                builder.end(end.local_name().as_ref())?;
            }
            Event::Text(text) => builder.text(&text),
            Event::CData(text) => builder.text(&text),
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                let letter = match reference.resolve_char_ref() {
                    Ok(Some(letter)) => letter,
                    // A number that is no letter is what a test printed.
                    Err(_) => char::REPLACEMENT_CHARACTER,
                    Ok(None) => predefined(name).ok_or_else(|| ParseError::Entity(shown(name)))?,
                };
                builder.text(letter.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(ParseError::DocumentType),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => {
                return match open.last() {
                    Some(name) => Err(ParseError::CutOff(shown(name))),
                    None => Ok(()),
                };
            }
        }
    }
}

fn fault(error: &quick_xml::Error, at: u64, open: &[String]) -> ParseError {
    match (error, open.last()) {
        (quick_xml::Error::Syntax(_), Some(name)) => ParseError::CutOff(shown(name)),
        _ => ParseError::Malformed { at, why: crate::clean::line(&error.to_string(), 200) },
    }
}

fn begin(builder: &mut Builder, open: &[String], start: &BytesStart<'_>) -> Result<(), ParseError> {
    let name = local_name(start);
    if open.is_empty() && !matches!(name.as_str(), "testsuites" | "testsuite" | "testrun") {
        return Err(ParseError::OtherRoot(shown(&name)));
    }
    if open.len() >= DEPTH_MAX {
        return Err(ParseError::TooDeep);
    }
    let mut attributes = Vec::new();
    // An attribute that is not well formed is passed over; the others still tell something.
    for attribute in start.attributes().with_checks(false).flatten() {
        attributes.push((attribute.key.local_name().as_ref().to_owned(), unescape(&attribute.value)?));
    }
    builder.begin(&name, &attributes)
}

fn local_name(start: &BytesStart<'_>) -> String {
    start.local_name().as_ref().to_owned()
}

fn shown(name: &str) -> String {
    crate::clean::line(name, 60)
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// The value of an attribute; references that are broken stay as they are.
fn unescape(value: &str) -> Result<String, ParseError> {
    if !value.contains('&') {
        return Ok(value.to_owned());
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        // No name of an entity is longer.
        let end = after.char_indices().take(16).find(|(_, letter)| *letter == ';').map(|(end, _)| end);
        let Some(end) = end else {
            text.push('&');
            rest = &after[1..];
            continue;
        };
        let name = &after[1..end];
        let letter: Cow<'_, str> = match name.strip_prefix('#') {
            Some(number) => numbers::letter(number).unwrap_or(char::REPLACEMENT_CHARACTER).to_string().into(),
            None => match predefined(name) {
                Some(letter) => letter.to_string().into(),
                None if !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric()) => {
                    return Err(ParseError::Entity(shown(name)));
                }
                None => format!("&{name};").into(),
            },
        };
        text.push_str(&letter);
        rest = &after[end + 1..];
    }
    text.push_str(rest);
    Ok(text)
}
