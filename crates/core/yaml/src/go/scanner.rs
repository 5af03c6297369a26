//! Cuts a text into tokens. Keys are found late: what looks like a scalar turns out to be a key
//! when its colon comes.

mod keys;

use std::{borrow::Cow, collections::VecDeque};

use super::{
    error::GoError,
    token::{Kind, Mark, Style, Token},
};

/// Collections may nest so deep, in flow and in block style.
const DEPTH_MAX: usize = 10_000;

/// Something that will be a key if a colon follows.
#[derive(Clone, Copy, Debug, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token_number: usize,
    /// Whether the search for keys at the head of the queue finds it. The original loses a key
    /// when an empty flow collection closes, which is why `{}: x` is an error.
    indexed: bool,
    mark: Mark,
}

pub(super) struct Scanner<'a> {
    text: &'a str,
    pub(super) at: usize,
    pub(super) mark: Mark,
    tokens: VecDeque<Token<'a>>,
    parsed: usize,
    ended: bool,
    /// The column of the block collection we are in; -1 around the root.
    indent: isize,
    indents: Vec<isize>,
    pub(super) flow_level: usize,
    pub(super) simple_key_allowed: bool,
    simple_keys: Vec<SimpleKey>,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            mark: Mark::default(),
            tokens: VecDeque::new(),
            parsed: 0,
            ended: false,
            indent: -1,
            indents: Vec::new(),
            flow_level: 0,
            simple_key_allowed: true,
            simple_keys: vec![SimpleKey::default()],
        }
    }

    /// The next token, which stays.
    pub fn peek(&mut self) -> Result<&Token<'a>, GoError> {
        while self.needs_more()? {
            self.fetch()?;
        }
        // The end stays in the queue for ever.
        self.tokens
            .front()
            .ok_or_else(|| GoError::yaml("unknown problem parsing YAML content"))
    }

    /// Takes the scalar that [`peek`](Self::peek) showed.
    pub fn take_scalar(&mut self) -> Option<(Cow<'a, str>, Style)> {
        match self.tokens.front_mut().map(|it| &mut it.kind) {
            Some(Kind::Scalar { text, style }) => {
                let taken = (std::mem::take(text), *style);
                self.skip_token();
                Some(taken)
            }
            _ => None,
        }
    }

    /// Takes the token that [`peek`](Self::peek) showed.
    pub fn skip_token(&mut self) {
        if self
            .tokens
            .front()
            .is_some_and(|it| it.kind != Kind::StreamEnd)
        {
            self.tokens.pop_front();
            self.parsed += 1;
        }
    }

    /// The first token is not settled while it may turn out to follow a key.
    fn needs_more(&mut self) -> Result<bool, GoError> {
        if self.ended {
            return Ok(false);
        }
        if self.tokens.is_empty() {
            return Ok(true);
        }
        let parsed = self.parsed;
        let head = self
            .simple_keys
            .iter()
            .position(|it| it.possible && it.indexed && it.token_number == parsed);
        match head {
            None => Ok(false),
            Some(at) => self.is_valid(at),
        }
    }

    /// A copy of the token that [`peek`](Self::peek) showed, which goes.
    pub fn take_token(&mut self) -> Option<Kind<'a>> {
        let kind = self.tokens.front().map(|it| it.kind.clone());
        self.skip_token();
        kind
    }

    /// What was not passed yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Whole characters of the text.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// What stands so many bytes further on; zero behind the end.
    #[inline]
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// How long the line break is that stands there; nothing for none.
    pub(super) fn break_length(&self, ahead: usize) -> usize {
        match (self.byte(ahead), self.byte(ahead + 1), self.byte(ahead + 2)) {
            (b'\r', b'\n', _) => 2,
            (b'\r' | b'\n', ..) => 1,
            (0xc2, 0x85, _) => 2,
            (0xe2, 0x80, 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        self.break_length(ahead) > 0
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || self.is_break(ahead)
    }

    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t' | 0) || self.is_break(ahead)
    }

    /// Passes one character.
    pub(super) fn skip(&mut self) {
        self.at += width(self.byte(0));
        self.mark.index += 1;
        self.mark.column += 1;
    }

    pub(super) fn skip_line(&mut self) {
        let length = self.break_length(0);
        self.at += length;
        let is_pair = length == 2 && self.text.as_bytes().get(self.at - 2) == Some(&b'\r');
        self.mark.index += if is_pair { 2 } else { 1 };
        self.mark.column = 0;
        self.mark.line += 1;
    }

    /// Passes one character and keeps it.
    pub(super) fn read(&mut self, out: &mut Vec<u8>) {
        let end = self.at + width(self.byte(0));
        out.extend_from_slice(self.slice(self.at, end).as_bytes());
        self.skip();
    }

    /// Passes a line break and keeps it, as a line feed unless it is a separator of lines or paragraphs.
    pub(super) fn read_line(&mut self, out: &mut Vec<u8>) {
        let length = self.break_length(0);
        match length {
            3 => out.extend_from_slice(self.slice(self.at, self.at + 3).as_bytes()),
            _ => out.push(b'\n'),
        }
        self.skip_line();
    }

    /// Keeps bytes of one line that hold whole characters.
    pub(super) fn take(&mut self, length: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.slice(self.at, self.at + length).as_bytes());
        self.pass(length);
    }

    pub(super) fn error(&self, problem: &str, context: Mark) -> GoError {
        GoError::scanner(problem, self.mark.line, context.line)
    }

    pub(super) fn error_here(&self, problem: &str) -> GoError {
        self.error(problem, self.mark)
    }

    /// The column as the indentation counts it.
    fn column(&self) -> isize {
        isize::try_from(self.mark.column).unwrap_or(isize::MAX)
    }

    pub(super) fn indent(&self) -> isize {
        self.indent
    }

    pub(super) fn push(&mut self, kind: Kind<'a>, start: Mark) {
        self.tokens.push_back(Token { kind, start });
    }

    fn fetch(&mut self) -> Result<(), GoError> {
        self.pass_gap();
        self.unroll(self.column());
        let first = self.byte(0);
        if first == 0 {
            return self.stream_end();
        }
        if self.mark.column == 0 {
            match (first, self.byte(1), self.byte(2)) {
                (b'%', ..) => return self.directive_token(),
                (b'-', b'-', b'-') if self.is_blank_or_end(3) => {
                    return self.document_indicator(Kind::DocumentStart);
                }
                (b'.', b'.', b'.') if self.is_blank_or_end(3) => {
                    return self.document_indicator(Kind::DocumentEnd);
                }
                _ => {}
            }
        }
        let in_flow = self.flow_level > 0;
        match first {
            b'[' => self.flow_start(Kind::FlowSequenceStart),
            b'{' => self.flow_start(Kind::FlowMappingStart),
            b']' => self.flow_end(Kind::FlowSequenceEnd),
            b'}' => self.flow_end(Kind::FlowMappingEnd),
            b',' => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                self.one(Kind::FlowEntry)
            }
            b'-' if self.is_blank_or_end(1) => self.block_entry(),
            b'?' if in_flow || self.is_blank_or_end(1) => self.key(),
            b':' if in_flow || self.is_blank_or_end(1) => self.value(),
            b'*' | b'&' => self.anchor(first == b'&'),
            b'!' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.tag_token()
            }
            b'|' | b'>' if !in_flow => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                self.block_scalar(first == b'|')
            }
            b'\'' | b'"' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.flow_scalar(first == b'\'')
            }
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => self.no_token(),
            _ => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.plain_scalar()
            }
        }
    }

    fn no_token(&self) -> Result<(), GoError> {
        Err(self.error_here("found character that cannot start any token"))
    }

    /// Passes blanks, comments and line breaks.
    fn pass_gap(&mut self) {
        loop {
            if self.mark.column == 0
                && (self.byte(0), self.byte(1), self.byte(2)) == (0xef, 0xbb, 0xbf)
            {
                self.skip();
            }
            let tabs = self.flow_level > 0 || !self.simple_key_allowed;
            let rest = self.rest();
            let blanks = |it: &&u8| **it == b' ' || tabs && **it == b'\t';
            let length = rest.iter().take_while(blanks).count();
            self.at += length;
            self.mark.index += length;
            self.mark.column += length;
            self.comment();
            if !self.is_break(0) {
                return;
            }
            self.skip_line();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    pub(super) fn comment(&mut self) {
        if self.byte(0) == b'#' {
            let length = self.line_rest();
            self.pass(length);
        }
    }

    /// How many bytes follow before a line break or the end.
    pub(super) fn line_rest(&self) -> usize {
        let mut length = 0;
        loop {
            let rest = self.rest().get(length..).unwrap_or_default();
            let ends = |it: &u8| matches!(it, 0 | b'\n' | b'\r' | 0xc2 | 0xe2);
            length += rest.iter().position(ends).unwrap_or(rest.len());
            // Those of two or three bytes have a first byte that others have as well.
            if self.is_break_or_end(length) {
                return length;
            }
            length += 1;
        }
    }

    /// Passes bytes of one line that hold whole characters.
    pub(super) fn pass(&mut self, length: usize) {
        let bytes = self.rest().get(..length).unwrap_or_default();
        let symbols = bytes.iter().filter(|it| **it & 0xc0 != 0x80).count();
        self.at += length;
        self.mark.index += symbols;
        self.mark.column += symbols;
    }

    /// Opens a block collection when the column is deeper than the one we are in.
    fn roll(
        &mut self,
        column: isize,
        number: Option<usize>,
        kind: Kind<'a>,
        mark: Mark,
    ) -> Result<(), GoError> {
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > DEPTH_MAX {
            return Err(self.error_here(&format!("exceeded max depth of {DEPTH_MAX}")));
        }
        let token = Token { kind, start: mark };
        self.insert(number, token);
        Ok(())
    }

    /// Puts a token where the one of that number stands, or at the end.
    fn insert(&mut self, number: Option<usize>, token: Token<'a>) {
        match number.and_then(|it| it.checked_sub(self.parsed)) {
            Some(at) if at <= self.tokens.len() => self.tokens.insert(at, token),
            _ => self.tokens.push_back(token),
        }
    }

    fn unroll(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(Kind::BlockEnd, self.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn stream_end(&mut self) -> Result<(), GoError> {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
        self.unroll(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.push(Kind::StreamEnd, self.mark);
        self.ended = true;
        Ok(())
    }

    fn directive_token(&mut self) -> Result<(), GoError> {
        self.unroll(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.directive()
    }

    fn document_indicator(&mut self, kind: Kind<'a>) -> Result<(), GoError> {
        self.unroll(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.mark;
        self.skip();
        self.skip();
        self.skip();
        self.push(kind, start);
        Ok(())
    }

    /// A token of one character.
    fn one(&mut self, kind: Kind<'a>) -> Result<(), GoError> {
        let start = self.mark;
        self.skip();
        self.push(kind, start);
        Ok(())
    }

    fn flow_start(&mut self, kind: Kind<'a>) -> Result<(), GoError> {
        self.save_simple_key()?;
        let token_number = self.parsed + self.tokens.len();
        self.simple_keys.push(SimpleKey {
            token_number,
            ..SimpleKey::default()
        });
        self.flow_level += 1;
        if self.flow_level > DEPTH_MAX {
            return Err(self.error_here(&format!("exceeded max depth of {DEPTH_MAX}")));
        }
        self.simple_key_allowed = true;
        self.one(kind)
    }

    fn flow_end(&mut self, kind: Kind<'a>) -> Result<(), GoError> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let closed = self.simple_keys.pop().map(|it| it.token_number);
            for key in self
                .simple_keys
                .iter_mut()
                .filter(|it| Some(it.token_number) == closed)
            {
                key.indexed = false;
            }
        }
        self.simple_key_allowed = false;
        self.one(kind)
    }

    fn block_entry(&mut self) -> Result<(), GoError> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(
                    self.error_here("block sequence entries are not allowed in this context")
                );
            }
            self.roll(self.column(), None, Kind::BlockSequenceStart, self.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.one(Kind::BlockEntry)
    }

    fn key(&mut self) -> Result<(), GoError> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error_here("mapping keys are not allowed in this context"));
            }
            self.roll(self.column(), None, Kind::BlockMappingStart, self.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.one(Kind::Key)
    }

    fn value(&mut self) -> Result<(), GoError> {
        let last = self.simple_keys.len() - 1;
        if self.is_valid(last)? {
            let key = self.simple_keys[last];
            let token = Token {
                kind: Kind::Key,
                start: key.mark,
            };
            self.insert(Some(key.token_number), token);
            let column = isize::try_from(key.mark.column).unwrap_or(isize::MAX);
            self.roll(
                column,
                Some(key.token_number),
                Kind::BlockMappingStart,
                key.mark,
            )?;
            self.simple_keys[last].possible = false;
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return Err(self.error_here("mapping values are not allowed in this context"));
                }
                self.roll(self.column(), None, Kind::BlockMappingStart, self.mark)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.one(Kind::Value)
    }

    fn anchor(&mut self, is_anchor: bool) -> Result<(), GoError> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.mark;
        self.skip();
        let length = self.rest().iter().take_while(|it| is_word(**it)).count();
        let name = self.slice(self.at, self.at + length);
        self.pass(length);
        let follows = self.is_blank_or_end(0) || b"?:,]}%@`".contains(&self.byte(0));
        if name.is_empty() || !follows {
            return Err(self.error(
                "did not find expected alphabetic or numeric character",
                start,
            ));
        }
        self.push(
            if is_anchor {
                Kind::Anchor(name)
            } else {
                Kind::Alias(name)
            },
            start,
        );
        Ok(())
    }

    pub(super) fn push_scalar(&mut self, text: Cow<'a, str>, style: Style, start: Mark) {
        self.push(Kind::Scalar { text, style }, start);
    }
}

/// Bytes that were taken whole from text.
pub(super) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn width(byte: u8) -> usize {
    match byte {
        0..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0.. => 4,
    }
}
