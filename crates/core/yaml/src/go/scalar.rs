//! Scans scalars, tags and directives.

use super::{
    error::GoError,
    scanner::{Scanner, is_word, text},
    token::{Kind, Mark, Style},
};

/// What a folded text is put together from: the text, and the blanks and breaks that may follow.
#[derive(Default)]
struct Folding {
    text: Vec<u8>,
    blanks: Vec<u8>,
    first_break: Vec<u8>,
    more_breaks: Vec<u8>,
    at_line_start: bool,
}

impl Folding {
    /// Takes a blank or a break.
    fn gap(&mut self, scanner: &mut Scanner) {
        if scanner.is_blank(0) {
            if self.at_line_start {
                scanner.skip();
            } else {
                scanner.read(&mut self.blanks);
            }
        } else if self.at_line_start {
            scanner.read_line(&mut self.more_breaks);
        } else {
            self.blanks.clear();
            scanner.read_line(&mut self.first_break);
            self.at_line_start = true;
        }
    }

    /// Joins what follows to the text: one break is a blank, more are one less.
    fn join(&mut self) {
        if self.at_line_start {
            if self.first_break.first() == Some(&b'\n') {
                if self.more_breaks.is_empty() {
                    self.text.push(b' ');
                }
            } else {
                self.text.append(&mut self.first_break);
            }
            self.text.append(&mut self.more_breaks);
            self.first_break.clear();
            self.at_line_start = false;
        } else {
            self.text.append(&mut self.blanks);
        }
    }
}

impl Scanner {
    fn at_document_indicator(&self) -> bool {
        let three = (self.byte(0), self.byte(1), self.byte(2));
        self.mark.column == 0
            && (three == (b'-', b'-', b'-') || three == (b'.', b'.', b'.'))
            && self.is_blank_or_end(3)
    }

    pub(super) fn plain_scalar(&mut self) -> Result<(), GoError> {
        let indent = self.indent() + 1;
        let start = self.mark;
        let mut folding = Folding::default();
        loop {
            if self.at_document_indicator() || self.byte(0) == b'#' {
                break;
            }
            let length = self.plain_run();
            if length > 0 {
                folding.join();
                self.take(length, &mut folding.text);
            }
            if !self.is_blank(0) && !self.is_break(0) {
                break;
            }
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
        self.push_scalar(folding.text, Style::Plain, start);
        Ok(())
    }

    /// How many bytes of plain text follow before a blank, a break or an indicator.
    fn plain_run(&self) -> usize {
        let mut length = 0;
        loop {
            let byte = self.byte(length);
            let ends = match byte {
                0 | b' ' | b'\t' | b'\n' | b'\r' => true,
                b':' => self.is_blank_or_end(length + 1),
                b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
                0xc2 | 0xe2 => self.is_break(length),
                _ => false,
            };
            if ends {
                return length;
            }
            length += 1;
        }
    }

    pub(super) fn flow_scalar(&mut self, single: bool) -> Result<(), GoError> {
        let start = self.mark;
        let quote = if single { b'\'' } else { b'"' };
        self.skip();
        let mut folding = Folding::default();
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
                self.take(length, &mut folding.text);
                if self.is_blank_or_end(0) {
                    break;
                }
                match self.byte(0) {
                    b'\'' if single && self.byte(1) == b'\'' => {
                        folding.text.push(b'\'');
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
                    b'\\' if !single => self.escape(&mut folding.text, start)?,
                    _ => self.read(&mut folding.text),
                }
            }
            if self.byte(0) == quote {
                break;
            }
            folding.at_line_start = escaped_break;
            while self.is_blank(0) || self.is_break(0) {
                folding.gap(self);
            }
            folding.join();
        }
        self.skip();
        self.push_scalar(folding.text, Style::Other, start);
        Ok(())
    }

    /// How many bytes follow that stand for themselves.
    fn quoted_run(&self, quote: u8) -> usize {
        let mut length = 0;
        loop {
            match self.byte(length) {
                0 | b' ' | b'\t' | b'\n' | b'\r' | b'\\' => return length,
                byte if byte == quote => return length,
                0xc2 | 0xe2 if self.is_break(length) => return length,
                _ => length += 1,
            }
        }
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
            let mut length = 0;
            while !self.is_break_or_end(length) {
                length += 1;
            }
            self.take(length, &mut out);
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
        self.push_scalar(out, Style::Other, start);
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

    fn version(&mut self, start: Mark) -> Result<Kind, GoError> {
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

    fn tag_directive(&mut self, start: Mark) -> Result<Kind, GoError> {
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
