//! Globs of Argo CD's directories: `*` and `**` cross folders, `?` is one character, `{a,b}` either.

/// A pattern this long is no glob of file names.
const PATTERN_MAX: usize = 4096;

/// A pattern, read once for all paths.
pub(crate) struct Glob(Option<regex::Regex>);

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(regex::Regex::new(&expression(pattern)).ok())
    }

    /// Whether a path fits the pattern as a whole; a pattern that cannot be read fits nothing.
    pub(crate) fn fits(&self, path: &str) -> bool {
        self.0.as_ref().is_some_and(|it| it.is_match(path))
    }
}

fn expression(pattern: &str) -> String {
    let mut expression = String::from("^(?s:");
    let mut depth = 0;
    for letter in pattern.chars().take(PATTERN_MAX) {
        match letter {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '{' => {
                depth += 1;
                expression.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                expression.push(')');
            }
            ',' if depth > 0 => expression.push('|'),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push_str(&")".repeat(depth + 1));
    expression.push('$');
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_stars_fit_whole_paths() {
        for (pattern, path, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "deep/a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("{a,b}.yaml", "b.yaml", true),
            ("{a,b}.yaml", "c.yaml", false),
            ("config/?.json", "config/x.json", true),
            ("a+b", "a+b", true),
            ("{open", "open", true),
        ] {
            assert_eq!(Glob::new(pattern).fits(path), expected, "{pattern} {path}");
        }
    }
}
