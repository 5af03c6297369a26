//! Globs of Argo CD's directories: `*` and `**` cross folders, `?` is one character, `{a,b}` either.

/// A pattern this long is no glob of file names.
const PATTERN_MAX: usize = 4096;

/// Whether a path fits a pattern as a whole.
pub(crate) fn fits(pattern: &str, path: &str) -> bool {
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
    regex::Regex::new(&expression).is_ok_and(|it| it.is_match(path))
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
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }
}
