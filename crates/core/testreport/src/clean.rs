//! Foreign text made harmless: no control characters, no orders to a terminal, no turned letters.

/// One line, at most `max` characters; what is cut off shows as `…`.
pub fn line(text: &str, max: usize) -> String {
    cut(&plain(text).split_whitespace().collect::<Vec<_>>().join(" "), max)
}

/// Several lines, at most `max` characters.
pub fn lines(text: &str, max: usize) -> String {
    let plain = plain(text);
    let kept: Vec<_> = plain.lines().map(str::trim_end).collect();
    cut(kept.join("\n").trim_matches('\n'), max)
}

/// A name: blanks within stay as they are, so that a runner finds it again.
pub fn name(text: &str, max: usize) -> String {
    cut(plain(text).replace(['\n', '\t'], " ").trim(), max)
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Without escape sequences, control characters but line ends and tabs, and letters that turn text.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => match letters.next() {
                Some('[') => while letters.next().is_some_and(|it| !('@'..='~').contains(&it)) {},
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(it) = letters.next() {
                        if it == '\u{7}' || it == '\u{9c}' {
                            break;
                        }
                        if it == '\u{1b}' {
                            letters.next_if_eq(&'\\');
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\r' if letters.peek() == Some(&'\n') => {}
            '\r' => plain.push('\n'),
            '\n' | '\t' => plain.push(letter),
            it if it.is_control() => {}
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                plain.push('\u{fffd}');
            }
            it => plain.push(it),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_hurt_a_terminal() {
        for (text, expected) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x\u{1b}]8;;http://evil\u{1b}\\link", "xlink"),
            ("bell\u{7} and\0 c1\u{85}", "bell and c1"),
            ("turn\u{202e}ed", "turn\u{fffd}ed"),
            ("a\r\nb\tc", "a b c"),
            ("\u{1b}[31", ""),
        ] {
            assert_eq!(line(text, 100), expected, "{text:?}");
        }
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(lines("\na\r\n b  \n\n", 10), "a\n b");
        assert_eq!(name("a  b", 10), "a  b");
    }
}
