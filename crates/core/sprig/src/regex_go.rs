//! Go's syntax of regular expressions in terms of Rust's.
//!
//! Both grew from RE2, yet `\d`, `\w`, `\s` and `\b` are ASCII to Go, brackets nest to Rust,
//! and braces that repeat nothing are plain text to Go.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// What Go says of a pattern that it refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatternError {
    problem: &'static str,
    part: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error parsing regexp: {}: `{}`", self.problem, self.part)
    }
}

/// How much memory a compiled pattern may take.
const BYTES_MAX: usize = 10 << 20;
/// Go's bound for the numbers in braces.
const REPEAT_MAX: u32 = 1_000;

pub(crate) fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let translated = Translator {
        pattern,
        rest: pattern,
        out: String::new(),
        open: 0,
        last: Last::Start,
    }
    .run()?;
    RegexBuilder::new(&translated)
        .size_limit(BYTES_MAX)
        .build()
        .map_err(|_| PatternError {
            problem: "expression too large",
            part: String::new(),
        })
}

/// What stands before, for the operators that repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// Nothing: the start of the pattern, a group or an alternative.
    Start,
    Atom,
    /// A repetition; another one may not follow.
    Repeat {
        at: usize,
    },
}

struct Translator<'a> {
    pattern: &'a str,
    rest: &'a str,
    out: String,
    open: usize,
    last: Last,
}

impl<'a> Translator<'a> {
    fn run(mut self) -> Result<String, PatternError> {
        while let Some(symbol) = self.rest.chars().next() {
            let at = self.pattern.len() - self.rest.len();
            match symbol {
                '(' => self.group()?,
                ')' => {
                    if self.open == 0 {
                        return Err(problem("unexpected )", self.pattern));
                    }
                    self.open -= 1;
                    self.take(1, ")");
                    self.last = Last::Atom;
                }
                '|' => {
                    self.take(1, "|");
                    self.last = Last::Start;
                }
                '[' => {
                    self.class()?;
                    self.last = Last::Atom;
                }
                '*' | '+' | '?' => self.repeat(at, 1)?,
                '{' => match counted(self.rest) {
                    Some((_, _, length)) => self.repeat(at, length)?,
                    None => {
                        self.take(1, r"\{");
                        self.last = Last::Atom;
                    }
                },
                '\\' => {
                    self.escape()?;
                    self.last = Last::Atom;
                }
                '.' | '^' | '$' => {
                    let mut text = [0; 4];
                    self.take(1, symbol.encode_utf8(&mut text));
                    self.last = Last::Atom;
                }
                _ => {
                    self.literal(symbol);
                    self.rest = self.rest.get(symbol.len_utf8()..).unwrap_or_default();
                    self.last = Last::Atom;
                }
            }
        }
        if self.open > 0 {
            return Err(problem("missing closing )", self.pattern));
        }
        Ok(self.out)
    }

    fn take(&mut self, length: usize, translated: &str) {
        self.out.push_str(translated);
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn literal(&mut self, symbol: char) {
        self.out
            .push_str(&regex::escape(symbol.encode_utf8(&mut [0; 4])));
    }

    fn repeat(&mut self, at: usize, length: usize) -> Result<(), PatternError> {
        let operator = self.rest.get(..length).unwrap_or_default();
        let lazy = self
            .rest
            .get(length..)
            .is_some_and(|it| it.starts_with('?'));
        let whole = length + usize::from(lazy);
        match self.last {
            Last::Start => {
                return Err(problem("missing argument to repetition operator", operator));
            }
            Last::Repeat { at: before } => {
                let both = self.pattern.get(before..at + whole).unwrap_or_default();
                return Err(problem("invalid nested repetition operator", both));
            }
            Last::Atom => {}
        }
        if let Some((least, most, _)) = counted(operator)
            && (least > REPEAT_MAX || most.is_some_and(|it| it > REPEAT_MAX || it < least))
        {
            return Err(problem("invalid repeat count", operator));
        }
        let taken = self.rest.get(..whole).unwrap_or_default().to_owned();
        self.take(whole, &taken);
        self.last = Last::Repeat { at };
        Ok(())
    }

    fn group(&mut self) -> Result<(), PatternError> {
        self.open += 1;
        self.last = Last::Start;
        let Some(flags) = self.rest.strip_prefix("(?") else {
            self.take(1, "(");
            return Ok(());
        };
        if let Some(name_from) = flags.strip_prefix("P<").or_else(|| flags.strip_prefix('<')) {
            let Some(end) = name_from.find('>') else {
                return Err(problem("invalid named capture", self.rest));
            };
            let (name, after) = name_from.split_at(end);
            let whole = self
                .rest
                .get(..self.rest.len() - after.len() + 1)
                .unwrap_or_default();
            let fits = name
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '_');
            if name.is_empty() || !fits {
                return Err(problem("invalid named capture", whole));
            }
            self.out.push_str(&format!("(?P<{name}>"));
            self.rest = after.get(1..).unwrap_or_default();
            return Ok(());
        }
        let end = flags.find([':', ')']).unwrap_or(flags.len());
        let (letters, after) = flags.split_at(end);
        let known = letters.chars().all(|it| "imsU-".contains(it));
        let dash_ends = letters.ends_with('-') || letters.matches('-').count() > 1;
        if !known || dash_ends || after.is_empty() || (letters.is_empty() && after.starts_with(')'))
        {
            let wrong = flags
                .find(|it: char| !"imsU-".contains(it))
                .unwrap_or(flags.len());
            let wrong = wrong
                + flags
                    .get(wrong..)
                    .and_then(|it| it.chars().next())
                    .map_or(0, char::len_utf8);
            let shown = self.rest.get(..2 + wrong).unwrap_or(self.rest);
            if after.is_empty() && known {
                return Err(problem("missing closing )", self.pattern));
            }
            return Err(problem("invalid or unsupported Perl syntax", shown));
        }
        if after.starts_with(')') {
            self.open -= 1;
        }
        let whole = 2 + end + 1;
        let taken = self.rest.get(..whole).unwrap_or_default().to_owned();
        self.take(whole, &taken);
        Ok(())
    }

    /// A backslash and what it stands for, outside of brackets.
    fn escape(&mut self) -> Result<(), PatternError> {
        let after = self.rest.get(1..).unwrap_or_default();
        let Some(symbol) = after.chars().next() else {
            return Err(problem("trailing backslash at end of expression", ""));
        };
        match symbol {
            'A' | 'z' => {
                let taken = self.rest.get(..2).unwrap_or_default().to_owned();
                self.take(2, &taken);
            }
            'b' => self.take(2, r"(?-u:\b)"),
            'B' => self.take(2, r"\B"),
            'Q' => {
                let body = after.get(1..).unwrap_or_default();
                let (text, rest) = body.split_once(r"\E").unwrap_or((body, ""));
                self.out.push_str(&regex::escape(text));
                self.rest = rest;
            }
            _ => {
                if let Some(class) = perl_class(symbol) {
                    self.take(2, &format!("[{class}]"));
                } else if matches!(symbol, 'p' | 'P') {
                    let (name, length) = self.property()?;
                    self.take(length, &name);
                } else {
                    let (literal, length) = self.character()?;
                    self.literal(literal);
                    self.rest = self.rest.get(length..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    /// `\pL`, `\p{Greek}`, `\P{^L}`
    fn property(&self) -> Result<(String, usize), PatternError> {
        let mut symbols = self.rest.chars().skip(1);
        let mut negated = symbols.next() == Some('P');
        let body = self.rest.get(2..).unwrap_or_default();
        let (mut name, length) = match body.strip_prefix('{') {
            Some(inner) => match inner.split_once('}') {
                Some((name, _)) => (name, 2 + name.len() + 2),
                None => return Err(problem("invalid character class range", self.rest)),
            },
            None => {
                let width = body.chars().next().map_or(0, char::len_utf8);
                (body.get(..width).unwrap_or_default(), 2 + width)
            }
        };
        let whole = self.rest.get(..length).unwrap_or_default();
        if let Some(inner) = name.strip_prefix('^') {
            negated = !negated;
            name = inner;
        }
        let sign = if negated { 'P' } else { 'p' };
        let text = match name {
            "Any" if negated => r"[^\x{0}-\x{10FFFF}]".to_owned(),
            "Any" => r"[\x{0}-\x{10FFFF}]".to_owned(),
            _ => format!(r"\{sign}{{{name}}}"),
        };
        if Regex::new(&text).is_err() || name.contains('=') {
            return Err(problem("invalid character class range", whole));
        }
        Ok((text, length))
    }

    /// An escape that stands for one character, and its length.
    fn character(&self) -> Result<(char, usize), PatternError> {
        let after = self.rest.get(1..).unwrap_or_default();
        let Some(symbol) = after.chars().next() else {
            return Err(problem("trailing backslash at end of expression", ""));
        };
        let wrong = |length: usize| {
            let part = self.rest.get(..length).unwrap_or(self.rest);
            problem("invalid escape sequence", part)
        };
        let simple = match symbol {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '0'..='7' => {
                let digits = after
                    .bytes()
                    .take(3)
                    .take_while(|it| (b'0'..=b'7').contains(it))
                    .count();
                if symbol != '0' && digits < 2 {
                    return Err(wrong(2));
                }
                let code = u32::from_str_radix(after.get(..digits).unwrap_or_default(), 8);
                let code = code
                    .ok()
                    .and_then(char::from_u32)
                    .ok_or_else(|| wrong(1 + digits))?;
                return Ok((code, 1 + digits));
            }
            'x' => return self.hexadecimal(),
            _ if symbol.is_ascii_punctuation() => symbol,
            _ if symbol.is_ascii() && !symbol.is_ascii_alphanumeric() => symbol,
            _ => return Err(wrong(1 + symbol.len_utf8())),
        };
        Ok((simple, 2))
    }

    fn hexadecimal(&self) -> Result<(char, usize), PatternError> {
        let body = self.rest.get(2..).unwrap_or_default();
        let (digits, length) = match body.strip_prefix('{') {
            Some(inner) => match inner.split_once('}') {
                Some((digits, _)) => (digits, 2 + digits.len() + 2),
                None => (inner, self.rest.len()),
            },
            None => (body.get(..2).unwrap_or(body), 4),
        };
        let part = self.rest.get(..length).unwrap_or(self.rest);
        let known = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_hexdigit());
        let code = u32::from_str_radix(digits, 16).ok().filter(|_| known);
        let symbol = code.and_then(char::from_u32);
        symbol
            .map(|it| (it, length))
            .ok_or_else(|| problem("invalid escape sequence", part))
    }

    /// A class in brackets.
    fn class(&mut self) -> Result<(), PatternError> {
        let whole = self.rest;
        let unclosed = || problem("missing closing ]", whole);
        self.take(1, "[");
        if self.rest.starts_with('^') {
            self.take(1, "^");
        }
        let mut first = true;
        loop {
            let Some(symbol) = self.rest.chars().next() else {
                return Err(unclosed());
            };
            if symbol == ']' && !first {
                self.take(1, "]");
                return Ok(());
            }
            // A dash stands for itself at either end.
            if symbol == '-' && !first && !self.rest.starts_with("-]") {
                let next = self.rest.chars().nth(1);
                if next.is_none() {
                    return Err(unclosed());
                }
                let part = self
                    .rest
                    .get(..1 + next.map_or(0, char::len_utf8))
                    .unwrap_or_default();
                return Err(problem("invalid character class range", part));
            }
            first = false;
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest.find(":]")
            {
                let name = self.rest.get(..end + 2).unwrap_or_default().to_owned();
                if !is_posix(&name) {
                    return Err(problem("invalid character class range", &name));
                }
                self.take(name.len(), &name);
                continue;
            }
            if let Some(letter) = self
                .rest
                .strip_prefix('\\')
                .and_then(|it| it.chars().next())
            {
                if let Some(class) = perl_class(letter) {
                    self.take(2, &format!("[{class}]"));
                    continue;
                }
                if matches!(letter, 'p' | 'P') {
                    let (name, length) = self.property()?;
                    self.take(length, &name);
                    continue;
                }
            }
            let range_from = self.rest;
            let low = self.class_character(unclosed)?;
            let mut high = low;
            if self.rest.starts_with('-') && self.rest.len() > 1 && !self.rest.starts_with("-]") {
                self.rest = self.rest.get(1..).unwrap_or_default();
                high = self.class_character(unclosed)?;
                if high < low {
                    let part = range_from.get(..range_from.len() - self.rest.len());
                    return Err(problem(
                        "invalid character class range",
                        part.unwrap_or_default(),
                    ));
                }
            }
            self.out.push_str(&format!(
                r"\x{{{:X}}}-\x{{{:X}}}",
                u32::from(low),
                u32::from(high)
            ));
        }
    }

    fn class_character(
        &mut self,
        unclosed: impl Fn() -> PatternError,
    ) -> Result<char, PatternError> {
        let symbol = self.rest.chars().next().ok_or_else(unclosed)?;
        let (symbol, length) = match symbol {
            '\\' => self.character()?,
            _ => (symbol, symbol.len_utf8()),
        };
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(symbol)
    }
}

fn problem(problem: &'static str, part: &str) -> PatternError {
    PatternError {
        problem,
        part: part.to_owned(),
    }
}

/// `[:alpha:]` and `[:^alpha:]`
fn is_posix(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    let inner = name.trim_start_matches("[:").trim_end_matches(":]");
    NAMES.contains(&inner.strip_prefix('^').unwrap_or(inner))
}

fn perl_class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "0-9",
        'D' => "^0-9",
        's' => r"\t\n\x0C\r ",
        'S' => r"^\t\n\x0C\r ",
        'w' => "0-9A-Za-z_",
        'W' => "^0-9A-Za-z_",
        _ => return None,
    })
}

/// `{2}`, `{2,}` and `{2,5}` at the start of a text: the bounds and the length.
fn counted(text: &str) -> Option<(u32, Option<u32>, usize)> {
    let (body, _) = text.strip_prefix('{')?.split_once('}')?;
    let number = |it: &str| {
        let plain = !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
        let padded = it.len() > 1 && it.starts_with('0');
        (plain && !padded).then(|| it.parse().unwrap_or(u32::MAX))
    };
    let (least, most) = match body.split_once(',') {
        None => {
            let count = number(body)?;
            (count, Some(count))
        }
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((least, most, body.len() + 2))
}
