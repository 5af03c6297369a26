//! `.dockerignore`: which files of the context stay out.

/// The patterns of an ignore file or of `--exclude`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    negated: bool,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `?`
    One,
    /// `*`
    Name,
    /// `**`, with the `/` after it.
    Deep,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

/// Why a line is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    #[error("line {line}: expected a pattern after `!`")]
    OnlyBang { line: usize },
    #[error("line {line}: `{pattern}` is malformed")]
    Malformed { line: usize, pattern: String },
}

impl Ignore {
    /// Reads an ignore file.
    ///
    /// # Errors
    ///
    /// [`IgnoreError`] for a lone `!` or an open set.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        Self::rules(lines)
    }

    /// Patterns of `--exclude` flags.
    ///
    /// # Errors
    ///
    /// [`IgnoreError`] as for a file, lines counted from the first pattern.
    pub fn from_patterns<S: AsRef<str>>(patterns: &[S]) -> Result<Self, IgnoreError> {
        Self::rules(patterns.iter().map(AsRef::as_ref).enumerate())
    }

    fn rules<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        for (index, line) in lines {
            let line_number = index + 1;
            let text = line.trim();
            if text.is_empty() {
                continue;
            }
            let (negated, text) = match text.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, text),
            };
            if text.is_empty() {
                return Err(IgnoreError::OnlyBang { line: line_number });
            }
            let clean = clean(text);
            let path = if clean.len() > 1 { clean.strip_prefix('/').unwrap_or(&clean) } else { &clean };
            let pieces = compile(path)
                .ok_or_else(|| IgnoreError::Malformed { line: line_number, pattern: text.to_owned() })?;
            rules.push(Rule { negated, pieces });
        }
        Ok(Self { rules })
    }

    /// Whether the file at `path` (relative, no leading `/`) stays out.
    ///
    /// A rule for a folder covers all below it; the last rule that covers wins.
    pub fn ignores(&self, path: &str) -> bool {
        let mut ignored = false;
        for rule in &self.rules {
            if rule.negated == ignored && rule.covers(path) {
                ignored = !rule.negated;
            }
        }
        ignored
    }

    /// Whether an ignored folder may hold files that are not, so that it must be walked.
    pub fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|it| it.negated)
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl Rule {
    fn covers(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.into_iter().any(|end| {
            let name: Vec<char> = path[..end].chars().collect();
            matches(&self.pieces, &name)
        })
    }
}

/// Go's `filepath.Clean`: no `.`, `..`, doubled or trailing slashes.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|it| *it != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    match (rooted, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

fn compile(pattern: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.peek() == Some(&'/') {
                    chars.next();
                }
                Piece::Deep
            }
            '*' => Piece::Name,
            '?' => Piece::One,
            '\\' => Piece::Char(chars.next()?),
            '[' => {
                let negated = chars.peek() == Some(&'^');
                if negated {
                    chars.next();
                }
                let mut ranges = Vec::new();
                loop {
                    let low = match chars.next()? {
                        ']' if !ranges.is_empty() => break,
                        '\\' => chars.next()?,
                        c => c,
                    };
                    let mut high = low;
                    if chars.peek() == Some(&'-') {
                        chars.next();
                        high = match chars.next()? {
                            ']' => return None,
                            '\\' => chars.next()?,
                            c => c,
                        };
                    }
                    ranges.push((low, high));
                }
                Piece::Set { negated, ranges }
            }
            c => Piece::Char(c),
        });
    }
    Some(pieces)
}

/// Walks all places the pattern can have reached, so stars cannot make it slow.
fn matches(pieces: &[Piece], name: &[char]) -> bool {
    let mut reach = vec![false; name.len() + 1];
    reach[0] = true;
    for (index, piece) in pieces.iter().enumerate() {
        let mut next = vec![false; name.len() + 1];
        let last = index + 1 == pieces.len();
        let mut open = false;
        for at in 0..=name.len() {
            let before = at.checked_sub(1).map(|i| (reach[i], name[i]));
            next[at] = match piece {
                // Zero folders, or any text up to and with a slash; at the end, anything.
                Piece::Deep => {
                    open |= at > 0 && reach[at - 1];
                    reach[at] || (open && (last || before.is_some_and(|(_, c)| c == '/')))
                }
                Piece::Name => reach[at] || (at > 0 && next[at - 1] && name[at - 1] != '/'),
                Piece::One => before.is_some_and(|(reached, c)| reached && c != '/'),
                Piece::Char(wanted) => before.is_some_and(|(reached, c)| reached && c == *wanted),
                Piece::Set { negated, ranges } => before.is_some_and(|(reached, c)| {
                    reached && ranges.iter().any(|(low, high)| *low <= c && c <= *high) != *negated
                }),
            };
        }
        reach = next;
    }
    reach[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_example_holds() {
        let all = ["a/x", "a/b/y", "a/b/z", "keep.md", "n.md", "Dockerfile", ".dockerignore"];
        check(" a\n!a/b/y\n*.md\n! keep.md\n**/z\nDockerfile", &all, "a/b/y keep.md .dockerignore");
    }

    #[test]
    fn stars_and_anchors() {
        let all = ["x.log", "d/x.log", "d/e/x.log", "d/x.txt", "e"];
        check("*.log", &all, "d/x.log d/e/x.log d/x.txt e");
        check("**/*.log", &all, "d/x.txt e");
        check("d/**", &all, "x.log e");
        check("/d/e/", &all, "x.log d/x.log d/x.txt e");
        check("**", &all, "");
        check("**/e", &all, "x.log d/x.log d/x.txt");
        check("d/**/x.log", &all, "x.log d/x.txt e");
        check("# comment\n #not", &all, &all.join(" "));
        check("*\n!d/e", &all, "d/e/x.log");
        check("[a-d]", &all, "x.log e");
        check("../x.log\n./e", &all, "x.log d/x.log d/e/x.log d/x.txt");
    }

    #[test]
    fn wrong_lines_are_refused() {
        assert_eq!(Ignore::parse("a\n!"), Err(IgnoreError::OnlyBang { line: 2 }));
        assert!(Ignore::parse("[a").is_err());
    }

    #[track_caller]
    fn check(file: &str, all: &[&str], expected: &str) {
        let ignore = Ignore::parse(file).expect("an ignore file");
        let kept: Vec<&str> = all.iter().copied().filter(|it| !ignore.ignores(it)).collect();
        assert_eq!(kept.join(" "), expected, "{file}");
    }
}
