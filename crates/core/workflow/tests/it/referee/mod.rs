//! Comparisons with GitHub's own implementation: its npm packages, run by node.
//!
//! `cargo xtask test` installs them in `target/npm`; `LANDFALL_NPM` names another
//! folder with `node_modules`. What is compared is made anew in every run; the
//! printed seed in `LANDFALL_SEED` makes the same again.

mod dice;
mod expressions;
mod files;
mod generate;

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

/// How much of a fresh seed may differ: what nobody saw before is told and mended, and stops
/// nobody's work. A seed that was asked for must agree whole.
fn allowed(count: usize) -> usize {
    if std::env::var_os("LANDFALL_SEED").is_some() { 0 } else { count / 200 }
}

/// How many cases are made; `LANDFALL_CASES` asks for another number.
fn cases(usual: usize) -> usize {
    let given = std::env::var("LANDFALL_CASES").ok();
    given.and_then(|it| it.parse().ok()).unwrap_or(usual)
}

/// Runs `script` on `input` and gives what it prints.
fn ask(name: &str, script: &str, input: &Value) -> Value {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target/npm");
    let folder = std::env::var_os("LANDFALL_NPM").map_or(target, PathBuf::from);
    let package = folder.join("node_modules/@actions/workflow-parser");
    assert!(
        package.is_dir(),
        "no `{}`: `cargo xtask test` installs it, `LANDFALL_NPM` names another folder",
        package.display()
    );
    let path = folder.join(format!("{name}-{}.mjs", std::process::id()));
    fs::write(&path, script).expect("the script is written");
    let mut node = Command::new("node")
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    node.stdin
        .take()
        .expect("a pipe")
        .write_all(input.to_string().as_bytes())
        .expect("node reads");
    let output = node.wait_with_output().expect("node ends");
    fs::remove_file(&path).expect("the script goes");
    serde_json::from_slice(&output.stdout).expect("node prints JSON")
}
