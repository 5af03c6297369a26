//! What the characters of a text allow: plain, single quotes or a block.

use super::Layout;

/// The styles that would read back as the same text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub multiline: bool,
    pub plain: bool,
    pub single_quoted: bool,
    pub block: bool,
}

/// What stands before a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Space,
    Break,
    Other,
}

impl Shape {
    pub fn of(text: &str, layout: Layout) -> Self {
        let mut shape = Self {
            multiline: false,
            plain: true,
            single_quoted: true,
            block: !text.is_empty(),
        };
        if text.starts_with("---") || text.starts_with("...") {
            shape.plain = false;
        }
        let (mut before, mut after_white) = (Before::Other, true);
        for (at, symbol) in text.char_indices() {
            let rest = text.get(at + symbol.len_utf8()..).unwrap_or_default();
            let white_follows = rest.is_empty() || rest.starts_with([' ', '\t']);
            if is_indicator(symbol, at == 0, after_white, white_follows) {
                shape.plain = false;
            }
            if symbol == '\t' && layout == Layout::Indented {
                shape.plain = false;
                shape.single_quoted = false;
            } else if !is_printable(symbol) {
                shape.forbid_all();
            }
            let edge = at == 0 || rest.is_empty();
            before = if symbol == ' ' {
                shape.plain &= !edge;
                shape.block &= !rest.is_empty();
                if before == Before::Break {
                    shape.plain = false;
                    shape.single_quoted = false;
                }
                Before::Space
            } else if is_break(symbol) {
                shape.multiline = true;
                shape.plain = false;
                if before == Before::Space {
                    shape.forbid_all();
                }
                Before::Break
            } else {
                Before::Other
            };
            after_white = matches!(symbol, ' ' | '\t' | '\0') || is_break(symbol);
        }
        shape
    }

    fn forbid_all(&mut self) {
        self.plain = false;
        self.single_quoted = false;
        self.block = false;
    }
}

fn is_indicator(symbol: char, first: bool, after_white: bool, white_follows: bool) -> bool {
    match symbol {
        '#' => first || after_white,
        ':' => white_follows,
        '?' | '-' => first && white_follows,
        ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
        | '`' => first,
        _ => false,
    }
}

pub(super) fn is_break(symbol: char) -> bool {
    matches!(symbol, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Characters that need no escape; those beyond the basic plane always do.
pub(super) fn is_printable(symbol: char) -> bool {
    matches!(symbol,
        '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}
