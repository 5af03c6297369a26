//! Replaces variables in the arguments of instructions, by the shell's rules as far as Docker follows them.

use std::iter::Peekable;

/// Why a word cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    #[error("expected a closing {0} in `{1}`")]
    Unclosed(char, String),
    #[error("`{0}`: {1}")]
    Required(String, String),
    #[error("`${{{0}` is no form of expansion")]
    UnknownForm(String),
    #[error("variables nest deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// What quotes mean while expanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// They group and vanish, as in arguments.
    Removed,
    /// They are text, as in the body of a here-document.
    Kept,
}

/// Nested `${a:-${b:-…}}` is followed this deep: nobody writes more, and the stack is finite.
const DEPTH_MAX: usize = 32;

/// The result of an expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    pub text: String,
    /// Names that were read without a default and have no value.
    pub unset: Vec<String>,
}

/// Expands one word.
///
/// # Errors
///
/// [`ExpandError`] when a quote or brace stays open or `${name:?…}` has no value.
pub fn expand(
    word: &str,
    escape: char,
    quotes: Quotes,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Expanded, ExpandError> {
    let mut expander =
        Expander { chars: word.chars().peekable(), word, escape, quotes, lookup, unset: Vec::new(), depth: 0 };
    let text = expander.until(None)?;
    Ok(Expanded { text, unset: expander.unset })
}

struct Expander<'a> {
    chars: Peekable<std::str::Chars<'a>>,
    word: &'a str,
    escape: char,
    quotes: Quotes,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    unset: Vec<String>,
    depth: usize,
}

impl Expander<'_> {
    /// Reads up to `stop` (and takes it) or to the end.
    fn until(&mut self, stop: Option<&str>) -> Result<String, ExpandError> {
        let mut out = String::new();
        while let Some(&c) = self.chars.peek() {
            if stop.is_some_and(|stop| stop.contains(c)) {
                return Ok(out);
            }
            self.chars.next();
            match c {
                '\'' if self.quotes == Quotes::Removed => out.push_str(&self.single_quoted()?),
                '"' if self.quotes == Quotes::Removed => out.push_str(&self.double_quoted()?),
                '$' => out.push_str(&self.dollar()?),
                c if c == self.escape => match self.chars.next() {
                    Some(next) if self.quotes == Quotes::Removed || next == '$' || next == self.escape => {
                        out.push(next);
                    }
                    Some(next) => {
                        out.push(c);
                        out.push(next);
                    }
                    None => out.push(c),
                },
                c => out.push(c),
            }
        }
        match stop {
            Some(_) => Err(ExpandError::Unclosed('}', self.word.to_owned())),
            None => Ok(out),
        }
    }

    fn single_quoted(&mut self) -> Result<String, ExpandError> {
        let mut out = String::new();
        for c in self.chars.by_ref() {
            if c == '\'' {
                return Ok(out);
            }
            out.push(c);
        }
        Err(ExpandError::Unclosed('\'', self.word.to_owned()))
    }

    fn double_quoted(&mut self) -> Result<String, ExpandError> {
        let mut out = String::new();
        while let Some(c) = self.chars.next() {
            match c {
                '"' => return Ok(out),
                '$' => out.push_str(&self.dollar()?),
                c if c == self.escape => match self.chars.next() {
                    Some(next) if next == '"' || next == '$' || next == self.escape => out.push(next),
                    Some(next) => {
                        out.push(c);
                        out.push(next);
                    }
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err(ExpandError::Unclosed('"', self.word.to_owned()))
    }

    fn dollar(&mut self) -> Result<String, ExpandError> {
        if self.chars.peek() == Some(&'{') {
            self.chars.next();
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(ExpandError::TooDeep);
            }
            let value = self.braces();
            self.depth -= 1;
            return value;
        }
        let name = self.name();
        if name.is_empty() {
            return Ok("$".to_owned());
        }
        Ok(self.value_or_empty(&name))
    }

    fn value_or_empty(&mut self, name: &str) -> String {
        (self.lookup)(name).unwrap_or_else(|| {
            self.unset.push(name.to_owned());
            String::new()
        })
    }

    /// A name, or one of the shell's single-character parameters.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.chars.peek() {
            Some(&c) if c.is_ascii_alphabetic() || c == '_' => {}
            Some(&c) if c.is_ascii_digit() || "@*#?-!".contains(c) => {
                name.extend(self.chars.next());
                return name;
            }
            _ => return name,
        }
        while let Some(&c) = self.chars.peek() {
            if !(c.is_ascii_alphanumeric() || c == '_') {
                break;
            }
            name.push(c);
            self.chars.next();
        }
        name
    }

    fn braces(&mut self) -> Result<String, ExpandError> {
        let name = self.name();
        let Some(first) = self.chars.next() else {
            return Err(ExpandError::Unclosed('}', self.word.to_owned()));
        };
        if name.is_empty() {
            return Err(ExpandError::UnknownForm(first.to_string()));
        }
        match first {
            '}' => Ok(self.value_or_empty(&name)),
            ':' => {
                let form = self.chars.next().ok_or_else(|| ExpandError::Unclosed('}', self.word.to_owned()))?;
                let word = self.operand()?;
                let value = (self.lookup)(&name).filter(|it| !it.is_empty());
                self.choose(&name, form, value, word)
            }
            '-' | '+' | '?' => {
                let word = self.operand()?;
                let value = (self.lookup)(&name);
                self.choose(&name, first, value, word)
            }
            '#' | '%' | '/' => self.edit(&name, first),
            other => Err(ExpandError::UnknownForm(format!("{name}{other}"))),
        }
    }

    fn operand(&mut self) -> Result<String, ExpandError> {
        let word = self.until(Some("}"))?;
        self.chars.next();
        Ok(word)
    }

    fn choose(&self, name: &str, form: char, value: Option<String>, word: String) -> Result<String, ExpandError> {
        match (form, value) {
            ('-', value) => Ok(value.unwrap_or(word)),
            ('+', Some(_)) => Ok(word),
            ('+', None) => Ok(String::new()),
            ('?', Some(value)) => Ok(value),
            ('?', None) => {
                let reason = if word.is_empty() { "is not set".to_owned() } else { word };
                Err(ExpandError::Required(name.to_owned(), reason))
            }
            (other, _) => Err(ExpandError::UnknownForm(format!("{name}:{other}"))),
        }
    }

    fn edit(&mut self, name: &str, form: char) -> Result<String, ExpandError> {
        let greedy = self.chars.peek() == Some(&form);
        if greedy {
            self.chars.next();
        }
        // An escaped `/` belongs to the pattern, so the pattern is read raw.
        let mut pattern = String::new();
        loop {
            match self.chars.peek() {
                None => return Err(ExpandError::Unclosed('}', self.word.to_owned())),
                Some('}') => break,
                Some('/') if form == '/' => break,
                Some('$') => {
                    self.chars.next();
                    pattern.push_str(&self.dollar()?);
                }
                Some(&c) => {
                    self.chars.next();
                    pattern.push(c);
                    if c == self.escape {
                        pattern.extend(self.chars.next());
                    }
                }
            }
        }
        let replacement = if form == '/' && self.chars.peek() == Some(&'/') {
            self.chars.next();
            self.until(Some("}"))?
        } else {
            String::new()
        };
        self.chars.next();
        let value = self.value_or_empty(name);
        let pattern = Glob::new(&pattern, self.escape);
        Ok(match form {
            '#' => pattern.without_prefix(&value, greedy),
            '%' => pattern.without_suffix(&value, greedy),
            _ => pattern.replaced(&value, &replacement, greedy),
        })
    }
}

/// A shell pattern with `*` and `?`.
struct Glob(Vec<Piece>);

enum Piece {
    Any,
    One,
    Char(char),
}

impl Glob {
    fn new(pattern: &str, escape: char) -> Self {
        let mut pieces = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            pieces.push(match c {
                '*' => Piece::Any,
                '?' => Piece::One,
                c if c == escape => Piece::Char(chars.next().unwrap_or(c)),
                c => Piece::Char(c),
            });
        }
        Self(pieces)
    }

    fn matches(&self, text: &[char]) -> bool {
        let mut reach = vec![false; text.len() + 1];
        reach[0] = true;
        for piece in &self.0 {
            let mut next = vec![false; text.len() + 1];
            for at in 0..=text.len() {
                match piece {
                    Piece::Any => next[at] = reach[at] || (at > 0 && next[at - 1]),
                    Piece::One => next[at] = at > 0 && reach[at - 1],
                    Piece::Char(c) => next[at] = at > 0 && reach[at - 1] && text[at - 1] == *c,
                }
            }
            reach = next;
        }
        reach[text.len()]
    }

    fn without_prefix(&self, value: &str, greedy: bool) -> String {
        let chars: Vec<char> = value.chars().collect();
        let mut lengths = 0..=chars.len();
        let fits = |length: &usize| self.matches(&chars[..*length]);
        let length = if greedy { lengths.rev().find(fits) } else { lengths.find(fits) };
        chars[length.unwrap_or(0)..].iter().collect()
    }

    fn without_suffix(&self, value: &str, greedy: bool) -> String {
        let chars: Vec<char> = value.chars().collect();
        let mut starts = 0..=chars.len();
        let fits = |start: &usize| self.matches(&chars[*start..]);
        let start = if greedy { starts.find(fits) } else { starts.rev().find(fits) };
        chars[..start.unwrap_or(chars.len())].iter().collect()
    }

    fn replaced(&self, value: &str, replacement: &str, all: bool) -> String {
        let chars: Vec<char> = value.chars().collect();
        let mut out = String::new();
        let mut at = 0;
        while at < chars.len() {
            match (at + 1..=chars.len()).rev().find(|end| self.matches(&chars[at..*end])) {
                Some(end) => {
                    out.push_str(replacement);
                    at = end;
                    if !all {
                        break;
                    }
                }
                None => {
                    out.push(chars[at]);
                    at += 1;
                }
            }
        }
        out.extend(&chars[at..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_expands() {
        for (word, expected) in [
            ("$v ${v} $n|${n}", "val val |"),
            ("${v:-w} ${e:-w} ${e-w} ${n-w} ${n:-w}", "val w  w w"),
            ("${v:+w} ${e:+w} ${e+w} ${n+w}", "w  w "),
            ("${v:?m}", "val"),
            ("${p#*/} ${p##*/} ${p%/*} ${p%%/*}", "b/c.txt c.txt a/b a"),
            ("${p/b/X} ${p//\\//-} ${p/[/x}", "a/X/c.txt a-b-c.txt a/b/c.txt"),
            ("${n:-${v}} ${n:-${n:-$v}}", "val val"),
            ("$ a$ $% \\$v", "$ a$ $% $v"),
            ("$1x $@", "x "),
            ("\"a $v \\\"q\\\" \\n\" '$v'", "a val \"q\" \\n $v"),
            ("x\\ y", "x y"),
        ] {
            check(word, Quotes::Removed, Ok(expected));
        }
    }

    #[test]
    fn quotes_of_a_here_document_are_text() {
        check("lit \\$v \"$v\" 'x' \\n", Quotes::Kept, Ok("lit $v \"val\" 'x' \\n"));
    }

    #[test]
    fn wrong_words_are_refused() {
        check("${n:?must be set}", Quotes::Removed, Err("`n`: must be set"));
        check("${v", Quotes::Removed, Err("expected a closing } in `${v`"));
        check("'abc", Quotes::Removed, Err("expected a closing ' in `'abc`"));
        check("${v^}", Quotes::Removed, Err("`${v^` is no form of expansion"));
        assert!(expand(&"${n:-".repeat(5000), '\\', Quotes::Removed, &|_| None).is_err());
    }

    #[track_caller]
    fn check(word: &str, quotes: Quotes, expected: Result<&str, &str>) {
        let lookup = |name: &str| match name {
            "v" => Some("val".to_owned()),
            "e" => Some(String::new()),
            "p" => Some("a/b/c.txt".to_owned()),
            _ => None,
        };
        let found = expand(word, '\\', quotes, &lookup).map(|it| it.text).map_err(|it| it.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{word}");
    }
}
