//! The original: `kubectl kustomize`, run on trees laid out in a folder.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::case::Case;

pub const TOOL: &str = "kubectl-1.37";

/// What the original says: its text, or its complaint.
pub type Verdict = Result<String, String>;

/// Where the tools of the referees lie.
pub fn tool() -> PathBuf {
    let folder = std::env::var_os("LANDFALL_TOOLS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/tools/bin"),
        PathBuf::from,
    );
    let path = folder.join(TOOL);
    assert!(
        path.exists(),
        "the referee {TOOL} is missing: {} (set LANDFALL_TOOLS)",
        path.display()
    );
    path
}

/// Asks the original about one tree.
pub fn ask(case: &Case, scratch: &Path) -> Verdict {
    let root = scratch.join("tree");
    case.lay_out(&root);
    let output = Command::new(tool())
        .arg("kustomize")
        .arg(root.join(&case.folder))
        .env("HOME", scratch)
        .output()
        .expect("the referee starts");
    std::fs::remove_dir_all(&root).expect("scratch is ours");
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).expect("text"));
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(text
        .replace(&root.display().to_string(), "")
        .lines()
        .filter(|it| !it.starts_with("# Warning"))
        .collect::<Vec<_>>()
        .join("\n"))
}
