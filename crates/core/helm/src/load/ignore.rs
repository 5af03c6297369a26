//! `.helmignore`: which files of a chart folder are left out.

use files::FileKind;

use super::glob::{is_valid_path_pattern, path_matches};

pub(crate) const FILE_NAME: &str = ".helmignore";

/// Why a .helmignore file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    #[error("syntax error in pattern")]
    Pattern,
}

/// The rules of one file, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    shape: Shape,
    negated: bool,
    only_folders: bool,
    scope: Scope,
}

/// What a pattern needs to be matched: most are a name or an ending.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Literal,
    /// `*` and what a name ends with.
    Ending,
    Other,
}

impl Shape {
    fn of(pattern: &str) -> Self {
        let is_plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
        match pattern.strip_prefix('*') {
            None if is_plain(pattern) => Self::Literal,
            Some(ending) if is_plain(ending) => Self::Ending,
            _ => Self::Other,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Scope {
    /// The whole path must match.
    Path,
    /// The last part must match.
    Name,
}

impl Rules {
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let mut rules = Self::default();
        for line in text.lines() {
            rules.add(line)?;
        }
        Ok(rules)
    }

    /// Hidden files directly in templates/ are never templates.
    pub fn add_defaults(&mut self) {
        self.add("templates/.?*").expect("a constant pattern");
    }

    fn add(&mut self, line: &str) -> Result<(), IgnoreError> {
        let raw = line.trim();
        if raw.is_empty() || raw.starts_with('#') {
            return Ok(());
        }
        if raw.contains("**") {
            return Err(IgnoreError::DoubleStar);
        }
        if !is_valid_path_pattern(raw) {
            return Err(IgnoreError::Pattern);
        }
        let (negated, rule) = match raw.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, raw),
        };
        let (only_folders, rule) = match rule.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        let (scope, rule) = match rule.strip_prefix('/') {
            Some(rest) => (Scope::Path, rest),
            None if rule.contains('/') => (Scope::Path, rule),
            None => (Scope::Name, rule),
        };
        self.rules.push(Rule {
            pattern: rule.to_owned(),
            shape: Shape::of(rule),
            negated,
            only_folders,
            scope,
        });
        Ok(())
    }

    /// Whether the file or folder at `path` is left out. A negated rule leaves out all that it does not match.
    pub fn ignores(&self, path: &str, kind: FileKind) -> bool {
        let is_folder = kind == FileKind::Folder;
        let name = files::file_name(path);
        for rule in &self.rules {
            if !rule.negated && rule.only_folders && !is_folder {
                continue;
            }
            let matched = match (rule.scope, rule.shape) {
                (Scope::Path, Shape::Literal) => path == rule.pattern,
                (Scope::Name, Shape::Literal) => name == rule.pattern,
                (Scope::Name, Shape::Ending) => name.as_bytes().ends_with(&rule.pattern.as_bytes()[1..]),
                (Scope::Path, Shape::Ending | Shape::Other) => path_matches(&rule.pattern, path),
                (Scope::Name, Shape::Other) => path_matches(&rule.pattern, name),
            };
            if rule.negated {
                if rule.only_folders && !is_folder || !matched {
                    return true;
                }
                continue;
            }
            if matched && (is_folder || !rule.only_folders) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_apply_in_order() {
        let check = |rules: &str, path: &str, kind: FileKind, expected: bool| {
            let mut rules = Rules::parse(rules).expect("valid");
            rules.add_defaults();
            assert_eq!(rules.ignores(path, kind), expected, "{path}");
        };
        check("*.txt\n", "a/b.txt", FileKind::File, true);
        check("/b.txt\n", "a/b.txt", FileKind::File, false);
        check("a/*.txt\n", "a/b.txt", FileKind::File, true);
        check("docs/\n", "docs", FileKind::Folder, true);
        check("docs/\n", "docs", FileKind::File, false);
        check("# docs\n", "docs", FileKind::File, false);
        check("!keep\n", "other", FileKind::File, true);
        check("!keep\n", "keep", FileKind::File, false);
        check("", "templates/.hidden", FileKind::File, true);
        check("", "templates/a/.hidden", FileKind::File, false);
        check("", ".hidden", FileKind::File, false);
    }

    #[test]
    fn patterns_that_go_refuses_are_refused() {
        assert_eq!(Rules::parse("a/**/b").err(), Some(IgnoreError::DoubleStar));
        assert_eq!(Rules::parse("[a").err(), Some(IgnoreError::Pattern));
    }
}
