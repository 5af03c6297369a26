//! The patterns of branch, tag and path filters.

use regex::Regex;

/// One pattern: `*` stays within a `/`, `**` does not, `?` and `+` repeat what stands before them.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    /// `!` in front: what matches is taken out again.
    negative: bool,
    regex: Regex,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern")]
pub struct BadPattern(String);

/// Patterns in order; the last that matches decides.
#[derive(Clone, Debug, Default)]
pub struct PatternList(pub Vec<Pattern>);

impl Pattern {
    pub fn parse(source: &str) -> Result<Self, BadPattern> {
        let (negative, body) = match source.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, source),
        };
        let wrong = || BadPattern(source.to_owned());
        if body.is_empty() {
            return Err(wrong());
        }
        let regex = translate(body).ok_or_else(wrong)?;
        let regex = Regex::new(&regex).map_err(|_| wrong())?;
        Ok(Self {
            source: source.to_owned(),
            negative,
            regex,
        })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn is_negative(&self) -> bool {
        self.negative
    }
}

impl PatternList {
    /// Whether the last pattern that matches `name` is a positive one.
    pub fn matches(&self, name: &str) -> bool {
        let deciding = self.0.iter().rev().find(|it| it.regex.is_match(name));
        deciding.is_some_and(|it| !it.negative)
    }

    /// The patterns as the file has them, for messages.
    pub fn shown(&self) -> String {
        let all: Vec<_> = self.0.iter().map(|it| format!("`{}`", it.source)).collect();
        all.join(", ")
    }
}

fn translate(body: &str) -> Option<String> {
    let mut regex = String::from("(?s)^");
    let mut rest = body;
    // Whether something stands before that `?` and `+` may repeat.
    let mut repeatable = false;
    while let Some(symbol) = rest.chars().next() {
        let mut length = symbol.len_utf8();
        let repeats = std::mem::replace(&mut repeatable, false);
        if let Some(after) = rest.strip_prefix("**/") {
            regex.push_str("(?:.*/)?");
            rest = after;
            continue;
        }
        match symbol {
            '*' if rest.starts_with("**") => {
                regex.push_str(".*");
                length = 2;
            }
            '*' => regex.push_str("[^/]*"),
            '?' | '+' if repeats => regex.push(symbol),
            '[' => {
                let end = rest.find(']').filter(|end| *end > 1)?;
                let class = rest.get(1..end)?;
                if !class
                    .chars()
                    .all(|it| it.is_alphanumeric() || "-_. ".contains(it))
                {
                    return None;
                }
                regex.push_str(&format!("[{}]", class.replace('.', "\\.")));
                length = end + 1;
                repeatable = true;
            }
            '\\' => {
                let escaped = rest.chars().nth(1)?;
                regex.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
                length += escaped.len_utf8();
                repeatable = true;
            }
            literal => {
                regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
                repeatable = true;
            }
        }
        rest = rest.get(length..)?;
    }
    regex.push('$');
    Some(regex)
}
