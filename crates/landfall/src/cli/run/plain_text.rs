//! Lines of foreign output made harmless for a terminal, and GitHub's marks in them put into words.

/// What becomes of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    Kept,
    Dropped,
}

/// A line as people read it; `None` where it says nothing by itself.
pub fn readable(line: &str, colours: Colours) -> Option<String> {
    let marks = [("##[error]", "error: "), ("##[warning]", "warning: "), ("##[notice]", "notice: "),
        ("##[debug]", "debug: "), ("##[group]", ""), ("##[command]", "$ "), ("##[section]", "")];
    if line.starts_with("##[endgroup]") {
        return None;
    }
    let found = marks.iter().find_map(|(mark, words)| Some((line.strip_prefix(mark)?, words)));
    Some(match found {
        Some((rest, words)) => format!("{words}{}", harmless(rest, colours)),
        None => harmless(line, colours),
    })
}

/// Drops everything that would move the cursor, change the title or the like.
pub fn harmless(line: &str, colours: Colours) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(symbol) = rest.chars().next() {
        let after = rest.get(symbol.len_utf8()..).unwrap_or_default();
        if symbol != '\u{1b}' {
            if symbol == '\t' || !symbol.is_control() && !is_invisible(symbol) {
                out.push(symbol);
            }
            rest = after;
            continue;
        }
        let (sequence, left) = escape(after);
        let is_colour = sequence.starts_with('[') && sequence.ends_with('m')
            && sequence.bytes().all(|byte| byte.is_ascii_digit() || b"[;:m".contains(&byte));
        if is_colour && colours == Colours::Kept {
            out.push('\u{1b}');
            out.push_str(sequence);
        }
        rest = left;
    }
    if colours == Colours::Kept && out.contains('\u{1b}') {
        out.push_str("\u{1b}[0m");
    }
    out
}

/// Marks that turn the direction of text and so show another one than is there.
fn is_invisible(symbol: char) -> bool {
    matches!(symbol, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The escape sequence at the start of a text, and what comes after it.
fn escape(text: &str) -> (&str, &str) {
    let end = match text.bytes().next() {
        Some(b'[') => {
            let last = text.bytes().skip(1).position(|byte| (0x40..=0x7e).contains(&byte));
            last.map_or(text.len(), |at| at + 2)
        }
        // Titles and the like, up to a bell or a string terminator.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let bell = text.find('\u{7}').map(|at| at + 1);
            let terminator = text.find("\u{1b}\\").map(|at| at + 2);
            bell.into_iter().chain(terminator).min().unwrap_or(text.len())
        }
        Some(_) => text.chars().next().map_or(0, char::len_utf8),
        None => 0,
    };
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, dropped: &str, kept: &str) {
        assert_eq!(harmless(line, Colours::Dropped), dropped);
        assert_eq!(harmless(line, Colours::Kept), kept);
    }

    #[test]
    fn only_colours_survive() {
        check("a\tb", "a\tb", "a\tb");
        check("\u{1b}[31mred\u{1b}[0m", "red", "\u{1b}[31mred\u{1b}[0m\u{1b}[0m");
        check("a\u{1b}[2Jb\u{1b}[1;1Hc\rd\u{8}", "abcd", "abcd");
        check("\u{1b}]0;title\u{7}x\u{1b}]8;;http://a\u{1b}\\y", "xy", "xy");
        check("\u{1b}[31", "", "");
        check("\u{1b}", "", "");
        check("\u{9b}2Ja\u{202e}b", "2Jab", "2Jab");
    }

    #[test]
    fn marks_become_words() {
        let read = |line| readable(line, Colours::Dropped);
        assert_eq!(read("##[error]no"), Some("error: no".to_owned()));
        assert_eq!(read("##[group]Run make"), Some("Run make".to_owned()));
        assert_eq!(read("##[endgroup]"), None);
    }
}
