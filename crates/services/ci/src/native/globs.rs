//! Finds files by patterns, as the glob library of actions does: `*`, `?`, `**`, `[…]`, `!` and `~`.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use super::step::Step;

/// A search that finds more files is a mistake.
const FILES_MAX: usize = 1_000_000;

/// What a search gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descend {
    /// A folder that matches stands for all its files.
    Files,
    /// A folder that matches is given itself.
    Folders,
}

/// One pattern.
#[derive(Debug)]
struct Pattern {
    excludes: bool,
    parts: Vec<String>,
}

/// What was found, and where the patterns began to search.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub paths: Vec<PathBuf>,
    pub roots: Vec<PathBuf>,
}

/// Finds what the lines match; later lines may take away what earlier ones found.
pub fn find(step: &Step, lines: &[&str], descend: Descend) -> io::Result<Found> {
    let patterns: Vec<Pattern> = lines.iter().filter_map(|line| parse(step, line)).collect();
    let mut found = Found::default();
    for pattern in patterns.iter().filter(|it| !it.excludes) {
        let root = root_of(pattern);
        if found.roots.iter().any(|known| root.starts_with(known)) {
            continue;
        }
        found.roots.retain(|known| !known.starts_with(&root));
        found.roots.push(root);
    }
    let mut search = Search { patterns: &patterns, descend, paths: Vec::new() };
    for root in &found.roots {
        if root.symlink_metadata().is_ok() {
            search.visit(root, false)?;
        }
    }
    found.paths = search.paths;
    Ok(found)
}

/// Whether a name fits a pattern without slashes; `{a,b}` and a leading `!` are understood.
pub fn matches(pattern: &str, name: &str) -> bool {
    if let Some(inverted) = pattern.strip_prefix('!') {
        return !matches(inverted, name);
    }
    if let (Some(open), Some(close)) = (pattern.find('{'), pattern.find('}'))
        && open < close
    {
        let (head, tail) = (&pattern[..open], &pattern[close + 1..]);
        return pattern[open + 1..close].split(',').any(|middle| matches(&format!("{head}{middle}{tail}"), name));
    }
    let pattern = pattern.replace("**", "*");
    part_fits(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
}

fn parse(step: &Step, line: &str) -> Option<Pattern> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (excludes, text) = match line.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, line),
    };
    let path = step.path(text);
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir => drop(parts.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(Pattern { excludes, parts })
}

/// The longest folder without a wildcard.
fn root_of(pattern: &Pattern) -> PathBuf {
    let plain = pattern.parts.iter().take_while(|part| !part.contains(['*', '?', '[']));
    plain.fold(PathBuf::from("/"), |path, part| path.join(part))
}

struct Search<'a> {
    patterns: &'a [Pattern],
    descend: Descend,
    paths: Vec<PathBuf>,
}

impl Search<'_> {
    fn visit(&mut self, path: &Path, inherited: bool) -> io::Result<()> {
        if self.paths.len() > FILES_MAX {
            return Err(io::Error::other(format!("more than {FILES_MAX} files match")));
        }
        let matches = self.matches(path, inherited);
        // What was planted as a link to a folder is followed, as GitHub does.
        let is_folder = path.metadata().is_ok_and(|it| it.is_dir());
        match (matches, is_folder, self.descend) {
            (true, false, _) => self.paths.push(path.to_owned()),
            (true, true, Descend::Folders) => return Ok(self.paths.push(path.to_owned())),
            _ => {}
        }
        if !is_folder {
            return Ok(());
        }
        let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            self.visit(&entry.path(), matches)?;
        }
        Ok(())
    }

    /// The last pattern that says something decides.
    fn matches(&self, path: &Path, inherited: bool) -> bool {
        let names = path.components().filter_map(|it| match it {
            Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            Component::RootDir | Component::CurDir | Component::ParentDir | Component::Prefix(_) => None,
        });
        let parts: Vec<String> = names.collect();
        let mut matched = false;
        for pattern in self.patterns {
            if pattern.excludes {
                // Whatever lies in an excluded folder is excluded.
                matched &= !(1..=parts.len()).any(|end| fits(&pattern.parts, &parts[..end]));
            } else {
                matched |= fits(&pattern.parts, &parts);
                matched |= self.descend == Descend::Files && inherited && (1..parts.len()).any(|end| fits(&pattern.parts, &parts[..end]));
            }
        }
        matched
    }
}

fn fits(pattern: &[String], path: &[String]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == "**" => (0..=path.len()).any(|skip| fits(rest, &path[skip..])),
        Some((first, rest)) => match path.split_first() {
            Some((name, below)) => part_fits(&first.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>()) && fits(rest, below),
            None => false,
        },
    }
}

/// One part of a path; names that begin with a dot are matched like others.
fn part_fits(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|skip| part_fits(rest, &name[skip..])),
        Some(('?', rest)) => !name.is_empty() && part_fits(rest, &name[1..]),
        Some(('[', rest)) => match (rest.iter().position(|c| *c == ']').filter(|at| *at > 0), name.split_first()) {
            (Some(end), Some((first, below))) => {
                class_fits(&rest[..end], *first) && part_fits(&rest[end + 1..], below)
            }
            (Some(_), None) => false,
            (None, _) => name.first() == Some(&'[') && part_fits(rest, &name[1..]),
        },
        Some((plain, rest)) => name.first() == Some(plain) && part_fits(rest, &name[1..]),
    }
}

fn class_fits(class: &[char], c: char) -> bool {
    let (inverted, class) = match class.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut at = 0;
    let mut found = false;
    while let Some(from) = class.get(at) {
        match (class.get(at + 1), class.get(at + 2)) {
            (Some('-'), Some(to)) => {
                found |= (*from..=*to).contains(&c);
                at += 3;
            }
            _ => {
                found |= *from == c;
                at += 1;
            }
        }
    }
    found != inverted
}

#[cfg(test)]
mod tests {
    use super::{super::step::Phase, *};

    #[track_caller]
    fn check(patterns: &[&str], descend: Descend, expected: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        for file in ["a/x.txt", "a/b/y.txt", "a/b/z.log", "c.txt"] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, file).expect("write");
        }
        let step = Step::of(Phase::Main, &[("GITHUB_WORKSPACE", root.to_str().expect("text")), ("HOME", "/nowhere")]);
        let found = find(&step, patterns, descend).expect("a search");
        let told = found.paths.iter().map(|it| it.strip_prefix(&root).expect("below").display().to_string());
        assert_eq!(told.collect::<Vec<_>>().join(" "), expected, "{patterns:?}");
    }

    #[test]
    fn patterns_find_what_github_finds() {
        check(&["a"], Descend::Files, "a/b/y.txt a/b/z.log a/x.txt");
        check(&["a"], Descend::Folders, "a");
        check(&["**/*.txt"], Descend::Files, "a/b/y.txt a/x.txt c.txt");
        check(&["a", "!a/b"], Descend::Files, "a/x.txt");
        check(&["a/**", "!**/*.log"], Descend::Files, "a/b/y.txt a/x.txt");
        check(&["[a-c].txt"], Descend::Files, "c.txt");
        check(&["./none"], Descend::Files, "");
    }
}
