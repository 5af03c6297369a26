//! Cuts a template's text into tokens, as Go's lexer does.

use crate::unicode::is_alphanumeric;

/// The kind of a token. Keywords come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TokenKind {
    /// The text says what is wrong.
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'t> {
    pub(crate) kind: TokenKind,
    /// Byte position in the text.
    pub(crate) position: usize,
    pub(crate) text: &'t str,
    /// The line it starts on, from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// What stands for a token before the first one.
    pub(crate) const NONE: Self = Self {
        kind: TokenKind::Eof,
        position: 0,
        text: "",
        line: 0,
    };

    /// As parse errors show it; an error has a text of its own, in the lexer.
    pub(crate) fn shown(&self) -> String {
        match self.kind {
            TokenKind::Eof => "EOF".to_owned(),
            kind if kind >= TokenKind::Block => format!("<{}>", self.text),
            _ if self.text.len() > 10 => {
                let short: String = self.text.chars().take(10).collect();
                format!("{}...", crate::quote::quoted(short.as_bytes()))
            }
            _ => crate::quote::quoted(self.text.as_bytes()),
        }
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// Whether `break` and `continue` are keywords: they are not where functions have these names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keywords {
    pub(crate) break_: bool,
    pub(crate) continue_: bool,
}

pub(crate) struct Lexer<'t> {
    input: &'t str,
    position: usize,
    start: usize,
    line: usize,
    start_line: usize,
    paren_depth: i32,
    inside_action: bool,
    keywords: Keywords,
    /// What is wrong, after an error.
    error: String,
}

/// What a state of the lexer leads to.
enum Step<'t> {
    Emit(Token<'t>),
    Text,
    LeftDelim,
    Comment,
    RightDelim,
    Inside,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(input: &'t str, keywords: Keywords) -> Self {
        Self {
            input,
            position: 0,
            start: 0,
            line: 1,
            start_line: 1,
            paren_depth: 0,
            inside_action: false,
            keywords,
            error: String::new(),
        }
    }

    /// The text of the error that was met.
    pub(crate) fn error(&self) -> &str {
        &self.error
    }

    pub(crate) fn next_token(&mut self) -> Token<'t> {
        let mut step = if self.inside_action {
            Step::Inside
        } else {
            Step::Text
        };
        loop {
            step = match step {
                Step::Emit(token) => return token,
                Step::Text => self.lex_text(),
                Step::LeftDelim => self.lex_left_delim(),
                Step::Comment => self.lex_comment(),
                Step::RightDelim => self.lex_right_delim(),
                Step::Inside => self.lex_inside(),
            };
        }
    }

    fn rest(&self) -> &'t str {
        &self.input[self.position..]
    }

    fn peek(&self) -> Option<char> {
        match self.byte()? {
            byte if byte.is_ascii() => Some(char::from(byte)),
            _ => self.rest().chars().next(),
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.input.as_bytes().get(self.position).copied()
    }

    /// Passes what may be part of a name.
    fn pass_name(&mut self) {
        let bytes = &self.input.as_bytes()[self.position..];
        let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        self.position += bytes.iter().take_while(plain).count();
        while self.peek().is_some_and(is_alphanumeric) {
            self.advance();
        }
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn token(&mut self, kind: TokenKind) -> Token<'t> {
        let token = Token {
            kind,
            position: self.start,
            text: &self.input[self.start..self.position],
            line: self.start_line,
        };
        self.start = self.position;
        self.start_line = self.line;
        token
    }

    fn emit(&mut self, kind: TokenKind) -> Step<'t> {
        Step::Emit(self.token(kind))
    }

    /// Skips what has been passed without `advance`.
    fn ignore(&mut self) {
        self.count_lines();
        self.start = self.position;
        self.start_line = self.line;
    }

    fn count_lines(&mut self) {
        self.line += newlines(&self.input[self.start..self.position]);
    }

    /// An error ends the input.
    fn fail(&mut self, message: String) -> Step<'t> {
        let token = Token {
            kind: TokenKind::Error,
            position: self.start,
            text: "",
            line: self.start_line,
        };
        self.error = message;
        self.start = 0;
        self.position = 0;
        self.input = "";
        self.inside_action = false;
        Step::Emit(token)
    }

    fn lex_text(&mut self) -> Step<'t> {
        let Some(found) = find_left(self.rest()) else {
            self.position = self.input.len();
            if self.position > self.start {
                self.count_lines();
                return self.emit(TokenKind::Text);
            }
            return self.emit(TokenKind::Eof);
        };
        if found > 0 {
            self.position += found;
            let text = &self.input[self.start..self.position];
            let trimmed = if has_left_trim(&self.input[self.position + LEFT.len()..]) {
                text.len() - text.trim_end_matches(is_space).len()
            } else {
                0
            };
            self.position -= trimmed;
            self.count_lines();
            let token = self.token(TokenKind::Text);
            self.position += trimmed;
            self.ignore();
            if !token.text.is_empty() {
                return Step::Emit(token);
            }
        }
        Step::LeftDelim
    }

    fn lex_left_delim(&mut self) -> Step<'t> {
        self.position += LEFT.len();
        let marker = if has_left_trim(self.rest()) { 2 } else { 0 };
        if self.input[self.position + marker..].starts_with("/*") {
            self.position += marker;
            self.ignore();
            return Step::Comment;
        }
        let token = self.token(TokenKind::LeftDelim);
        self.inside_action = true;
        self.position += marker;
        self.ignore();
        self.paren_depth = 0;
        Step::Emit(token)
    }

    fn lex_comment(&mut self) -> Step<'t> {
        self.position += "/*".len();
        let Some(end) = self.rest().find("*/") else {
            return self.fail("unclosed comment".to_owned());
        };
        self.position += end + "*/".len();
        let Some(trim) = self.at_right_delim() else {
            return self.fail("comment ends before closing delimiter".to_owned());
        };
        self.count_lines();
        self.token(TokenKind::Text);
        if trim {
            self.position += 2;
        }
        self.position += RIGHT.len();
        if trim {
            self.skip_spaces();
        }
        self.ignore();
        Step::Text
    }

    /// Whether a right delimiter comes, and whether it trims what follows.
    fn at_right_delim(&self) -> Option<bool> {
        match self.input.as_bytes()[self.position..] {
            [b'}', b'}', ..] => Some(false),
            [b' ' | b'\t' | b'\r' | b'\n', b'-', b'}', b'}', ..] => Some(true),
            _ => None,
        }
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start_matches(is_space).len();
    }

    fn lex_right_delim(&mut self) -> Step<'t> {
        let trim = self.at_right_delim() == Some(true);
        if trim {
            self.position += 2;
            self.ignore();
        }
        self.position += RIGHT.len();
        let token = self.token(TokenKind::RightDelim);
        if trim {
            self.skip_spaces();
            self.ignore();
        }
        self.inside_action = false;
        Step::Emit(token)
    }

    fn lex_inside(&mut self) -> Step<'t> {
        if self.at_right_delim().is_some() {
            if self.paren_depth == 0 {
                return Step::RightDelim;
            }
            return self.fail("unclosed left paren".to_owned());
        }
        let Some(c) = self.peek() else {
            return self.fail("unclosed action".to_owned());
        };
        if is_space(c) {
            return self.lex_space();
        }
        match c {
            '0'..='9' | '+' | '-' => return self.lex_number(),
            _ if is_alphanumeric(c) => return self.lex_identifier(),
            _ => self.advance(),
        };
        match c {
            '=' => self.emit(TokenKind::Assign),
            ':' if self.advance() == Some('=') => self.emit(TokenKind::Declare),
            ':' => self.fail("expected :=".to_owned()),
            '|' => self.emit(TokenKind::Pipe),
            '"' => self.lex_quote(),
            '`' => self.lex_raw_quote(),
            '$' => self.lex_name(TokenKind::Variable),
            '\'' => self.lex_char(),
            '.' => match self.rest().bytes().next() {
                Some(b'0'..=b'9') | None => {
                    self.position -= 1;
                    self.lex_number()
                }
                Some(_) => self.lex_name(TokenKind::Field),
            },
            '(' => {
                self.paren_depth += 1;
                self.emit(TokenKind::LeftParen)
            }
            ')' => {
                self.paren_depth -= 1;
                if self.paren_depth < 0 {
                    return self.fail("unexpected right paren".to_owned());
                }
                self.emit(TokenKind::RightParen)
            }
            '!'..='~' => self.emit(TokenKind::Char),
            _ => self.fail(format!(
                "unrecognized character in action: {}",
                code_point(c)
            )),
        }
    }

    fn lex_space(&mut self) -> Step<'t> {
        let mut spaces = 0;
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.byte() {
            self.position += 1;
            self.line += usize::from(byte == b'\n');
            spaces += 1;
        }
        // The last space may belong to a delimiter that trims.
        let last = &self.input[self.position - 1..];
        if has_right_trim(last) && last[2..].starts_with(RIGHT) {
            self.position -= 1;
            if last.starts_with('\n') {
                self.line -= 1;
            }
            if spaces == 1 {
                return Step::RightDelim;
            }
        }
        self.emit(TokenKind::Space)
    }

    fn lex_identifier(&mut self) -> Step<'t> {
        self.pass_name();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match &self.input[self.start..self.position] {
            "block" => TokenKind::Block,
            "break" if self.keywords.break_ => TokenKind::Break,
            "continue" if self.keywords.continue_ => TokenKind::Continue,
            "define" => TokenKind::Define,
            "else" => TokenKind::Else,
            "end" => TokenKind::End,
            "if" => TokenKind::If,
            "range" => TokenKind::Range,
            "nil" => TokenKind::Nil,
            "template" => TokenKind::Template,
            "with" => TokenKind::With,
            "true" | "false" => TokenKind::Bool,
            _ => TokenKind::Identifier,
        };
        self.emit(kind)
    }

    /// A field or a variable; its first character has been read.
    fn lex_name(&mut self, kind: TokenKind) -> Step<'t> {
        if self.at_terminator() {
            return self.emit(if kind == TokenKind::Variable {
                kind
            } else {
                TokenKind::Dot
            });
        }
        self.pass_name();
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(kind)
    }

    fn bad_character(&mut self) -> Step<'t> {
        let c = self
            .peek()
            .map_or_else(|| "U+FFFFFFFFFFFFFFFF".to_owned(), code_point);
        self.fail(format!("bad character {c}"))
    }

    /// Whether what comes may follow a name.
    fn at_terminator(&self) -> bool {
        match self.byte() {
            None
            | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            Some(b'}') => self.rest().starts_with(RIGHT),
            Some(_) => false,
        }
    }

    fn lex_char(&mut self) -> Step<'t> {
        if self.closes(b'\'') {
            return self.emit(TokenKind::CharConstant);
        }
        self.fail("unterminated character constant".to_owned())
    }

    fn lex_quote(&mut self) -> Step<'t> {
        if self.closes(b'"') {
            return self.emit(TokenKind::String);
        }
        self.fail("unterminated quoted string".to_owned())
    }

    /// Reads up to the closing quote, which must be on the same line.
    fn closes(&mut self, quote: u8) -> bool {
        // All that matters is ASCII, and no part of another character looks like it.
        let mut rest = self.input.as_bytes()[self.position..].iter();
        loop {
            let found = match rest.next() {
                None | Some(b'\n') => Some(false),
                Some(b'\\') if matches!(rest.next(), None | Some(b'\n')) => Some(false),
                Some(byte) if *byte == quote => Some(true),
                Some(_) => None,
            };
            if let Some(closed) = found {
                self.position = self.input.len() - rest.len();
                return closed;
            }
        }
    }

    fn lex_raw_quote(&mut self) -> Step<'t> {
        let Some(end) = self.rest().find('`') else {
            return self.fail("unterminated raw quoted string".to_owned());
        };
        self.line += newlines(&self.rest()[..end]);
        self.position += end + 1;
        self.emit(TokenKind::RawString)
    }

    fn lex_number(&mut self) -> Step<'t> {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            if !self.scan_number() || !self.input[..self.position].ends_with('i') {
                return self.bad_number();
            }
            return self.emit(TokenKind::Complex);
        }
        self.emit(TokenKind::Number)
    }

    fn bad_number(&mut self) -> Step<'t> {
        let text = crate::quote::quoted(&self.input.as_bytes()[self.start..self.position]);
        self.fail(format!("bad number syntax: {text}"))
    }

    fn accept(&mut self, valid: &[char]) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(&c));
        if found {
            self.advance();
        }
        found
    }

    fn accept_run(&mut self, radix: u32) {
        while self.peek().is_some_and(|c| c == '_' || c.is_digit(radix)) {
            self.advance();
        }
    }

    /// Not a perfect scanner: what it lets through wrongly, the parser refuses.
    fn scan_number(&mut self) -> bool {
        self.accept(&['+', '-']);
        let mut radix = 10;
        if self.accept(&['0']) {
            if self.accept(&['x', 'X']) {
                radix = 16;
            } else if self.accept(&['o', 'O']) {
                radix = 8;
            } else if self.accept(&['b', 'B']) {
                radix = 2;
            }
        }
        self.accept_run(radix);
        if self.accept(&['.']) {
            self.accept_run(radix);
        }
        if radix == 10 && self.accept(&['e', 'E']) || radix == 16 && self.accept(&['p', 'P']) {
            self.accept(&['+', '-']);
            self.accept_run(10);
        }
        self.accept(&['i']);
        if self.peek().is_some_and(is_alphanumeric) {
            self.advance();
            return false;
        }
        true
    }
}

/// `%#U`
fn code_point(c: char) -> String {
    let code = format!("U+{:04X}", u32::from(c));
    if crate::unicode::is_print(c) {
        format!("{code} '{c}'")
    } else {
        code
    }
}

/// Where the next `{{` is.
fn find_left(text: &str) -> Option<usize> {
    let mut from = 0;
    // Looking for one character is much faster than for two.
    while let Some(at) = text[from..].find('{') {
        from += at + 1;
        if text[from..].starts_with('{') {
            return Some(from - 1);
        }
    }
    None
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn has_left_trim(text: &str) -> bool {
    matches!(text.as_bytes(), [b'-', b' ' | b'\t' | b'\r' | b'\n', ..])
}

fn has_right_trim(text: &str) -> bool {
    matches!(text.as_bytes(), [b' ' | b'\t' | b'\r' | b'\n', b'-', ..])
}
