//! Puts tokens together to events: the grammar of YAML as a machine of states.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of many kinds each place knows a few"
)]

use std::borrow::Cow;

use super::{
    error::GoError,
    scanner::Scanner,
    token::{Kind, Mark, Style},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    Alias(&'a str),
    Scalar(Scalar<'a>),
    SequenceStart(Properties<'a>),
    SequenceEnd,
    MappingStart(Properties<'a>),
    MappingEnd,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties<'a> {
    pub anchor: Option<&'a str>,
    /// In full; empty for none.
    pub tag: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar<'a> {
    pub properties: Properties<'a>,
    pub text: Cow<'a, str>,
    pub style: Style,
    /// Plain and without a tag, so that its text decides what it is.
    pub implicit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    FirstDocument,
    Document,
    Content,
    DocumentEnd,
    BlockNode,
    SequenceFirst,
    Sequence,
    Indentless,
    MappingFirst,
    MappingKey,
    MappingValue,
    FlowSequenceFirst,
    FlowSequence,
    /// `[a: b]`: a mapping of one entry inside a sequence.
    PairKey,
    PairValue,
    PairEnd,
    FlowMappingFirst,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingNoValue,
    End,
}

/// Whether a node may be a block collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Flow,
    Block,
    /// Also a sequence that is not indented.
    BlockOrIndentless,
}

pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    marks: Vec<Mark>,
    /// Where the last node began, from zero.
    line: usize,
    tag_directives: Vec<(String, String)>,
}

type Next<'a> = Result<Event<'a>, GoError>;

impl<'a> Parser<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::FirstDocument,
            states: Vec::new(),
            marks: Vec::new(),
            line: 0,
            tag_directives: Vec::new(),
        }
    }

    pub fn next(&mut self) -> Next<'a> {
        match self.state {
            State::FirstDocument => self.document_start(true),
            State::Document => self.document_start(false),
            State::Content => self.content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Allowed::Block),
            State::SequenceFirst => {
                self.enter()?;
                self.sequence_entry()
            }
            State::Sequence => self.sequence_entry(),
            State::Indentless => self.indentless_entry(),
            State::MappingFirst => {
                self.enter()?;
                self.mapping_key()
            }
            State::MappingKey => self.mapping_key(),
            State::MappingValue => self.mapping_value(),
            State::FlowSequenceFirst => {
                self.enter()?;
                self.flow_sequence_entry(true)
            }
            State::FlowSequence => self.flow_sequence_entry(false),
            State::PairKey => self.pair_key(),
            State::PairValue => self.pair_value(),
            State::PairEnd => {
                self.state = State::FlowSequence;
                self.scanner.peek()?;
                Ok(Event::MappingEnd)
            }
            State::FlowMappingFirst => {
                self.enter()?;
                self.flow_mapping_key(true)
            }
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingNoValue => {
                self.scanner.peek()?;
                self.state = State::FlowMappingKey;
                Ok(empty())
            }
            State::End => Ok(Event::StreamEnd),
        }
    }

    fn peek(&mut self) -> Result<&Kind<'a>, GoError> {
        Ok(&self.scanner.peek()?.kind)
    }

    fn mark(&mut self) -> Result<Mark, GoError> {
        Ok(self.scanner.peek()?.start)
    }

    fn skip(&mut self) {
        self.scanner.skip_token();
    }

    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// Passes the token that starts a collection.
    fn enter(&mut self) -> Result<(), GoError> {
        let mark = self.mark()?;
        self.marks.push(mark);
        self.skip();
        Ok(())
    }

    fn error(&mut self, problem: &str, context: Option<Mark>) -> GoError {
        match self.mark() {
            Ok(mark) => GoError::parser(problem, mark.line, context.map_or(0, |it| it.line)),
            Err(error) => error,
        }
    }

    fn document_start(&mut self, first: bool) -> Next<'a> {
        if !first {
            while *self.peek()? == Kind::DocumentEnd {
                self.skip();
            }
        }
        let kind = self.peek()?;
        let ends = *kind == Kind::StreamEnd;
        let explicit = ends
            || matches!(
                kind,
                Kind::Version { .. } | Kind::TagDirective { .. } | Kind::DocumentStart
            );
        if first && !explicit {
            self.directives()?;
            self.states.push(State::DocumentEnd);
            self.state = State::BlockNode;
            return Ok(Event::DocumentStart);
        }
        if ends {
            self.state = State::End;
            return Ok(Event::StreamEnd);
        }
        self.directives()?;
        if *self.peek()? != Kind::DocumentStart {
            return Err(self.error("did not find expected <document start>", None));
        }
        self.states.push(State::DocumentEnd);
        self.state = State::Content;
        self.skip();
        Ok(Event::DocumentStart)
    }

    fn directives(&mut self) -> Result<(), GoError> {
        let mut versioned = false;
        loop {
            match self.peek()? {
                Kind::Version { major, minor } => {
                    let version = (*major, *minor);
                    if versioned {
                        return Err(self.error("found duplicate %YAML directive", None));
                    }
                    if version != (1, 1) {
                        return Err(self.error("found incompatible YAML document", None));
                    }
                    versioned = true;
                    self.skip();
                }
                Kind::TagDirective { handle, .. } => {
                    let known = handle.clone();
                    if self.tag_directives.iter().any(|it| it.0 == known) {
                        return Err(self.error("found duplicate %TAG directive", None));
                    }
                    if let Some(Kind::TagDirective { handle, prefix }) = self.scanner.take_token() {
                        self.tag_directives.push((handle, prefix));
                    }
                }
                _ => break,
            }
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tag_directives.iter().any(|it| it.0 == handle) {
                self.tag_directives
                    .push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    fn content(&mut self) -> Next<'a> {
        let ends = matches!(
            self.peek()?,
            Kind::Version { .. }
                | Kind::TagDirective { .. }
                | Kind::DocumentStart
                | Kind::DocumentEnd
                | Kind::StreamEnd
        );
        if ends {
            self.pop();
            return Ok(empty());
        }
        self.node(Allowed::Block)
    }

    fn document_end(&mut self) -> Next<'a> {
        if *self.peek()? == Kind::DocumentEnd {
            self.skip();
        }
        self.tag_directives.clear();
        self.state = State::Document;
        Ok(Event::DocumentEnd)
    }

    /// The line of the node that began last, from one.
    pub fn line(&self) -> usize {
        self.line + 1
    }

    fn node(&mut self, allowed: Allowed) -> Next<'a> {
        self.line = self.mark()?.line;
        if let Kind::Alias(name) = *self.peek()? {
            self.pop();
            self.skip();
            return Ok(Event::Alias(name));
        }
        let start = self.mark()?;
        let properties = self.properties(start)?;
        let state = match self.peek()? {
            Kind::Scalar { .. } => return self.scalar(properties),
            Kind::BlockEntry if allowed == Allowed::BlockOrIndentless => State::Indentless,
            Kind::FlowSequenceStart => State::FlowSequenceFirst,
            Kind::FlowMappingStart => State::FlowMappingFirst,
            Kind::BlockSequenceStart if allowed != Allowed::Flow => State::SequenceFirst,
            Kind::BlockMappingStart if allowed != Allowed::Flow => State::MappingFirst,
            _ if properties.anchor.is_some() || !properties.tag.is_empty() => {
                let implicit = properties.tag.is_empty();
                self.pop();
                return Ok(Event::Scalar(Scalar {
                    properties,
                    text: Cow::Borrowed(""),
                    style: Style::Plain,
                    implicit,
                }));
            }
            _ => return Err(self.error("did not find expected node content", Some(start))),
        };
        self.state = state;
        Ok(match state {
            State::FlowMappingFirst | State::MappingFirst => Event::MappingStart(properties),
            _ => Event::SequenceStart(properties),
        })
    }

    fn scalar(&mut self, properties: Properties<'a>) -> Next<'a> {
        let Some((text, style)) = self.scanner.take_scalar() else {
            return Ok(empty());
        };
        let implicit = match properties.tag.as_str() {
            "" => style == Style::Plain,
            tag => tag == "!",
        };
        self.pop();
        Ok(Event::Scalar(Scalar {
            properties,
            text,
            style,
            implicit,
        }))
    }

    /// An anchor and a tag, in either order.
    fn properties(&mut self, start: Mark) -> Result<Properties<'a>, GoError> {
        let mut properties = Properties::default();
        let mut tag = None;
        loop {
            match *self.peek()? {
                Kind::Anchor(name) if properties.anchor.is_none() => {
                    properties.anchor = Some(name);
                    self.skip();
                }
                Kind::Tag { .. } if tag.is_none() => {
                    let mark = self.mark()?;
                    if let Some(Kind::Tag { handle, suffix }) = self.scanner.take_token() {
                        tag = Some((handle, suffix, mark));
                    }
                }
                _ => break,
            }
        }
        let Some((handle, suffix, mark)) = tag else {
            return Ok(properties);
        };
        if handle.is_empty() {
            properties.tag = suffix;
            return Ok(properties);
        }
        match self.tag_directives.iter().find(|it| it.0 == handle) {
            Some((_, prefix)) => properties.tag = format!("{prefix}{suffix}"),
            None => {
                return Err(GoError::parser(
                    "found undefined tag handle",
                    mark.line,
                    start.line,
                ));
            }
        }
        Ok(properties)
    }

    fn sequence_entry(&mut self) -> Next<'a> {
        match self.peek()? {
            Kind::BlockEntry => {
                self.skip();
                if matches!(self.peek()?, Kind::BlockEntry | Kind::BlockEnd) {
                    self.state = State::Sequence;
                    return Ok(empty());
                }
                self.states.push(State::Sequence);
                self.node(Allowed::Block)
            }
            Kind::BlockEnd => {
                self.leave();
                Ok(Event::SequenceEnd)
            }
            _ => {
                let context = self.marks.pop();
                Err(self.error("did not find expected '-' indicator", context))
            }
        }
    }

    fn leave(&mut self) {
        self.pop();
        self.marks.pop();
        self.skip();
    }

    fn indentless_entry(&mut self) -> Next<'a> {
        if *self.peek()? != Kind::BlockEntry {
            self.pop();
            return Ok(Event::SequenceEnd);
        }
        self.skip();
        if matches!(
            self.peek()?,
            Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd
        ) {
            self.state = State::Indentless;
            return Ok(empty());
        }
        self.states.push(State::Indentless);
        self.node(Allowed::Block)
    }

    fn mapping_key(&mut self) -> Next<'a> {
        match self.peek()? {
            Kind::Key => {
                self.skip();
                if matches!(self.peek()?, Kind::Key | Kind::Value | Kind::BlockEnd) {
                    self.state = State::MappingValue;
                    return Ok(empty());
                }
                self.states.push(State::MappingValue);
                self.node(Allowed::BlockOrIndentless)
            }
            Kind::BlockEnd => {
                self.leave();
                Ok(Event::MappingEnd)
            }
            _ => {
                let context = self.marks.pop();
                Err(self.error("did not find expected key", context))
            }
        }
    }

    fn mapping_value(&mut self) -> Next<'a> {
        if *self.peek()? == Kind::Value {
            self.skip();
            if !matches!(self.peek()?, Kind::Key | Kind::Value | Kind::BlockEnd) {
                self.states.push(State::MappingKey);
                return self.node(Allowed::BlockOrIndentless);
            }
        }
        self.state = State::MappingKey;
        Ok(empty())
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Next<'a> {
        if *self.peek()? != Kind::FlowSequenceEnd {
            if !first {
                if *self.peek()? != Kind::FlowEntry {
                    let context = self.marks.pop();
                    return Err(self.error("did not find expected ',' or ']'", context));
                }
                self.skip();
            }
            match self.peek()? {
                Kind::Key => {
                    self.state = State::PairKey;
                    self.skip();
                    return Ok(Event::MappingStart(Properties::default()));
                }
                Kind::FlowSequenceEnd => {}
                _ => {
                    self.states.push(State::FlowSequence);
                    return self.node(Allowed::Flow);
                }
            }
        }
        self.leave();
        Ok(Event::SequenceEnd)
    }

    fn pair_key(&mut self) -> Next<'a> {
        if matches!(
            self.peek()?,
            Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd
        ) {
            self.skip();
            self.state = State::PairValue;
            return Ok(empty());
        }
        self.states.push(State::PairValue);
        self.node(Allowed::Flow)
    }

    fn pair_value(&mut self) -> Next<'a> {
        if *self.peek()? == Kind::Value {
            self.skip();
            if !matches!(self.peek()?, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                self.states.push(State::PairEnd);
                return self.node(Allowed::Flow);
            }
        }
        self.state = State::PairEnd;
        Ok(empty())
    }

    fn flow_mapping_key(&mut self, first: bool) -> Next<'a> {
        if *self.peek()? != Kind::FlowMappingEnd {
            if !first {
                if *self.peek()? != Kind::FlowEntry {
                    let context = self.marks.pop();
                    return Err(self.error("did not find expected ',' or '}'", context));
                }
                self.skip();
            }
            match self.peek()? {
                Kind::Key => {
                    self.skip();
                    if matches!(
                        self.peek()?,
                        Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd
                    ) {
                        self.state = State::FlowMappingValue;
                        return Ok(empty());
                    }
                    self.states.push(State::FlowMappingValue);
                    return self.node(Allowed::Flow);
                }
                Kind::FlowMappingEnd => {}
                _ => {
                    self.states.push(State::FlowMappingNoValue);
                    return self.node(Allowed::Flow);
                }
            }
        }
        self.leave();
        Ok(Event::MappingEnd)
    }

    fn flow_mapping_value(&mut self) -> Next<'a> {
        if *self.peek()? == Kind::Value {
            self.skip();
            if !matches!(self.peek()?, Kind::FlowEntry | Kind::FlowMappingEnd) {
                self.states.push(State::FlowMappingKey);
                return self.node(Allowed::Flow);
            }
        }
        self.state = State::FlowMappingKey;
        Ok(empty())
    }
}

fn empty<'a>() -> Event<'a> {
    Event::Scalar(Scalar {
        properties: Properties::default(),
        text: Cow::Borrowed(""),
        style: Style::Plain,
        implicit: true,
    })
}
