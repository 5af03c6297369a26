//! Splits a line into words as a shell does: quotes and backslashes, nothing else.

/// The words of `text`.
pub fn parse_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let into = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => into.push(chars.next().ok_or("a `\\` at the end")?),
                        Some(other) => into.push(other),
                        None => return Err(format!("a `{c}` without its end")),
                    }
                }
            }
            '\\' => match chars.next() {
                // A line that goes on.
                Some('\n') => {}
                Some(other) => word.get_or_insert_default().push(other),
                None => return Err("a `\\` at the end".to_owned()),
            },
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        let words = parse_words("a 'b c' \"d \\\"e\\\"\" f\\ g \\\n ''").expect("words");
        assert_eq!(words, ["a", "b c", "d \"e\"", "f g", ""]);
        assert!(parse_words("'a").is_err());
    }
}
