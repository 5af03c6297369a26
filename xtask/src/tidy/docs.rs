//! Whether the docs keep up: every command stands in the guide, every link leads somewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{Finding, sources::Sources};
use crate::workspace::Workspace;

/// Where the commands are listed, as the variants of one enum.
const COMMANDS: &str = "crates/landfall/src/cli/mod.rs";

pub fn commands(workspace: &Workspace, sources: &Sources) -> anyhow::Result<Vec<Finding>> {
    let mut guide = String::new();
    for page in pages(&workspace.root.join("docs/guide"))? {
        guide += &fs::read_to_string(page)?;
    }
    let source = sources.files.iter().find(|file| file.path == Path::new(COMMANDS)).context("no list of commands")?;
    let finding = |(line, command): &(usize, String)| {
        let message = format!("no page of the guide shows `landfall {command}`");
        Finding::new(COMMANDS, *line, message, "write in docs/guide what it is for, with an example")
    };
    let unnamed = |(_, command): &(usize, String)| !guide.contains(&format!("landfall {command}"));
    Ok(listed(&source.text).filter(unnamed).map(|it| finding(&it)).collect())
}

/// The commands that users see, with their lines: `ImageImport(…)` is `image-import`.
fn listed(source: &str) -> impl Iterator<Item = (usize, String)> {
    let lines = source.lines().enumerate().skip_while(|(_, line)| !line.contains("enum Command {")).skip(1);
    let lines = lines.take_while(|(_, line)| *line != "}");
    let mut hidden = false;
    lines.filter_map(move |(index, line)| {
        let line = line.trim();
        if line.starts_with("#[") {
            hidden |= line.contains("hide = true");
            return None;
        }
        let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
        (!name.is_empty() && !std::mem::take(&mut hidden)).then(|| (index + 1, kebab(&name)))
    })
}

fn kebab(name: &str) -> String {
    let mut word = String::new();
    for symbol in name.chars() {
        if symbol.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(symbol.to_ascii_lowercase());
    }
    word
}

pub fn links(workspace: &Workspace, _: &Sources) -> anyhow::Result<Vec<Finding>> {
    let mut pages = pages(&workspace.root.join("docs"))?;
    pages.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|page| workspace.root.join(page)));
    let mut findings = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read `{}`", page.display()))?;
        for (line, link) in targets(&text) {
            let there = page.parent().is_some_and(|folder| folder.join(link).exists());
            if !there {
                let message = format!("`{link}` leads nowhere");
                findings.push(Finding::new(workspace.relative(&page), line, message, "name a file that is there"));
            }
        }
    }
    Ok(findings)
}

/// The files that a page links to, without anchors and without the world outside.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let in_line = |(index, line)| {
        let line: &str = line;
        line.split("](").skip(1).filter_map(move |rest| Some((index + 1, rest.split_once(')')?.0)))
    };
    let links = text.lines().enumerate().flat_map(in_line);
    links.filter_map(|(line, link)| {
        let file = link.split('#').next().unwrap_or_default();
        (!file.is_empty() && !file.contains("://")).then_some((line, file))
    })
}

fn pages(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            pages.extend(self::pages(&path)?);
        } else if path.extension().is_some_and(|it| it == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_the_enum() {
        let source = "/// The commands.\nenum Command {\n    Up(up::UpArgs),\n    #[command(subcommand)]\n    ImageImport(i::Args),\n    #[command(hide = true)]\n    Secret(s::Args),\n    Ps,\n}\n";
        let found: Vec<_> = listed(source).collect();
        assert_eq!(found, [(3, "up".to_owned()), (5, "image-import".to_owned()), (8, "ps".to_owned())]);
    }

    #[test]
    fn only_links_to_files_count() {
        let text = "see [a](a.md#part) and [b](https://example.org)\n[c](#here) [d](../d.md)";
        assert_eq!(targets(text).collect::<Vec<_>>(), [(1, "a.md"), (2, "../d.md")]);
    }
}
