//! Writes one text in the style that Go's emitter chooses for it.

use super::{
    Emitter, INDENT, Layout, Place, plain,
    shape::{Shape, is_break, is_printable},
};

/// Text is folded at the first blank beyond this column.
const WIDTH: usize = 80;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

impl Emitter {
    pub(super) fn scalar(&mut self, text: &str, shape: &Shape, place: Place) {
        let outer = self.indent;
        self.indent = Some(outer.map_or(INDENT, |it| it + INDENT));
        match style(text, shape, place) {
            Style::Plain => self.plain(text, place),
            Style::SingleQuoted => self.single_quoted(text, place),
            Style::DoubleQuoted => self.double_quoted(text, place),
            Style::Literal => self.literal(text),
        }
        self.indent = outer;
    }

    fn folds(&self, place: Place) -> bool {
        self.layout == Layout::Compact && place != Place::SimpleKey && self.column > WIDTH
    }

    fn plain(&mut self, text: &str, place: Place) {
        if !text.is_empty() {
            self.space();
        }
        if self.column + text.len() <= WIDTH && text.is_ascii() {
            self.push_ascii(text);
        } else {
            let mut after_space = false;
            let mut symbols = text.chars().peekable();
            while let Some(symbol) = symbols.next() {
                let lone = symbol == ' ' && !after_space && symbols.peek() != Some(&' ');
                if lone && self.folds(place) {
                    self.new_line();
                } else {
                    self.push(symbol);
                    self.indention = false;
                }
                after_space = symbol == ' ';
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, place: Place) {
        self.indicator("'", false);
        let (mut after_space, mut after_break) = (false, false);
        for (at, symbol) in text.char_indices() {
            let rest = text.get(at + symbol.len_utf8()..).unwrap_or_default();
            if symbol == ' ' {
                let inside = at > 0 && !rest.is_empty();
                if inside && !after_space && !rest.starts_with(' ') && self.folds(place) {
                    self.new_line();
                } else {
                    self.push(' ');
                }
                after_space = true;
            } else if is_break(symbol) {
                if !after_break && symbol == '\n' {
                    self.line_break();
                }
                self.own_break(symbol);
                after_break = true;
            } else {
                if after_break {
                    self.new_line();
                }
                if symbol == '\'' {
                    self.push('\'');
                }
                self.push(symbol);
                self.indention = false;
                after_space = false;
                after_break = false;
            }
        }
        self.push('\'');
        self.whitespace = false;
        self.indention = false;
    }

    fn double_quoted(&mut self, text: &str, place: Place) {
        self.indicator("\"", false);
        // The original looks for the mark at the start of the text, wherever it stands.
        let marked = text.starts_with('\u{feff}');
        let mut after_space = false;
        for (at, symbol) in text.char_indices() {
            let rest = text.get(at + symbol.len_utf8()..).unwrap_or_default();
            let bare = is_printable(symbol) && !is_break(symbol) && !matches!(symbol, '"' | '\\');
            if !bare || marked {
                self.escape(symbol);
                after_space = false;
            } else if symbol == ' ' {
                let inside = at > 0 && !rest.is_empty();
                if inside && !after_space && self.folds(place) {
                    self.new_line();
                    if rest.starts_with(' ') {
                        self.push('\\');
                    }
                } else {
                    self.push(' ');
                }
                after_space = true;
            } else {
                self.push(symbol);
                after_space = false;
            }
        }
        self.push('"');
        self.whitespace = false;
        self.indention = false;
    }

    fn escape(&mut self, symbol: char) {
        let short = match symbol {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let text = match u32::from(symbol) {
                    code @ 0..=0xff => format!("\\x{code:02X}"),
                    code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                    code => format!("\\U{code:08X}"),
                };
                return self.push_ascii(&text);
            }
        };
        self.push('\\');
        self.push(short);
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", false);
        if text.starts_with(|it| it == ' ' || is_break(it)) {
            self.push('2');
        }
        let mut backwards = text.chars().rev();
        if !backwards.next().is_some_and(is_break) {
            self.push('-');
        } else if backwards.next().is_none_or(is_break) {
            self.push('+');
        }
        self.line_break();
        self.whitespace = true;
        let mut after_break = true;
        for symbol in text.chars() {
            if is_break(symbol) {
                self.own_break(symbol);
                after_break = true;
            } else {
                if after_break {
                    self.new_line();
                }
                self.push(symbol);
                self.indention = false;
                after_break = false;
            }
        }
    }

    /// A break of the text itself: five characters break lines, and each stays what it is.
    fn own_break(&mut self, symbol: char) {
        self.out.push(symbol);
        self.column = 0;
        self.indention = true;
    }
}

fn style(text: &str, shape: &Shape, place: Place) -> Style {
    let simple_key = place == Place::SimpleKey;
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if plain::reads_as_text(text) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    match wanted {
        Style::Literal if shape.block && !simple_key => Style::Literal,
        Style::Plain if shape.multiline && simple_key => Style::DoubleQuoted,
        Style::Plain if shape.plain => Style::Plain,
        Style::Plain if shape.single_quoted => Style::SingleQuoted,
        Style::Plain | Style::SingleQuoted | Style::DoubleQuoted | Style::Literal => {
            Style::DoubleQuoted
        }
    }
}
