//! Upper, lower, snake, kebab and camel case.

use gotemplate::{Functions, Signature, Type, Value};

use crate::arguments::{room, string, text};

pub(crate) fn add(all: &mut Functions) {
    let mapped = Signature::new(&[Type::String], Type::String);
    all.add("upper", mapped, |call, arguments| {
        room(call, text(arguments, 0).len())?;
        Ok(string(arguments, 0)
            .chars()
            .map(upper)
            .collect::<String>()
            .into())
    });
    all.add("lower", mapped, |call, arguments| {
        room(call, text(arguments, 0).len())?;
        Ok(string(arguments, 0)
            .chars()
            .map(lower)
            .collect::<String>()
            .into())
    });
    all.add("snakecase", mapped, |_, arguments| {
        Ok(Value::from(separated(&string(arguments, 0), '_')))
    });
    all.add("kebabcase", mapped, |_, arguments| {
        Ok(Value::from(separated(&string(arguments, 0), '-')))
    });
    all.add("camelcase", mapped, |_, arguments| {
        Ok(Value::from(pascal(&string(arguments, 0))))
    });
}

/// Go's `unicode.ToUpper`: always one character.
pub(crate) fn upper(symbol: char) -> char {
    let mut mapped = symbol.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => match u32::from(symbol) {
            // Greek letters whose upper case is one character here and two in full mappings.
            code @ (0x1f80..=0x1faf) => char::from_u32(code | 8).unwrap_or(symbol),
            code @ (0x1fb3 | 0x1fc3 | 0x1ff3) => char::from_u32(code + 9).unwrap_or(symbol),
            _ => symbol,
        },
    }
}

/// Go's `unicode.ToLower`: always one character.
pub(crate) fn lower(symbol: char) -> char {
    symbol.to_lowercase().next().unwrap_or(symbol)
}

/// Go's `unicode.ToTitle`: as upper case but for the letters that are two in one.
pub(crate) fn title(symbol: char) -> char {
    match u32::from(symbol) {
        0x1c4..=0x1c6 => '\u{1c5}',
        0x1c7..=0x1c9 => '\u{1c8}',
        0x1ca..=0x1cc => '\u{1cb}',
        0x1f1..=0x1f3 => '\u{1f2}',
        0x10d0..=0x10fa | 0x10fd..=0x10ff => symbol,
        _ => upper(symbol),
    }
}

fn is_connector(symbol: char) -> bool {
    symbol == '-' || symbol == '_' || symbol.is_whitespace()
}

/// Words put together, each with an upper case letter first; an all upper case word becomes lower.
fn pascal(text: &str) -> String {
    let mut out = String::new();
    let mut symbols = text.chars();
    let mut current = loop {
        match symbols.next() {
            None => return out,
            Some(it) if is_connector(it) => {
                out.push(it);
                if symbols.as_str().is_empty() {
                    // The original writes the last one twice.
                    out.push(it);
                    return out;
                }
            }
            Some(it) => break it,
        }
    };
    let mut word_is_upper = current.is_uppercase();
    current = upper(current);
    for symbol in symbols {
        let previous = std::mem::replace(&mut current, symbol);
        match (is_connector(previous), is_connector(symbol)) {
            (true, true) => out.push(previous),
            (true, false) => {
                word_is_upper = symbol.is_uppercase();
                current = upper(symbol);
            }
            (false, _) => {
                if word_is_upper {
                    if symbol.is_uppercase() {
                        current = lower(symbol);
                    } else {
                        word_is_upper = false;
                    }
                }
                out.push(previous);
            }
        }
    }
    out.push(current);
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// The end of the text.
    None,
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// Words in lower case with `connector` between them. A number belongs to the word before it.
fn separated(text: &str, connector: char) -> String {
    let mut out = String::new();
    let (mut kind, mut word, mut rest) = next_word(text);
    let put = |out: &mut String, kind: Word, word: &str| match kind {
        Word::Connector => out.extend(word.chars().map(|_| connector)),
        _ => out.extend(word.chars().map(lower)),
    };
    while !rest.is_empty() {
        if kind != Word::Connector {
            put(&mut out, kind, word);
        }
        let (previous, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match previous {
            Word::Number => {
                while matches!(kind, Word::Letters | Word::Number) {
                    put(&mut out, kind, word);
                    (kind, word, rest) = next_word(rest);
                }
                if !matches!(kind, Word::None | Word::Punctuation | Word::Connector) {
                    out.push(connector);
                }
            }
            Word::Connector => put(&mut out, previous, last),
            Word::Punctuation => {}
            Word::None | Word::Upper | Word::Letters | Word::Other => {
                if kind != Word::Number {
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        out.push(connector);
                    }
                    continue;
                }
                if rest.is_empty() {
                    continue;
                }
                let number = word;
                (kind, word, rest) = next_word(rest);
                if kind != Word::Letters {
                    put(&mut out, Word::Number, number);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        out.push(connector);
                    }
                    continue;
                }
                out.push(connector);
                put(&mut out, Word::Number, number);
                while matches!(kind, Word::Letters | Word::Number) {
                    put(&mut out, kind, word);
                    (kind, word, rest) = next_word(rest);
                }
                if !matches!(kind, Word::None | Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
        }
    }
    put(&mut out, kind, word);
    out
}

fn is_letter(symbol: char) -> bool {
    // What has no case, as Chinese has none, forms no words.
    symbol.is_uppercase() || symbol.is_lowercase()
}

fn is_punctuation(symbol: char) -> bool {
    match symbol {
        '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' => false,
        _ if symbol.is_ascii() => symbol.is_ascii_punctuation(),
        _ => matches!(symbol,
            '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}'
            | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{2043}' | '\u{2045}'..='\u{2051}'
            | '\u{2053}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}'),
    }
}

fn next_word(text: &str) -> (Word, &str, &str) {
    let mut symbols = text.chars();
    let Some(first) = symbols.next() else {
        return (Word::None, "", "");
    };
    let after = symbols.as_str();
    let take = |goes_on: &dyn Fn(char) -> bool| {
        let end = after.find(|it| !goes_on(it)).unwrap_or(after.len());
        text.split_at(first.len_utf8() + end)
    };
    let (kind, (word, rest)) = if is_connector(first) {
        (Word::Connector, take(&is_connector))
    } else if is_punctuation(first) {
        (Word::Punctuation, take(&is_punctuation))
    } else if first.is_uppercase() {
        (Word::Upper, text.split_at(upper_word(text)))
    } else if is_letter(first) {
        (
            Word::Letters,
            take(&|it| is_letter(it) && !it.is_uppercase()),
        )
    } else if first.is_numeric() {
        (Word::Number, take(&char::is_numeric))
    } else {
        let goes_on = |it: char| {
            !(is_connector(it) || is_letter(it) || it.is_numeric() || is_punctuation(it))
        };
        (Word::Other, take(&goes_on))
    };
    (kind, word, rest)
}

/// How long a word is that starts in upper case: `HTTP` of `HTTPServer`, `Server` of `ServerName`.
fn upper_word(text: &str) -> usize {
    let length = |count: usize| text.chars().take(count).map(char::len_utf8).sum();
    let uppers = text.chars().take_while(|it| it.is_uppercase()).count();
    let next = text.chars().nth(uppers);
    if uppers == 1 {
        let lowers = text.chars().skip(1);
        let lowers = lowers.take_while(|it| is_letter(*it) && !it.is_uppercase());
        return length(1 + lowers.count());
    }
    // The last upper case letter belongs to the lower case ones after it.
    length(if next.is_some_and(is_letter) {
        uppers - 1
    } else {
        uppers
    })
}
