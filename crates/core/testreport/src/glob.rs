//! Which files are test reports: patterns as the common actions for reports take them.

/// More patterns than this are a mistake.
const PATTERNS_MAX: usize = 200;

/// Patterns in order: `*`, `?`, `**`, `[…]`, `{a,b}`, and `!` for what is none after all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globs(Vec<Glob>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    excludes: bool,
    parts: Vec<String>,
}

impl Globs {
    /// Reads patterns that stand in lines of their own or between commas; blanks belong to a path.
    ///
    /// `relative` makes a path relative to the folder that is searched, or says that it lies elsewhere.
    pub fn parse(text: &str, relative: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut globs = Vec::new();
        for word in split(text) {
            let (excludes, path) = match word.strip_prefix('!') {
                Some(path) => (true, path.trim()),
                None => (false, word.as_str()),
            };
            for path in alternatives(path) {
                let Some(path) = relative(&path) else { continue };
                let mut parts: Vec<String> = Vec::new();
                for part in path.split('/') {
                    match part {
                        "" | "." => {}
                        ".." => drop(parts.pop()),
                        part => parts.push(part.to_owned()),
                    }
                }
                if globs.len() < PATTERNS_MAX && !parts.is_empty() {
                    globs.push(Glob { excludes, parts });
                }
            }
        }
        Self(globs)
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|it| it.excludes)
    }

    /// Whether a path is meant; the last pattern that fits decides.
    pub fn matches(&self, path: &str) -> bool {
        let parts: Vec<_> = path.split('/').collect();
        let deciding = self.0.iter().rev().find(|it| fits(&it.parts, &parts));
        deciding.is_some_and(|it| !it.excludes)
    }

    /// Whether anything below a folder may be meant.
    pub fn enters(&self, folder: &str) -> bool {
        let parts: Vec<_> = folder.split('/').filter(|it| !it.is_empty()).collect();
        self.0.iter().filter(|it| !it.excludes).any(|it| may_fit_below(&it.parts, &parts))
    }
}

/// Lines and commas divide, but not within braces.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut depth = 0_usize;
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '\n' | '\r' => depth = 0,
            _ => {}
        }
        if letter == '\n' || letter == '\r' || letter == ',' && depth == 0 {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(letter);
        }
    }
    let words = words.into_iter().map(|it| it.trim().trim_matches('"').to_owned());
    words.filter(|it| !it.is_empty() && !it.starts_with('#')).collect()
}

/// The paths that braces stand for.
fn alternatives(path: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let braces = path.find('{').and_then(|from| Some((from, from + path.get(from..)?.find('}')?)));
        match braces {
            Some((from, to)) if open.len() + done.len() < PATTERNS_MAX => {
                let (head, tail) = (&path[..from], &path[to + 1..]);
                open.extend(path[from + 1..to].split(',').rev().map(|it| format!("{head}{it}{tail}")));
            }
            _ => done.push(path),
        }
    }
    done
}

fn fits(pattern: &[String], path: &[&str]) -> bool {
    // Which lengths of the path the pattern so far can stand for.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        if part == "**" {
            let first = reach.iter().position(|it| *it).unwrap_or(path.len() + 1);
            next.iter_mut().skip(first).for_each(|it| *it = true);
        } else {
            for (at, name) in path.iter().enumerate() {
                next[at + 1] = reach[at] && part_fits(part, name);
            }
        }
        reach = next;
    }
    reach.last().copied().unwrap_or_default()
}

fn may_fit_below(pattern: &[String], folder: &[&str]) -> bool {
    for (at, name) in folder.iter().enumerate() {
        match pattern.get(at).map(String::as_str) {
            Some("**") => return true,
            Some(part) if part_fits(part, name) => {}
            _ => return false,
        }
    }
    pattern.len() > folder.len()
}

/// One part of a path, in time that grows with the product of the lengths.
fn part_fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            back = Some((p + 1, n));
            p += 1;
        } else if let Some(width) = pattern.get(p..).and_then(|rest| one_fits(rest, name[n])) {
            p += width;
            n += 1;
        } else if let Some((after, from)) = back {
            back = Some((after, from + 1));
            (p, n) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|it| *it == '*')
}

/// How much of the pattern stands for this letter.
fn one_fits(pattern: &[char], letter: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => {
            let Some(end) = pattern.iter().skip(2).position(|it| *it == ']').map(|at| at + 2) else {
                return (letter == '[').then_some(1);
            };
            let (inverted, class) = match pattern[1..end].split_first() {
                Some(('!' | '^', rest)) => (true, rest),
                _ => (false, &pattern[1..end]),
            };
            let mut found = false;
            let mut at = 0;
            while let Some(from) = class.get(at) {
                if let (Some('-'), Some(to)) = (class.get(at + 1), class.get(at + 2)) {
                    found |= (*from..=*to).contains(&letter);
                    at += 3;
                } else {
                    found |= *from == letter;
                    at += 1;
                }
            }
            (found != inverted).then_some(end + 1)
        }
        plain => (*plain == letter).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(text: &str) -> Globs {
        Globs::parse(text, &|path| match path.strip_prefix('/') {
            Some(rest) => rest.strip_prefix("w/").map(str::to_owned),
            None => Some(path.to_owned()),
        })
    }

    #[track_caller]
    fn check(text: &str, path: &str, expected: bool) {
        assert_eq!(globs(text).matches(path), expected, "{text} {path}");
    }

    #[test]
    fn patterns_find_reports() {
        check("target/junit/*.xml", "target/junit/a.xml", true);
        check("target/junit/*.xml", "target/junit/b/a.xml", false);
        check("**/TEST-*.xml", "a/b/TEST-x.xml", true);
        check("**/TEST-*.xml", "TEST-x.xml", true);
        check("**/*.xml\n!**/pom.xml", "a/pom.xml", false);
        check("a.xml, b.xml", "b.xml", true);
        check("r/{unit,e2e}-*.xml", "r/e2e-1.xml", true);
        check("my reports/*.xml", "my reports/a.xml", true);
        check("./r/x.xml", "r/x.xml", true);
        check("/w/r/x.xml", "r/x.xml", true);
        check("/etc/passwd", "etc/passwd", false);
        check("../../x.xml", "x.xml", true);
        check("[a-c]?.xml", "b1.xml", true);
        check("[!a-c]?.xml", "b1.xml", false);
        check("r/**", "r/a/b", true);
        check("", "a", false);
    }

    #[test]
    fn folders_that_cannot_hold_any_are_not_entered() {
        let set = globs("target/*/junit.xml");
        for (folder, expected) in [("", true), ("target", true), ("target/a", true), ("target/a/b", false), ("src", false)] {
            assert_eq!(set.enters(folder), expected, "{folder}");
        }
        assert!(globs("**/x.xml").enters("a/b/c"));
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_time() {
        let pattern = format!("{}b", "*a".repeat(60));
        check(&pattern, &"a".repeat(3000), false);
        let pattern = format!("{}x", "**/".repeat(60));
        check(&pattern, &"a/".repeat(60), false);
    }
}
