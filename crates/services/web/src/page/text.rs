//! Foreign text made fit for the page: no control characters, no escape
//! sequences, no letters that turn the direction of what follows.

use std::{fmt::Write as _, iter::Peekable, str::Chars};

/// Stands where a letter was taken out that would deceive the reader.
const REPLACEMENT: char = '\u{fffd}';

/// One line of text to read; line breaks become spaces.
pub fn plain(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let mut letters = text.chars().peekable();
    let mut plain = String::with_capacity(text.len());
    while let Some(piece) = next(&mut letters) {
        if let Piece::Letter(letter) = piece {
            plain.push(letter);
        }
    }
    plain
}

/// Several lines of text to read.
pub fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// One line of output as HTML: everything escaped, colours as classes.
pub fn output_html(text: &str) -> String {
    // A progress bar writes over itself; what it wrote last is what counts.
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or(text);
    let mut letters = text.chars().peekable();
    let mut html = String::with_capacity(text.len());
    let (mut style, mut open) = (Style::default(), false);
    while let Some(piece) = next(&mut letters) {
        match piece {
            Piece::Letter(letter) => push_escaped(&mut html, letter),
            Piece::Style(codes) => {
                if std::mem::take(&mut open) {
                    html.push_str("</span>");
                }
                style.apply(&codes);
                if let Some(classes) = style.classes() {
                    open = true;
                    // Writing to a string cannot fail.
                    let _ = write!(html, "<span class=\"{classes}\">");
                }
            }
        }
    }
    if open {
        html.push_str("</span>");
    }
    html
}

fn push_escaped(html: &mut String, letter: char) {
    match letter {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        '\'' => html.push_str("&#39;"),
        _ => html.push(letter),
    }
}

enum Piece {
    Letter(char),
    /// The codes of a "select graphic rendition" sequence.
    Style(String),
}

/// The next letter or style; everything else that a terminal would obey is passed over.
fn next(letters: &mut Peekable<Chars<'_>>) -> Option<Piece> {
    loop {
        match letters.next()? {
            '\u{1b}' => match letters.next()? {
                '[' => {
                    if let Some(codes) = control_sequence(letters) {
                        return Some(Piece::Style(codes));
                    }
                }
                ']' | 'P' | 'X' | '^' | '_' => skip_string(letters),
                ' '..='/' => while letters.next_if(|it| matches!(it, ' '..='~')).is_some_and(|it| it < '0') {},
                _ => {}
            },
            '\u{9b}' => {
                if let Some(codes) = control_sequence(letters) {
                    return Some(Piece::Style(codes));
                }
            }
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(letters),
            '\t' => return Some(Piece::Letter('\t')),
            letter if letter.is_control() => {}
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                return Some(Piece::Letter(REPLACEMENT));
            }
            letter => return Some(Piece::Letter(letter)),
        }
    }
}

/// Reads a control sequence to its end; its codes if it is about style.
fn control_sequence(letters: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut codes = String::new();
    while let Some(letter) = letters.next_if(|letter| matches!(letter, ' '..='~')) {
        match letter {
            'm' => return Some(codes),
            '@'..='~' => return None,
            _ => codes.push(letter),
        }
    }
    None
}

/// Passes over a string for the terminal: titles, links, the clipboard.
fn skip_string(letters: &mut Peekable<Chars<'_>>) {
    while let Some(letter) = letters.next() {
        match letter {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                letters.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// What the letters that follow look like.
#[derive(Default)]
struct Style {
    colour: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
}

impl Style {
    fn apply(&mut self, codes: &str) {
        let mut codes = codes.split(';');
        while let Some(code) = codes.next() {
            match code.parse::<u8>() {
                Ok(0) => *self = Self::default(),
                Err(_) if code.is_empty() => *self = Self::default(),
                Ok(1) => self.bold = true,
                Ok(2) => self.dim = true,
                Ok(3) => self.italic = true,
                Ok(4) => self.underlined = true,
                Ok(22) => (self.bold, self.dim) = (false, false),
                Ok(23) => self.italic = false,
                Ok(24) => self.underlined = false,
                Ok(code @ 30..=37) => self.colour = Some(code - 30),
                Ok(code @ 90..=97) => self.colour = Some(code - 90 + 8),
                Ok(39) => self.colour = None,
                Ok(code @ (38 | 48)) => {
                    let colour = extended_colour(&mut codes);
                    if code == 38 {
                        self.colour = colour;
                    }
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn classes(&self) -> Option<String> {
        let colour = self.colour.map(|colour| format!("c{colour}"));
        let flag = |on: bool, class: &str| on.then(|| class.to_owned());
        let classes = [
            colour,
            flag(self.bold, "bold"),
            flag(self.dim, "dim"),
            flag(self.italic, "italic"),
            flag(self.underlined, "underlined"),
        ];
        let classes: Vec<_> = classes.into_iter().flatten().collect();
        (!classes.is_empty()).then(|| classes.join(" "))
    }
}

/// One of the sixteen colours that follow the theme; others would not be readable on both.
fn extended_colour<'a>(codes: &mut impl Iterator<Item = &'a str>) -> Option<u8> {
    match codes.next()? {
        "5" => codes.next()?.parse().ok().filter(|colour| *colour < 16),
        "2" => {
            codes.nth(2)?;
            None
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_classes_and_the_rest_of_the_terminal_goes() {
        let cases = [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m.", "<span class=\"c1\">red</span>."),
            ("\u{1b}[1;92mok", "<span class=\"c10 bold\">ok</span>"),
            ("\u{1b}[38;5;4mblue\u{1b}[38;2;1;2;3mown", "<span class=\"c4\">blue</span>own"),
            ("\u{1b}[48;5;1;3mslanted\u{1b}[m", "<span class=\"italic\">slanted</span>"),
            ("a\u{1b}[2Kb\u{1b}[10;5Hc\u{1b}(Bd", "abcd"),
            ("\u{1b}]0;title\u{7}x\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\", "xlink"),
            ("\u{1b}]52;c;never ended", ""),
            ("10%\r50%\r100%\r", "100%"),
            ("<b onclick='x'>&\"", "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;"),
            ("\u{1b}[31m<i>", "<span class=\"c1\">&lt;i&gt;</span>"),
            ("bell\u{7} null\0 del\u{7f} c1\u{85}", "bell null del c1"),
            ("\u{9b}31mred", "<span class=\"c1\">red</span>"),
            ("turn\u{202e}ed", "turn\u{fffd}ed"),
            ("\u{1b}", ""),
            ("\u{1b}[31", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(output_html(text), expected, "{text:?}");
        }
    }

    #[test]
    fn plain_text_is_one_line() {
        assert_eq!(plain("a\nb\u{1b}[31mc\u{1b}[0m\td"), "a bc\td");
        assert_eq!(plain_lines("a\u{7}\r\nb"), "a\nb");
    }
}
