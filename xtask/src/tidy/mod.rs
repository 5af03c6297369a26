//! `cargo xtask tidy`
//!
//! The rules of the house that a program can check. Each check is a function from
//! the workspace to findings; a finding names the place, what is wrong and the cure.

mod dependencies;
mod docs;
mod layers;
mod licences;
mod purity;
mod sources;

use std::{fmt, path::PathBuf, process::ExitCode};

use self::sources::Sources;
use crate::{test::Verdict, workspace::Workspace};

/// Check the rules of the house: layers, files, dependencies, licences, docs
#[derive(clap::Args, Debug)]
pub struct TidyArgs {
    /// Show warnings too, not only their number
    #[arg(long)]
    warnings: bool,
}

/// A place where a rule is broken.
pub struct Finding {
    file: PathBuf,
    /// Counted from one; `None` when it is about the whole file.
    line: Option<usize>,
    message: String,
    cure: &'static str,
    weight: Weight,
}

/// Whether a finding fails the check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Warning,
    Error,
}

/// A rule: its name, and what finds where it is broken.
type Check = (&'static str, fn(&Workspace, &Sources) -> anyhow::Result<Vec<Finding>>);

const CHECKS: [Check; 12] = [
    ("layers", layers::imports),
    ("one crate for each heavy dependency", layers::homes),
    ("core decides and does not act", purity::acts_in_core),
    ("no panic for input", purity::unwraps),
    ("opening sentences", sources::openings),
    ("file sizes", sources::sizes),
    ("file names", sources::names),
    ("open ends", sources::open_ends),
    ("banned crates and budget", dependencies::budget),
    ("licences", licences::allowed),
    ("guide names every command", docs::commands),
    ("links in the docs", docs::links),
];

pub fn run(args: &TidyArgs) -> anyhow::Result<ExitCode> {
    let shown = if args.warnings { Shown::Everything } else { Shown::Errors };
    let verdict = verdict(&Workspace::load()?, shown)?;
    println!("{} of {} checks passed", verdict.passed, CHECKS.len());
    Ok(if verdict.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Which findings are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Errors,
    Everything,
}

/// Runs every check, prints what it finds, and counts each check as one test.
pub fn verdict(workspace: &Workspace, shown: Shown) -> anyhow::Result<Verdict> {
    let sources = Sources::read(workspace)?;
    let mut verdict = Verdict::default();
    for (name, check) in CHECKS {
        let findings = check(workspace, &sources)?;
        let is_shown = |it: &&Finding| it.weight == Weight::Error || shown == Shown::Everything;
        findings.iter().filter(is_shown).for_each(|finding| println!("{finding}"));
        let warnings = findings.iter().filter(|it| it.weight == Weight::Warning).count();
        if warnings > 0 && shown == Shown::Errors {
            println!("{name}: {warnings} warnings; `cargo xtask tidy --warnings` shows them");
        }
        if findings.iter().any(|it| it.weight == Weight::Error) {
            verdict.failed.push(name.to_owned());
        } else {
            verdict.passed += 1;
        }
    }
    Ok(verdict)
}

impl Finding {
    fn new(file: impl Into<PathBuf>, line: impl Into<Option<usize>>, message: impl Into<String>, cure: &'static str) -> Self {
        Self { file: file.into(), line: line.into(), message: message.into(), cure, weight: Weight::Error }
    }

    fn warning(self) -> Self {
        Self { weight: Weight::Warning, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Warning => "warning",
            Weight::Error => "error",
        };
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {weight}: {}\n  cure: {}", self.message, self.cure)
    }
}
