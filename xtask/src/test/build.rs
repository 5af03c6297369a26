//! Builds the test binaries of the workspace, in one cargo invocation.

use std::{
    path::PathBuf,
    process::Stdio,
};
use std::io::IsTerminal as _;

use anyhow::Context as _;
use serde::Deserialize;

use crate::{
    program,
    workspace::{Layer, Workspace},
};

/// A program with tests in it.
#[derive(Debug)]
pub struct Binary {
    /// The package it tests.
    pub package: String,
    /// The target inside the package, e.g. `lib` or `tests/it`.
    pub target: String,
    pub layer: Layer,
    pub file: PathBuf,
    /// Tests start in the folder of their package.
    pub folder: PathBuf,
}

/// The test binaries that could be built, and whether all could.
pub struct Built {
    pub binaries: Vec<Binary>,
    pub complete: bool,
}

/// One line of cargo's messages, as far as it is needed.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    success: Option<bool>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds the tests of all packages, or of one.
pub fn build(workspace: &Workspace, only: Option<&str>) -> anyhow::Result<Built> {
    let mut command = program::cargo();
    command.args(["test", "--locked", "--no-run", "--no-fail-fast", "--message-format=json-render-diagnostics"]);
    if !std::io::stderr().is_terminal() {
        // Four hundred lines `Compiling …` help nobody who reads a log.
        command.arg("--quiet");
    }
    match only {
        Some(package) => command.args(["--package", package]),
        None => command.arg("--workspace"),
    };
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<Message> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let complete = output.status.success()
        && messages.iter().any(|it| it.reason == "build-finished" && it.success == Some(true));
    let mut binaries: Vec<_> = messages.into_iter().filter_map(|message| binary(workspace, message)).collect();
    // Cheap first, so that a plain mistake shows early; the programs' tests are the slow ones.
    binaries.sort_by_key(|it| (rank(it.layer), it.package.clone(), it.target.clone()));
    Ok(Built { binaries, complete })
}

fn binary(workspace: &Workspace, message: Message) -> Option<Binary> {
    let (target, profile) = (message.target?, message.profile?);
    if message.reason != "compiler-artifact" || !profile.test {
        return None;
    }
    let manifest = message.manifest_path?;
    let folder = manifest.parent()?.to_owned();
    let package = workspace.members().find(|it| it.manifest_path == manifest)?;
    let target = match target.kind.first().map(String::as_str) {
        Some("test") => format!("tests/{}", target.name),
        Some("bin") => format!("bin {}", target.name),
        Some(kind) => kind.to_owned(),
        None => target.name,
    };
    let layer = workspace.layer(package);
    Some(Binary { package: package.name.clone(), target, layer, file: message.executable?, folder })
}

fn rank(layer: Layer) -> u8 {
    match layer {
        Layer::Core => 0,
        Layer::Port => 1,
        Layer::Service => 2,
        Layer::Program => 3,
    }
}
