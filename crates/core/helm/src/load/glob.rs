//! Two ways to match paths: Go's `filepath.Match`, and the globs of `.Files.Glob`.

/// Whether the whole of `path` matches, by the rules of Go's `filepath.Match`.
pub(crate) fn path_matches(pattern: &str, path: &str) -> bool {
    if pattern.is_ascii() && path.is_ascii() && !pattern.as_bytes().contains(&b'[') {
        return bytes_match(pattern.as_bytes(), path.as_bytes());
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let path: Vec<char> = path.chars().collect();
    matches_from(&pattern, &path, Star::StopsAtSlash)
}

/// As [`path_matches`], for patterns without classes where a character is a byte.
fn bytes_match(pattern: &[u8], path: &[u8]) -> bool {
    let (mut at, mut on) = (0, 0);
    // Where to try again: after the star, one byte further on.
    let mut retry = None;
    loop {
        let step = match (pattern.get(at), path.get(on)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                at += 1;
                retry = Some((at, on));
                continue;
            }
            (Some(b'?'), Some(it)) => (*it != b'/').then_some(1),
            (Some(b'\\'), it @ Some(_)) => (pattern.get(at + 1) == it).then_some(2),
            (Some(wanted), Some(it)) => (wanted == it).then_some(1),
            (None, Some(_)) | (Some(_), None) => None,
        };
        match (step, retry) {
            (Some(step), _) => {
                at += step;
                on += 1;
            }
            (None, Some((after, from))) if path.get(from).is_some_and(|it| *it != b'/') => {
                retry = Some((after, from + 1));
                (at, on) = (after, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// Whether Go would accept the pattern.
pub(crate) fn is_valid_path_pattern(pattern: &str) -> bool {
    let mut rest = pattern.chars();
    while let Some(it) = rest.next() {
        match it {
            '\\' if rest.next().is_none() => return false,
            '[' => {
                let text: Vec<char> = rest.clone().collect();
                let Some(used) = class(&text, '\0').map(|found| found.used) else {
                    return false;
                };
                rest.by_ref().take(used).for_each(drop);
            }
            _ => {}
        }
    }
    true
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Star {
    StopsAtSlash,
    /// `**` crosses slashes.
    DoubleCrosses,
}

/// A character class: how many characters it takes, and whether `it` is in it.
struct Class {
    used: usize,
    holds: bool,
}

/// Reads a class after its `[`; `None` when it is malformed.
fn class(text: &[char], it: char) -> Option<Class> {
    let mut at = 0;
    let negated = matches!(text.first(), Some('^' | '!'));
    if negated {
        at += 1;
    }
    let mut holds = false;
    let mut ranges = 0;
    loop {
        let next = |at: &mut usize| {
            let mut found = *text.get(*at)?;
            if found == '\\' {
                *at += 1;
                found = *text.get(*at)?;
            } else if found == '-' {
                return None;
            }
            *at += 1;
            Some(found)
        };
        if text.get(at) == Some(&']') && ranges > 0 {
            at += 1;
            break;
        }
        let low = next(&mut at)?;
        let mut high = low;
        if text.get(at) == Some(&'-') {
            at += 1;
            high = next(&mut at)?;
        }
        ranges += 1;
        holds |= low <= it && it <= high;
    }
    let holds = holds != negated;
    Some(Class { used: at, holds })
}

fn matches_from(pattern: &[char], path: &[char], star: Star) -> bool {
    let (mut at, mut on) = (0, 0);
    // Where to try again: after the star, one character further on.
    let mut retry: Option<(usize, usize, bool)> = None;
    loop {
        let step = match pattern.get(at) {
            None if on == path.len() => return true,
            None => None,
            Some('*') => {
                let double = star == Star::DoubleCrosses && pattern.get(at + 1) == Some(&'*');
                at += 1 + usize::from(double);
                retry = Some((at, on, double));
                continue;
            }
            Some(_) if on == path.len() => None,
            Some('?') => (path[on] != '/').then_some(1),
            Some('[') => class(&pattern[at + 1..], path[on])
                .filter(|class| class.holds)
                .map(|class| class.used + 1),
            Some('\\') => (pattern.get(at + 1) == Some(&path[on])).then_some(2),
            Some(it) => (*it == path[on]).then_some(1),
        };
        match step {
            Some(step) => {
                at += step;
                on += 1;
            }
            None => {
                let Some((after, from, double)) = retry else {
                    return false;
                };
                match path.get(from) {
                    None => return false,
                    Some('/') if !double => return false,
                    Some(_) => {
                        retry = Some((after, from + 1, double));
                        at = after;
                        on = from + 1;
                    }
                }
            }
        }
    }
}

/// A glob of `.Files.Glob`: `*` stops at slashes, `**` does not, `{a,b}` are choices.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    choices: Vec<Vec<char>>,
}

/// Choices of choices multiply; a chart has no use for more.
const MAX_CHOICES: usize = 1_000;

impl Glob {
    /// A pattern that cannot be read matches everything, as in Helm.
    pub fn new(pattern: &str) -> Self {
        let text: Vec<char> = pattern.chars().collect();
        let choices = expand(&text)
            .filter(|choices| choices.iter().all(|choice| is_well_formed(choice)))
            .unwrap_or_else(|| vec![vec!['*', '*']]);
        Self { choices }
    }

    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        self.choices
            .iter()
            .any(|choice| matches_from(choice, &path, Star::DoubleCrosses))
    }
}

fn is_well_formed(pattern: &[char]) -> bool {
    let text: String = pattern.iter().collect();
    is_valid_path_pattern(&text)
}

/// Writes out `{a,b}`; `None` for braces that do not match.
fn expand(text: &[char]) -> Option<Vec<Vec<char>>> {
    let mut results: Vec<Vec<char>> = vec![Vec::new()];
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            '\\' => {
                let pair = text.get(at..at + 2)?;
                results.iter_mut().for_each(|it| it.extend(pair));
                at += 2;
            }
            '{' => {
                let (parts, used) = braces(&text[at + 1..])?;
                let mut choices = Vec::new();
                for part in parts {
                    choices.extend(expand(part)?);
                }
                if results.len() * choices.len() > MAX_CHOICES {
                    return None;
                }
                results = results
                    .iter()
                    .flat_map(|head| {
                        choices.iter().map(move |tail| {
                            let mut whole = head.clone();
                            whole.extend(tail);
                            whole
                        })
                    })
                    .collect();
                at += used + 1;
            }
            '}' => return None,
            it => {
                results.iter_mut().for_each(|result| result.push(it));
                at += 1;
            }
        }
    }
    Some(results)
}

/// The choices after a `{` and how many characters they take with the `}`.
fn braces(text: &[char]) -> Option<(Vec<&[char]>, usize)> {
    let (mut depth, mut start, mut at) = (0_usize, 0, 0);
    let mut parts = Vec::new();
    while at < text.len() {
        match text[at] {
            '\\' => at += 1,
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&text[start..at]);
                return Some((parts, at + 1));
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_patterns() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(path_matches(pattern, path), expected, "{pattern} {path}");
        };
        check("*.yaml", "a.yaml", true);
        check("*.yaml", "a/b.yaml", false);
        check("a/*", "a/b", true);
        check("a?c", "abc", true);
        check("a?c", "a/c", false);
        check("[a-c]x", "bx", true);
        check("[^a-c]x", "bx", false);
        check("\\*", "*", true);
        check("a*b*c", "axbxbc", true);
        check("", "", true);
        check("templates/.?*", "templates/.", false);
        assert!(!is_valid_path_pattern("[a"));
        assert!(!is_valid_path_pattern("a\\"));
        assert!(is_valid_path_pattern("[a-z]*"));
    }

    #[test]
    fn globs_of_files() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(Glob::new(pattern).matches(path), expected, "{pattern} {path}");
        };
        check("config/*", "config/a.ini", true);
        check("config/*", "config/a/b.ini", false);
        check("config/**", "config/a/b.ini", true);
        check("**.yaml", "a/b.yaml", true);
        check("{a,b}/*.{txt,md}", "b/x.md", true);
        check("{a,b}/*.{txt,md}", "c/x.md", false);
        check("a[!b]c", "axc", true);
        check("a[!b]c", "abc", false);
        check("[", "anything/at/all", true);
        check("*", ".helmignore", true);
    }
}
