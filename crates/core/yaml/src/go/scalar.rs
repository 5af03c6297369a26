//! Scans scalars, tags and directives.

use std::borrow::Cow;

use super::{
    error::GoError,
    scanner::{Scanner, is_word, text},
    token::{Kind, Mark, Style},
};

/// A break that stands before anything else does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Break {
    None,
    /// One that folds.
    Line,
    /// A separator of lines or paragraphs, which stays as it is.
    Separator(char),
}

/// What a folded text is put together from: the text, and the blanks and breaks that may follow.
struct Folding {
    /// The text as long as it stands in the source as it is.
    start: usize,
    end: usize,
    /// The text once it does not.
    owned: Option<Vec<u8>>,
    blanks_start: usize,
    blanks_end: usize,
    first_break: Break,
    more_breaks: Vec<u8>,
    at_line_start: bool,
}

impl Folding {
    fn new(at: usize) -> Self {
        Self {
            start: at,
            end: at,
            owned: None,
            blanks_start: at,
            blanks_end: at,
            first_break: Break::None,
            more_breaks: Vec::new(),
            at_line_start: false,
        }
    }

    /// The text, to add what does not stand in the source.
    fn owned(&mut self, scanner: &Scanner<'_>) -> &mut Vec<u8> {
        let (start, end) = (self.start, self.end);
        self.owned.get_or_insert_with(|| scanner.slice(start, end).as_bytes().to_vec())
    }

    /// Takes bytes of one line that hold whole characters.
    fn take(&mut self, scanner: &mut Scanner<'_>, length: usize) {
        let at = scanner.at;
        match &mut self.owned {
            Some(owned) => owned.extend_from_slice(scanner.slice(at, at + length).as_bytes()),
            None if self.end == at => self.end = at + length,
            None => {
                let text = scanner.slice(at, at + length).as_bytes();
                self.owned(scanner).extend_from_slice(text);
            }
        }
        scanner.pass(length);
    }

    /// Takes a blank or a break.
    fn gap(&mut self, scanner: &mut Scanner<'_>) {
        if scanner.is_blank(0) {
            scanner.skip();
            if !self.at_line_start {
                self.blanks_end = scanner.at;
            }
        } else if self.at_line_start {
            scanner.read_line(&mut self.more_breaks);
        } else {
            self.first_break = match scanner.break_length(0) {
                3 => scanner.slice(scanner.at, scanner.at + 3).chars().next().map_or(Break::Line, Break::Separator),
                _ => Break::Line,
            };
            scanner.skip_line();
            self.at_line_start = true;
        }
    }

    /// Blanks may follow from here on.
    fn mark_blanks(&mut self, at: usize) {
        (self.blanks_start, self.blanks_end) = (at, at);
    }

    /// Joins what follows to the text: one break is a blank, more are one less.
    fn join(&mut self, scanner: &Scanner<'_>) {
        if self.at_line_start {
            let (first, mut more) = (self.first_break, std::mem::take(&mut self.more_breaks));
            let text = self.owned(scanner);
            match first {
                Break::Line if more.is_empty() => text.push(b' '),
                Break::Line | Break::None => {}
                Break::Separator(symbol) => text.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            text.append(&mut more);
            self.first_break = Break::None;
            self.at_line_start = false;
        } else if self.blanks_start < self.blanks_end {
            let (start, end) = (self.blanks_start, self.blanks_end);
            match &mut self.owned {
                None if self.end == start => self.end = end,
                _ => {
                    let blanks = scanner.slice(start, end).as_bytes();
                    self.owned(scanner).extend_from_slice(blanks);
                }
            }
            self.blanks_start = end;
        }
    }

    fn finish<'a>(self, scanner: &Scanner<'a>) -> Cow<'a, str> {
        match self.owned {
            Some(owned) => Cow::Owned(text(owned)),
            None => Cow::Borrowed(scanner.slice(self.start, self.end)),
        }
    }
}

impl<'a> Scanner<'a> {
    fn at_document_indicator(&self) -> bool {
        if self.mark.column != 0 {
            return false;
        }
        let three = (self.byte(0), self.byte(1), self.byte(2));
        (three == (b'-', b'-', b'-') || three == (b'.', b'.', b'.')) && self.is_blank_or_end(3)
    }

    pub(super) fn plain_scalar(&mut self) -> Result<(), GoError> {
        let indent = self.indent() + 1;
        let start = self.mark;
        let mut folding = Folding::new(self.at);
        loop {
            if self.at_document_indicator() || self.byte(0) == b'#' {
                break;
            }
            let length = self.plain_run();
            if length > 0 {
                folding.join(self);
                folding.take(self, length);
            }
            if !self.is_blank(0) && !self.is_break(0) {
                break;
            }
            folding.mark_blanks(self.at);
            while self.is_blank(0) || self.is_break(0) {
                let column = isize::try_from(self.mark.column).unwrap_or(isize::MAX);
                if folding.at_line_start && column < indent && self.byte(0) == b'\t' {
                    return Err(
                        self.error("found a tab character that violates indentation", start)
                    );
                }
                folding.gap(self);
            }
            let column = isize::try_from(self.mark.column).unwrap_or(isize::MAX);
            if self.flow_level == 0 && column < indent {
                break;
            }
        }
        if folding.at_line_start {
            self.simple_key_allowed = true;
        }
        let text = folding.finish(self);
        self.push_scalar(text, Style::Plain, start);
        Ok(())
    }

    /// How many bytes of plain text follow before a blank, a break or an indicator.
    fn plain_run(&self) -> usize {
        let rest = self.rest();
        let ends = |(at, byte): (usize, &u8)| match byte {
            0 | b' ' | b'\t' | b'\n' | b'\r' => true,
            b':' => self.is_blank_or_end(at + 1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            0xc2 | 0xe2 => self.is_break(at),
            _ => false,
        };
        rest.iter().enumerate().position(ends).unwrap_or(rest.len())
    }

    pub(super) fn flow_scalar(&mut self, single: bool) -> Result<(), GoError> {
        let start = self.mark;
        let quote = if single { b'\'' } else { b'"' };
        self.skip();
        let mut folding = Folding::new(self.at);
        loop {
            if self.at_document_indicator() {
                return Err(self.error("found unexpected document indicator", start));
            }
            if self.byte(0) == 0 {
                return Err(self.error("found unexpected end of stream", start));
            }
            let mut escaped_break = false;
            loop {
                let length = self.quoted_run(quote);
                if length > 0 {
                    folding.take(self, length);
                }
                if self.is_blank_or_end(0) {
                    break;
                }
                match self.byte(0) {
                    b'\'' if single && self.byte(1) == b'\'' => {
                        folding.owned(self).push(b'\'');
                        self.skip();
                        self.skip();
                    }
                    byte if byte == quote => break,
                    b'\\' if !single && self.is_break(1) => {
                        self.skip();
                        self.skip_line();
                        escaped_break = true;
                        break;
                    }
                    b'\\' if !single => self.escape(folding.owned(self), start)?,
                    _ => self.read(folding.owned(self)),
                }
            }
            if self.byte(0) == quote {
                break;
            }
            folding.at_line_start = escaped_break;
            folding.mark_blanks(self.at);
            while self.is_blank(0) || self.is_break(0) {
                folding.gap(self);
            }
            folding.join(self);
        }
        self.skip();
        let text = folding.finish(self);
        self.push_scalar(text, Style::Other, start);
        Ok(())
    }

    /// How many bytes follow that stand for themselves.
    fn quoted_run(&self, quote: u8) -> usize {
        let rest = self.rest();
        let ends = |(at, byte): (usize, &u8)| match byte {
            0 | b' ' | b'\t' | b'\n' | b'\r' | b'\\' => true,
            0xc2 | 0xe2 => self.is_break(at),
            byte => *byte == quote,
        };
        rest.iter().enumerate().position(ends).unwrap_or(rest.len())
    }

    fn escape(&mut self, out: &mut Vec<u8>, start: Mark) -> Result<(), GoError> {
        let code = self.byte(1);
        let digits = match code {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        let symbol = match code {
            b'0' => '\0',
            b'a' => '\u{7}',
            b'b' => '\u{8}',
            b't' | b'\t' => '\t',
            b'n' => '\n',
            b'v' => '\u{b}',
            b'f' => '\u{c}',
            b'r' => '\r',
            b'e' => '\u{1b}',
            b' ' | b'"' | b'\'' | b'\\' => char::from(code),
            b'N' => '\u{85}',
            b'_' => '\u{a0}',
            b'L' => '\u{2028}',
            b'P' => '\u{2029}',
            b'x' | b'u' | b'U' => {
                self.skip();
                self.skip();
                let mut value = 0_u32;
                for at in 0..digits {
                    let digit = char::from(self.byte(at)).to_digit(16);
                    let Some(digit) = digit else {
                        return Err(self.error("did not find expected hexdecimal number", start));
                    };
                    value = value.wrapping_shl(4) | digit;
                }
                let symbol = char::from_u32(value);
                symbol.ok_or_else(|| {
                    self.error("found invalid Unicode character escape code", start)
                })?
            }
            _ => return Err(self.error("found unknown escape character", start)),
        };
        out.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes());
        for _ in 0..if digits == 0 { 2 } else { digits } {
            self.skip();
        }
        Ok(())
    }

    pub(super) fn block_scalar(&mut self, literal: bool) -> Result<(), GoError> {
        let start = self.mark;
        self.skip();
        let (chomping, increment) = self.block_header(start)?;
        let mut indent = if increment == 0 {
            0
        } else {
            usize::try_from(self.indent().max(0)).unwrap_or(0) + increment
        };
        let mut out = Vec::new();
        let mut leading_break = Vec::new();
        let mut trailing_breaks = Vec::new();
        let mut after_blank = false;
        self.block_breaks(&mut indent, &mut trailing_breaks, start)?;
        while self.mark.column == indent && self.byte(0) != 0 {
            let blank = self.is_blank(0);
            let folds = !literal && !after_blank && !blank && leading_break.first() == Some(&b'\n');
            if folds {
                if trailing_breaks.is_empty() {
                    out.push(b' ');
                }
                leading_break.clear();
            } else {
                out.append(&mut leading_break);
            }
            out.append(&mut trailing_breaks);
            after_blank = blank;
            self.take(self.line_rest(), &mut out);
            if self.is_break(0) {
                self.read_line(&mut leading_break);
            }
            self.block_breaks(&mut indent, &mut trailing_breaks, start)?;
        }
        if chomping != Chomping::Strip {
            out.append(&mut leading_break);
        }
        if chomping == Chomping::Keep {
            out.append(&mut trailing_breaks);
        }
        self.push_scalar(Cow::Owned(text(out)), Style::Other, start);
        Ok(())
    }

    /// `+2`, `2-` and the like, up to the end of the line.
    fn block_header(&mut self, start: Mark) -> Result<(Chomping, usize), GoError> {
        let mut chomping = Chomping::Clip;
        let mut increment = 0;
        for _ in 0..2 {
            match self.byte(0) {
                b'+' if chomping == Chomping::Clip => chomping = Chomping::Keep,
                b'-' if chomping == Chomping::Clip => chomping = Chomping::Strip,
                b'0' if increment == 0 => {
                    return Err(self.error("found an indentation indicator equal to 0", start));
                }
                digit @ b'1'..=b'9' if increment == 0 => increment = usize::from(digit - b'0'),
                _ => break,
            }
            self.skip();
        }
        while self.is_blank(0) {
            self.skip();
        }
        self.comment();
        if !self.is_break_or_end(0) {
            return Err(self.error("did not find expected comment or line break", start));
        }
        if self.is_break(0) {
            self.skip_line();
        }
        Ok((chomping, increment))
    }

    /// Passes empty lines; the first line with text settles the indentation.
    fn block_breaks(
        &mut self,
        indent: &mut usize,
        breaks: &mut Vec<u8>,
        start: Mark,
    ) -> Result<(), GoError> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.mark.column < *indent) && self.byte(0) == b' ' {
                self.skip();
            }
            deepest = deepest.max(self.mark.column);
            if (*indent == 0 || self.mark.column < *indent) && self.byte(0) == b'\t' {
                return Err(self.error(
                    "found a tab character where an indentation space is expected",
                    start,
                ));
            }
            if !self.is_break(0) {
                break;
            }
            self.read_line(breaks);
        }
        if *indent == 0 {
            let least = usize::try_from(self.indent() + 1).unwrap_or(0);
            *indent = deepest.max(least).max(1);
        }
        Ok(())
    }

    pub(super) fn directive(&mut self) -> Result<(), GoError> {
        let start = self.mark;
        self.skip();
        let mut name = Vec::new();
        while is_word(self.byte(0)) {
            self.read(&mut name);
        }
        if name.is_empty() {
            return Err(self.error("could not find expected directive name", start));
        }
        if !self.is_blank_or_end(0) {
            return Err(self.error("found unexpected non-alphabetical character", start));
        }
        let kind = match name.as_slice() {
            b"YAML" => self.version(start)?,
            b"TAG" => self.tag_directive(start)?,
            _ => return Err(self.error("found unknown directive name", start)),
        };
        self.push(kind, start);
        self.blanks();
        self.comment();
        if !self.is_break_or_end(0) {
            return Err(self.error("did not find expected comment or line break", start));
        }
        if self.is_break(0) {
            self.skip_line();
        }
        Ok(())
    }

    fn blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    fn version(&mut self, start: Mark) -> Result<Kind<'a>, GoError> {
        self.blanks();
        let major = self.version_number(start)?;
        if self.byte(0) != b'.' {
            return Err(self.error("did not find expected digit or '.' character", start));
        }
        self.skip();
        let minor = self.version_number(start)?;
        Ok(Kind::Version { major, minor })
    }

    fn version_number(&mut self, start: Mark) -> Result<u8, GoError> {
        let mut number = 0;
        let mut length = 0;
        while self.byte(0).is_ascii_digit() {
            length += 1;
            if length > 2 {
                return Err(self.error("found extremely long version number", start));
            }
            number = number * 10 + (self.byte(0) - b'0');
            self.skip();
        }
        if length == 0 {
            return Err(self.error("did not find expected version number", start));
        }
        Ok(number)
    }

    fn tag_directive(&mut self, start: Mark) -> Result<Kind<'a>, GoError> {
        self.blanks();
        let handle = self.tag_handle(true, start)?;
        if !self.is_blank(0) {
            return Err(self.error("did not find expected whitespace", start));
        }
        self.blanks();
        let prefix = self.tag_uri(&[], start)?;
        if !self.is_blank_or_end(0) {
            return Err(self.error("did not find expected whitespace or line break", start));
        }
        Ok(Kind::TagDirective {
            handle: text(handle),
            prefix: text(prefix),
        })
    }

    pub(super) fn tag_token(&mut self) -> Result<(), GoError> {
        let start = self.mark;
        let (handle, suffix) = if self.byte(1) == b'<' {
            self.skip();
            self.skip();
            let suffix = self.tag_uri(&[], start)?;
            if self.byte(0) != b'>' {
                return Err(self.error("did not find the expected '>'", start));
            }
            self.skip();
            (Vec::new(), suffix)
        } else {
            let handle = self.tag_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with(b"!") {
                let suffix = self.tag_uri(&[], start)?;
                (handle, suffix)
            } else {
                match self.tag_uri(&handle, start)? {
                    // A lone exclamation mark.
                    suffix if suffix.is_empty() => (suffix, b"!".to_vec()),
                    suffix => (b"!".to_vec(), suffix),
                }
            }
        };
        if !self.is_blank_or_end(0) {
            return Err(self.error("did not find expected whitespace or line break", start));
        }
        let (handle, suffix) = (text(handle), text(suffix));
        self.push(Kind::Tag { handle, suffix }, start);
        Ok(())
    }

    fn tag_handle(&mut self, directive: bool, start: Mark) -> Result<Vec<u8>, GoError> {
        if self.byte(0) != b'!' {
            return Err(self.error("did not find expected '!'", start));
        }
        let mut handle = Vec::new();
        self.read(&mut handle);
        while is_word(self.byte(0)) {
            self.read(&mut handle);
        }
        if self.byte(0) == b'!' {
            self.read(&mut handle);
        } else if directive && handle != b"!" {
            return Err(self.error("did not find expected '!'", start));
        }
        Ok(handle)
    }

    fn tag_uri(&mut self, head: &[u8], start: Mark) -> Result<Vec<u8>, GoError> {
        let mut uri = head.get(1..).unwrap_or_default().to_vec();
        let mut found = !head.is_empty();
        while is_word(self.byte(0))
            || b";/?:@&=+$,.!~*'()[]%".contains(&self.byte(0)) && self.byte(0) != 0
        {
            if self.byte(0) == b'%' {
                let digit = |at| char::from(self.byte(at)).to_digit(16);
                let Some((high, low)) = digit(1).zip(digit(2)) else {
                    return Err(self.error("did not find URI escaped octet", start));
                };
                uri.push(u8::try_from(high << 4 | low).unwrap_or(0));
                self.skip();
                self.skip();
                self.skip();
            } else {
                self.read(&mut uri);
            }
            found = true;
        }
        if !found {
            return Err(self.error("did not find expected tag URI", start));
        }
        Ok(uri)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}
