//! The Rust files of the workspace, and what can be said of each by itself.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::Finding;
use crate::workspace::Workspace;

/// Beyond this a file is two files.
const LINES_MAX: usize = 600;

/// Nine in ten files stay below this.
const LINES_USUAL: usize = 350;

/// Names that say nothing, so everything ends up there.
const JUNK_DRAWERS: [&str; 6] = ["util", "helper", "common", "misc", "types", "manager"];

/// Every Rust file of the workspace, by path below its root.
pub struct Sources {
    pub files: Vec<Source>,
}

pub struct Source {
    /// Below the workspace's root.
    pub path: PathBuf,
    pub text: String,
}

/// Who reads a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Product,
    Test,
}

impl Sources {
    pub fn read(workspace: &Workspace) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for folder in ["crates", "xtask"] {
            collect(&workspace.root.join(folder), workspace, &mut files)?;
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { files })
    }

    /// The files below `folder`.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Source> {
        self.files.iter().filter(move |file| file.path.starts_with(folder))
    }
}

fn collect(folder: &Path, workspace: &Workspace, files: &mut Vec<Source>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            // A crate that is built by itself has a target folder of its own.
            if !path.ends_with("target") {
                collect(&path, workspace, files)?;
            }
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            files.push(Source { path: workspace.relative(&path).to_owned(), text });
        }
    }
    Ok(())
}

impl Source {
    /// The lines that end up in the product, with their numbers and without comments.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = if self.role() == Role::Test { "" } else { self.text.as_str() };
        let mut test = false;
        let mut previous = "";
        lines.lines().enumerate().filter_map(move |(index, line)| {
            // Tests stand last in a file, in a module of their own.
            test |= previous == "#[cfg(test)]" && line.starts_with("mod ") && line.ends_with('{');
            previous = line.trim();
            let code = line.split("//").next().unwrap_or(line);
            (!test && !code.trim().is_empty()).then_some((index + 1, code))
        })
    }

    /// A file that belongs to tests as a whole says so by its place or its name.
    fn role(&self) -> Role {
        let stem = self.path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
        // Examples measure; nobody ships them.
        let in_tests = self.path.components().any(|it| it.as_os_str() == "tests" || it.as_os_str() == "examples");
        if in_tests || stem == "tests" || stem == "contract" || stem.ends_with("_tests") { Role::Test } else { Role::Product }
    }
}

pub fn openings(_: &Workspace, sources: &Sources) -> anyhow::Result<Vec<Finding>> {
    let bare = sources.files.iter().filter(|file| !file.text.starts_with("//!"));
    let cure = "open it with a `//!` sentence that says what it is for; if one will not do, the file is two";
    Ok(bare.map(|file| Finding::new(&file.path, 1, "no opening sentence", cure)).collect())
}

pub fn sizes(_: &Workspace, sources: &Sources) -> anyhow::Result<Vec<Finding>> {
    let cure = "find the `and` in its description and cut there";
    let finding = |file: &Source| {
        let lines = file.text.lines().count();
        let found = |limit| Finding::new(&file.path, None, format!("{lines} lines, more than {limit}"), cure);
        match file.role() {
            Role::Product if lines > LINES_MAX => Some(found(LINES_MAX)),
            Role::Product if lines > LINES_USUAL => Some(found(LINES_USUAL).warning()),
            // A list of cases may be long.
            Role::Test if lines > LINES_MAX => Some(found(LINES_MAX).warning()),
            Role::Product | Role::Test => None,
        }
    };
    Ok(sources.files.iter().filter_map(finding).collect())
}

pub fn names(_: &Workspace, sources: &Sources) -> anyhow::Result<Vec<Finding>> {
    let is_junk = |file: &&Source| {
        let stem = file.path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
        JUNK_DRAWERS.iter().any(|junk| stem.split('_').any(|word| word == *junk || word.strip_suffix('s') == Some(junk)))
    };
    let cure = "name the idea that the file holds; if there is none, move its parts to where they are used";
    Ok(sources.files.iter().filter(is_junk).map(|file| Finding::new(&file.path, None, "a name for a junk drawer", cure)).collect())
}

pub fn open_ends(_: &Workspace, sources: &Sources) -> anyhow::Result<Vec<Finding>> {
    // Written in two parts, so that this file does not find itself.
    const MARK: &str = concat!("TO", "DO");
    let mut findings = Vec::new();
    for file in &sources.files {
        for (index, line) in file.text.lines().enumerate() {
            if line.contains(MARK) && !line.contains(concat!("TO", "DO(#")) {
                let cure = "do it, or name the issue as in `(#12)` right behind the word";
                findings.push(Finding::new(&file.path, index + 1, format!("a {MARK} without an issue"), cure));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_comments_are_no_product() {
        let text = "//! Opening.\nfn a() {} // b\n\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
        check("src/a.rs", text, &[(2, "fn a() {} "), (4, "#[cfg(test)]")]);
        check("tests/it/a.rs", text, &[]);
        check("src/plan_tests.rs", text, &[]);
    }

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[(usize, &str)]) {
        let source = Source { path: path.into(), text: text.to_owned() };
        assert_eq!(source.product_lines().collect::<Vec<_>>(), expected);
    }
}
