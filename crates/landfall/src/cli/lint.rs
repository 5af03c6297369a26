//! `landfall lint`

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::Context as _;
use lint::{FileKind, Tree};
use serde_json::{Value, json};
use yaml::{Diagnostic, Severity};

use super::{
    exit,
    output::print_json,
};

/// Longer files are data and nobody's configuration.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// More files than any repository that is read by people; a home folder has more.
const FILES_MAX: usize = 100_000;

/// Folders that hold what others wrote.
const FOREIGN: [&str; 4] = [".git", "node_modules", "target", "vendor"];

/// Find what is wrong before it runs
///
/// Reads workflows, Dockerfiles and Kubernetes manifests of a repository, each
/// for itself and together: an image that is pushed but never built, a manifest
/// that is applied but not there. Needs no server. With `--fix` every repair that
/// is certain is written to the files. The exit code is 1 if errors or warnings remain.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall lint --fix")]
pub struct LintArgs {
    /// The repository, or one file of it
    #[arg(default_value = ".")]
    path: PathBuf,

    /// Write every repair that is certain
    #[arg(long)]
    fix: bool,

    /// How to print the findings
    #[arg(long, short = 'o', value_enum, default_value_t)]
    output: Format,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
enum Format {
    /// With the lines they are about, for people
    #[default]
    #[value(alias = "table")]
    Text,
    /// JSON; fields are only ever added
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

pub fn lint(args: LintArgs) -> anyhow::Result<ExitCode> {
    if !args.path.exists() {
        eprintln!("error: there is no `{}`", args.path.display());
        return Ok(ExitCode::from(exit::NOT_FOUND));
    }
    let (root, only) = place(&args.path)?;
    let tree = read(&root)?;
    let actions = &ci::native_actions();
    let mut report = if args.fix {
        let fixed = lint::fix(tree, actions);
        for (file, text) in &fixed.changed {
            let wanted = only.as_ref().is_none_or(|it| it == file);
            if wanted {
                fs::write(root.join(file), text).with_context(|| format!("`{file}` cannot be written"))?;
            }
        }
        Report { left: fixed.left, repaired: fixed.repaired, tree: fixed.tree }
    } else {
        Report { left: lint::check(&tree, actions), repaired: Vec::new(), tree }
    };
    if let Some(only) = &only {
        report.left.retain(|it| it.file == *only);
        report.repaired.retain(|it| it.file == *only);
    }
    match args.output {
        Format::Json => print_json(&report.to_json())?,
        Format::Sarif => print_json(&lint::sarif(&report.left, &report.tree))?,
        Format::Text => report.print(),
    }
    let counts = report.left.iter().any(|it| it.severity != Severity::Note);
    Ok(ExitCode::from(if counts { exit::FAILED } else { exit::OK }))
}

struct Report {
    left: Vec<Diagnostic>,
    repaired: Vec<Diagnostic>,
    tree: Tree,
}

impl Report {
    fn print(&self) {
        for found in &self.left {
            println!("{}\n", found.render(self.tree.text(&found.file).unwrap_or_default()));
        }
        for found in &self.repaired {
            println!("fixed {}:{}:{} [{}] {}", found.file, found.span.line, found.span.column, found.code, found.message);
        }
        println!("{}", self.summary());
    }

    fn summary(&self) -> String {
        let count = |severity| self.left.iter().filter(|it| it.severity == severity).count();
        let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
        let several = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        if self.left.is_empty() {
            return match self.repaired.len() {
                0 => "nothing is wrong".to_owned(),
                repaired => format!("{} fixed, nothing is left", several(repaired, "finding")),
            };
        }
        let fixable = self.left.iter().filter(|it| !it.fixes.is_empty()).count();
        let help = if fixable > 0 { format!("; `landfall lint --fix` repairs {fixable}") } else { String::new() };
        let notes = if notes > 0 { format!(", {}", several(notes, "note")) } else { String::new() };
        format!("{}, {}{notes}{help}", several(errors, "error"), several(warnings, "warning"))
    }

    fn to_json(&self) -> Value {
        json!({
            "apiVersion": "landfall/v1",
            "items": self.left.iter().map(finding).collect::<Vec<_>>(),
            "fixed": self.repaired.iter().map(finding).collect::<Vec<_>>(),
        })
    }
}

fn finding(found: &Diagnostic) -> Value {
    json!({
        "file": found.file,
        "line": found.span.line,
        "column": found.span.column,
        "start_bytes": found.span.start,
        "end_bytes": found.span.end,
        "severity": found.severity.name(),
        "code": found.code,
        "message": found.message,
        "label": found.label,
        "help": found.help,
        "fixable": !found.fixes.is_empty(),
    })
}

/// The folder to read, and the one file of it that is asked for.
fn place(path: &Path) -> anyhow::Result<(PathBuf, Option<String>)> {
    if path.is_dir() {
        return Ok((path.to_path_buf(), None));
    }
    let path = path.canonicalize()?;
    let folder = path.parent().context("a file lies in a folder")?;
    let marked = |it: &&Path| it.join(".git").exists() || it.join(".github").exists();
    let root = folder.ancestors().find(marked).unwrap_or(folder);
    let inner = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
    Ok((root.to_path_buf(), Some(inner)))
}

/// The files that a push would bring, with the texts of those that are looked into.
fn read(root: &Path) -> anyhow::Result<Tree> {
    let paths = paths(root)?;
    let mut tree = Tree::default();
    for path in paths {
        let full = root.join(&path);
        let Ok(file) = fs::symlink_metadata(&full) else { continue };
        let text = if FileKind::of(&path).is_read() && file.is_file() && file.len() <= FILE_BYTES_MAX {
            let bytes = fs::read(&full).with_context(|| format!("`{path}` cannot be read"))?;
            String::from_utf8(bytes).ok()
        } else {
            None
        };
        tree.add(path, text);
    }
    Ok(tree)
}

/// The files that a push would bring.
pub fn paths(root: &Path) -> anyhow::Result<Vec<String>> {
    match tracked(root) {
        Some(paths) => Ok(paths),
        None => walk(root).with_context(|| format!("`{}` cannot be read", root.display())),
    }
}

/// What git knows or would add; `None` outside of a repository.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.split('\0').filter(|it| !it.is_empty()).map(str::to_owned).collect())
}

fn walk(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders: BTreeMap<PathBuf, String> = BTreeMap::from([(root.to_path_buf(), String::new())]);
    while let Some((folder, inner)) = folders.pop_first() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if inner.is_empty() { name.clone() } else { format!("{inner}/{name}") };
            if !entry.file_type()?.is_dir() {
                found.push(path);
            } else if !FOREIGN.contains(&name.as_str()) {
                folders.insert(entry.path(), path);
            }
            if found.len() > FILES_MAX {
                return Err(io::Error::other(format!("more than {FILES_MAX} files; name the folder of a repository")));
            }
        }
    }
    Ok(found)
}
