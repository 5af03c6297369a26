//! Ways to split the arguments of an instruction: JSON, quoted words, flags.

use std::ops::Range;

/// The strings of a JSON array at the start of `text`, and what follows it.
pub(crate) fn json_strings(text: &str) -> Option<(Vec<String>, &str)> {
    if !text.starts_with('[') {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Vec<String>>();
    let words = stream.next()?.ok()?;
    let rest = &text[stream.byte_offset()..];
    Some((words, rest))
}

/// Reads `["npm""start"]`, `['a', 'b']` and the like: an array with slips that leave no doubt.
pub(crate) fn json_with_slips(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut words = Vec::new();
    let mut rest = inner.trim_start();
    while !rest.is_empty() {
        let open = rest.chars().next()?;
        let close = match open {
            '"' | '\'' => open,
            '\u{201c}' | '\u{201d}' => '\u{201d}',
            '\u{2018}' | '\u{2019}' => '\u{2019}',
            _ => return None,
        };
        let body = &rest[open.len_utf8()..];
        let end = body.find(close)?;
        let word = &body[..end];
        if word.contains(['\\', '"']) {
            return None;
        }
        words.push(word.to_owned());
        rest = body[end + close.len_utf8()..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    (!words.is_empty()).then_some(words)
}

/// Writes an exec form as people do: `["npm", "start"]`.
pub(crate) fn to_json(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|it| serde_json::Value::from(it.as_str()).to_string()).collect();
    format!("[{}]", quoted.join(", "))
}

/// Words of `text` with their places; quotes and escapes hold words together and stay in them.
pub(crate) fn split_quoted(text: &str, escape: char) -> Vec<(String, Range<usize>)> {
    let mut words = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        if first.is_ascii_whitespace() {
            continue;
        }
        let mut quote = None;
        let mut end = start;
        let mut current = Some((start, first));
        while let Some((at, c)) = current {
            end = at + c.len_utf8();
            match quote {
                None if matches!(c, '"' | '\'') => quote = Some(c),
                Some(open) if open == c => quote = None,
                _ if c == escape && quote != Some('\'') => {
                    if let Some((at, c)) = chars.next() {
                        end = at + c.len_utf8();
                    }
                }
                _ => {}
            }
            let stop = chars.peek().is_none_or(|(_, c)| quote.is_none() && c.is_ascii_whitespace());
            current = if stop { None } else { chars.next() };
        }
        words.push((text[start..end].to_owned(), start..end));
    }
    words
}

/// Words between white space; quotes mean nothing.
pub(crate) fn split_plain(text: &str) -> Vec<(String, Range<usize>)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_ascii_whitespace(), start) {
            (true, Some(from)) => {
                words.push((text[from..at].to_owned(), from..at));
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    words
}

/// A flag such as `--from=build`.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    pub name: String,
    pub value: Option<String>,
    pub range: Range<usize>,
}

/// The flags at the start of `text`, and where the rest begins.
pub(crate) fn flags(text: &str, escape: char) -> (Vec<Flag>, usize) {
    let mut flags = Vec::new();
    let mut rest = text.len() - text.trim_start().len();
    for (word, range) in split_quoted(text, escape) {
        rest = range.start;
        let Some(body) = word.strip_prefix("--") else { return (flags, rest) };
        rest = range.end;
        if body.is_empty() {
            break;
        }
        let body: String = unquote(body, escape);
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (body, None),
        };
        flags.push(Flag { name, value, range });
    }
    let skipped = text[rest..].len() - text[rest..].trim_start().len();
    (flags, rest + skipped)
}

/// Takes quotes away; escapes are left for the expansion, but for escaped spaces and quotes.
fn unquote(text: &str, escape: char) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            None if matches!(c, '"' | '\'') => quote = Some(c),
            Some(open) if open == c => quote = None,
            _ if c == escape && quote != Some('\'') => match chars.peek() {
                Some('"' | '\'' | ' ') => out.extend(chars.next()),
                _ => out.push(c),
            },
            _ => out.push(c),
        }
    }
    out
}
