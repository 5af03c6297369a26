//! Cuts an expression into tokens that know their place.

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub kind: TokenKind,
    /// Byte offset in the expression.
    pub at: usize,
    pub text: &'a str,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    Null,
    True,
    False,
    Number(f64),
    String(String),
    /// A context, function or property name.
    Name,
    Dot,
    Star,
    Open,
    Close,
    OpenIndex,
    CloseIndex,
    Comma,
    Not,
    NotEqual,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

/// The first text that is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadToken {
    pub at: usize,
    pub text: String,
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, BadToken> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|it| !it.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let after_dot = matches!(tokens.last().map(|it| &it.kind), Some(TokenKind::Dot));
        let value_before = tokens.last().is_some_and(|it| {
            matches!(
                it.kind,
                TokenKind::Name | TokenKind::Close | TokenKind::CloseIndex | TokenKind::Star
            )
        });
        let (kind, length) = next(rest, after_dot, value_before).ok_or_else(|| BadToken {
            at,
            text: bad(rest),
        })?;
        let raw = rest.get(..length).unwrap_or(rest);
        tokens.push(Token {
            kind,
            at,
            text: raw,
        });
        at += length;
    }
    Ok(tokens)
}

fn next(rest: &str, after_dot: bool, value_before: bool) -> Option<(TokenKind, usize)> {
    let two = rest.get(..2).unwrap_or_default();
    let double = match two {
        "!=" => Some(TokenKind::NotEqual),
        "==" => Some(TokenKind::Equal),
        "<=" => Some(TokenKind::LessOrEqual),
        ">=" => Some(TokenKind::GreaterOrEqual),
        "&&" => Some(TokenKind::And),
        "||" => Some(TokenKind::Or),
        _ => None,
    };
    if let Some(kind) = double {
        return Some((kind, 2));
    }
    let first = rest.chars().next()?;
    let single = match first {
        '(' => Some(TokenKind::Open),
        ')' => Some(TokenKind::Close),
        '[' => Some(TokenKind::OpenIndex),
        ']' => Some(TokenKind::CloseIndex),
        ',' => Some(TokenKind::Comma),
        '*' => Some(TokenKind::Star),
        '!' => Some(TokenKind::Not),
        '<' => Some(TokenKind::Less),
        '>' => Some(TokenKind::Greater),
        '.' if value_before => Some(TokenKind::Dot),
        _ => None,
    };
    if let Some(kind) = single {
        return Some((kind, 1));
    }
    match first {
        '\'' => string(rest),
        '.' | '+' | '-' | '0'..='9' if !after_dot => number(rest),
        'a'..='z' | 'A'..='Z' | '_' => name(rest, after_dot),
        _ => None,
    }
}

fn string(rest: &str) -> Option<(TokenKind, usize)> {
    let mut value = String::new();
    let mut symbols = rest.char_indices().skip(1).peekable();
    while let Some((at, symbol)) = symbols.next() {
        if symbol != '\'' {
            value.push(symbol);
        } else if symbols.next_if(|(_, next)| *next == '\'').is_some() {
            value.push('\'');
        } else {
            return Some((TokenKind::String(value), at + 1));
        }
    }
    None
}

/// Where a word may end.
fn border(symbol: char) -> bool {
    symbol.is_whitespace() || "()[],.!<>=&|".contains(symbol)
}

fn number(rest: &str) -> Option<(TokenKind, usize)> {
    let end = rest
        .find(|symbol: char| symbol != '.' && border(symbol))
        .unwrap_or(rest.len());
    let word = rest.get(..end)?;
    let value = match word {
        "-Infinity" => f64::NEG_INFINITY,
        "+Infinity" => f64::INFINITY,
        _ => super::number::parse_number(word),
    };
    (!value.is_nan()).then_some((TokenKind::Number(value), end))
}

fn name(rest: &str, after_dot: bool) -> Option<(TokenKind, usize)> {
    let fits = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_' || symbol == '-';
    let end = rest.find(border).unwrap_or(rest.len());
    let word = rest.get(..end).filter(|it| it.chars().all(fits))?;
    let kind = match word {
        _ if after_dot => TokenKind::Name,
        "null" => TokenKind::Null,
        "true" => TokenKind::True,
        "false" => TokenKind::False,
        "NaN" => TokenKind::Number(f64::NAN),
        "Infinity" => TokenKind::Number(f64::INFINITY),
        _ => TokenKind::Name,
    };
    Some((kind, end))
}

fn bad(rest: &str) -> String {
    if rest.starts_with('\'') {
        return rest.to_owned();
    }
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let end = rest
        .get(first..)
        .and_then(|it| it.find(border))
        .map_or(rest.len(), |it| it + first);
    rest.get(..end).unwrap_or(rest).to_owned()
}
