//! The events of all documents, for engines that keep a tree of their own.

use std::collections::HashMap;

use super::{
    error::GoError,
    parser::{Event as Parsed, Parser},
    reader,
    token::Style,
};
use crate::events::{Event, SyntaxError};

/// What tags of the core schema begin with.
const CORE: &str = "tag:yaml.org,2002:";

/// The pieces of a source in order.
pub(crate) struct Pieces<'a> {
    parser: Parser<'a>,
    /// The anchors of the open document, and their numbers.
    anchors: HashMap<&'a str, usize>,
    numbered: usize,
}

impl<'a> Pieces<'a> {
    pub fn new(source: &'a str) -> Result<Self, SyntaxError> {
        let text = reader::check(source.as_bytes())?;
        Ok(Self {
            parser: Parser::new(text),
            anchors: HashMap::new(),
            numbered: 0,
        })
    }

    /// The next piece and its line, counted from one; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(Event<'a>, usize)>, SyntaxError> {
        let event = match self.parser.next()? {
            Parsed::DocumentStart => {
                self.anchors.clear();
                Event::DocumentStart
            }
            Parsed::DocumentEnd => Event::DocumentEnd,
            Parsed::StreamEnd => return Ok(None),
            Parsed::Alias(name) => match self.anchors.get(name) {
                Some(number) => Event::Alias(*number),
                None => {
                    return Err(SyntaxError {
                        line: self.parser.line(),
                        reason: format!("unknown anchor '{name}' referenced"),
                    });
                }
            },
            Parsed::Scalar(scalar) => Event::Scalar {
                text: scalar.text,
                plain: scalar.style == Style::Plain,
                tag: match scalar.properties.tag.strip_prefix(CORE) {
                    Some(name) => Some(name.into()),
                    None if scalar.properties.tag.is_empty() => None,
                    None => Some(scalar.properties.tag.into_boxed_str()),
                },
                anchor: self.number(scalar.properties.anchor),
            },
            Parsed::SequenceStart(it) => Event::SequenceStart {
                anchor: self.number(it.anchor),
            },
            Parsed::MappingStart(it) => Event::MappingStart {
                anchor: self.number(it.anchor),
            },
            Parsed::SequenceEnd | Parsed::MappingEnd => Event::End,
        };
        Ok(Some((event, self.parser.line())))
    }

    /// The number of an anchor; zero for none.
    fn number(&mut self, anchor: Option<&'a str>) -> usize {
        let Some(name) = anchor else { return 0 };
        self.numbered += 1;
        self.anchors.insert(name, self.numbered);
        self.numbered
    }
}

impl From<GoError> for SyntaxError {
    fn from(error: GoError) -> Self {
        let (line, reason) = error.into_parts();
        Self { line: line.max(1), reason }
    }
}
