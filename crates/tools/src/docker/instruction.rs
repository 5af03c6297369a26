//! The Dockerfile as messages show it.

/// A Dockerfile: how it is called and what it says.
pub struct Source {
    pub name: String,
    /// Empty if it is in a tar that was handed on.
    pub text: String,
    /// The text again, if the file does not lie in the context.
    pub outside: Option<String>,
}

/// Lines shown around the culprit.
const AROUND: usize = 2;

impl Source {
    /// The lines around `line`, counted from 1, in BuildKit's form.
    pub fn excerpt(&self, line: usize) -> Option<String> {
        let lines: Vec<&str> = self.text.lines().collect();
        let index = line.checked_sub(1).filter(|it| *it < lines.len())?;
        let rule = "-".repeat(20);
        let mut text = format!("{}:{line}\n{rule}\n", self.name);
        for (at, content) in lines.iter().enumerate().take(index + AROUND + 1).skip(index.saturating_sub(AROUND)) {
            let mark = if at == index { ">>>" } else { "   " };
            text.push_str(format!(" {:>3} | {mark} {content}", at + 1).trim_end());
            text.push('\n');
        }
        text.push_str(&rule);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_culprit_is_marked() {
        let source = Source { name: "Dockerfile".to_owned(), text: "FROM a\n\nRUN b\nRUN c\n".to_owned(), outside: None };
        let expected = "Dockerfile:3\n--------------------\n   1 |     FROM a\n   2 |\n   3 | >>> RUN b\n   4 |     RUN c\n--------------------";
        assert_eq!(source.excerpt(3).as_deref(), Some(expected));
        assert_eq!(source.excerpt(9), None);
    }
}
