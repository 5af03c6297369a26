//! Turns a regular expression of ECMAScript into one that is matched in linear time.

use regex::{Regex, RegexBuilder};

/// An expression may need this much memory once compiled.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexpError {
    #[error("{0} is not supported: it cannot be matched in linear time")]
    Unsupported(&'static str),
    #[error("{0}")]
    Invalid(String),
}

pub(super) fn translate(source: &str) -> Result<Regex, RegexpError> {
    let translated = Translation::of(source)?;
    RegexBuilder::new(&translated)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| {
            if matches!(error, regex::Error::CompiledTooBig(_)) {
                return RegexpError::Invalid("it is too large".to_owned());
            }
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            RegexpError::Invalid(last.trim_start_matches("error: ").to_owned())
        })
}

struct Translation<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    out: String,
}

impl<'a> Translation<'a> {
    fn of(source: &'a str) -> Result<String, RegexpError> {
        let mut translation = Self {
            rest: source.chars().peekable(),
            out: String::with_capacity(source.len() + 8),
        };
        while let Some(symbol) = translation.rest.next() {
            translation.symbol(symbol)?;
        }
        Ok(translation.out)
    }

    fn symbol(&mut self, symbol: char) -> Result<(), RegexpError> {
        match symbol {
            '\\' => self.escape(false),
            '[' => self.class(),
            '(' => self.group(),
            '{' => {
                let rest: String = self.rest.clone().collect();
                self.out.push_str(if is_count(&rest) { "{" } else { "\\{" });
                Ok(())
            }
            // The end of a text is its very end, as there are no line breaks in it.
            other => {
                self.out.push(other);
                Ok(())
            }
        }
    }

    fn group(&mut self) -> Result<(), RegexpError> {
        self.out.push('(');
        if self.rest.peek() != Some(&'?') {
            return Ok(());
        }
        let mut ahead = self.rest.clone();
        ahead.next();
        match (ahead.next(), ahead.next()) {
            (Some('=' | '!'), _) => Err(RegexpError::Unsupported("a look-ahead")),
            (Some('<'), Some('=' | '!')) => Err(RegexpError::Unsupported("a look-behind")),
            _ => Ok(()),
        }
    }

    fn escape(&mut self, in_class: bool) -> Result<(), RegexpError> {
        let Some(symbol) = self.rest.next() else {
            return Err(RegexpError::Invalid("it ends in a backslash".to_owned()));
        };
        match symbol {
            'd' if in_class => self.out.push_str("0-9"),
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            'w' if in_class => self.out.push_str("0-9A-Za-z_"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            's' | 'S' | 'n' | 'r' | 't' | 'f' | 'v' => {
                self.out.push('\\');
                self.out.push(symbol);
            }
            'b' if in_class => self.out.push_str("\\x08"),
            'b' | 'B' => {
                self.out.push_str("(?-u:\\");
                self.out.push(symbol);
                self.out.push(')');
            }
            '0' => self.out.push_str("\\x00"),
            '1'..='9' if !in_class => return Err(RegexpError::Unsupported("a back reference")),
            'k' if self.rest.peek() == Some(&'<') => {
                return Err(RegexpError::Unsupported("a back reference"));
            }
            'c' => {
                let letter = self.rest.next().filter(char::is_ascii_alphabetic);
                let letter = letter
                    .ok_or_else(|| RegexpError::Invalid("`\\c` needs a letter".to_owned()))?;
                let code = u32::from(letter.to_ascii_uppercase()) - 0x40;
                self.out.push_str(&format!("\\x{code:02x}"));
            }
            'x' | 'u' | 'p' | 'P' => {
                self.out.push('\\');
                self.out.push(symbol);
            }
            // Any other letter stands for itself.
            letter if letter.is_ascii_alphanumeric() || !letter.is_ascii() => self.out.push(letter),
            '<' | '>' => self.out.push(symbol),
            mark => {
                self.out.push('\\');
                self.out.push(mark);
            }
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), RegexpError> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            if self.rest.next_if_eq(&']').is_some() {
                // Everything, line breaks too.
                self.out.truncate(self.out.len() - 1);
                self.out.push_str("(?s:.)");
                return Ok(());
            }
            self.out.push('^');
        } else if self.rest.next_if_eq(&']').is_some() {
            // Nothing at all.
            self.out.truncate(self.out.len() - 1);
            self.out.push_str("[^\\x00-\\u{10FFFF}]");
            return Ok(());
        }
        while let Some(symbol) = self.rest.next() {
            match symbol {
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                // These begin nested classes and set operations elsewhere.
                '[' | '&' | '~' => {
                    self.out.push('\\');
                    self.out.push(symbol);
                }
                '-' if self.rest.peek() == Some(&'-') || self.out.ends_with('-') => {
                    self.out.push_str("\\-");
                }
                other => self.out.push(other),
            }
        }
        Err(RegexpError::Invalid("`[` is never closed".to_owned()))
    }
}

/// Whether `{` before this begins a count such as `{2,3}`.
fn is_count(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    match inside.split_once(',') {
        None => !inside.is_empty() && digits(inside),
        Some((least, most)) => !least.is_empty() && digits(least) && digits(most),
    }
}
