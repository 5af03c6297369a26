//! What code must not do: act in core, panic for input.

use super::{Finding, sources::Sources};
use crate::workspace::Workspace;

/// Words that mean acting: core takes a value and returns a plan.
const ACTS: [&str; 14] = [
    "tokio::",
    "async ",
    ".await;",
    ".await?",
    ".await.",
    "std::fs",
    "std::net",
    "std::env::var",
    "std::env::args",
    "std::process::",
    "Instant::now(",
    "SystemTime::now(",
    "thread::sleep",
    "getrandom",
];

pub fn acts_in_core(_: &Workspace, sources: &Sources) -> anyhow::Result<Vec<Finding>> {
    let cure = "take the value as an argument and return what shall be done";
    Ok(find(sources, "crates/core", &ACTS, cure))
}

pub fn unwraps(_: &Workspace, sources: &Sources) -> anyhow::Result<Vec<Finding>> {
    let cure = "return the error; `expect` only for an invariant that stands in the type's doc";
    Ok(find(sources, "crates", &[".unwrap()"], cure))
}

fn find(sources: &Sources, folder: &str, words: &[&str], cure: &'static str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in sources.below(folder) {
        for (line, code) in file.product_lines() {
            let found = words.iter().filter(|word| code.contains(**word));
            findings.extend(found.map(|word| Finding::new(&file.path, line, format!("`{word}`: {}", code.trim()), cure)));
        }
    }
    findings
}
