//! A server of its own in a temporary folder, for one measurement.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::{Deserialize, de::DeserializeOwned};
use tempfile::TempDir;

use crate::program;

/// A server that runs, and is gone with everything when this is dropped.
pub struct Installation<'a> {
    program: &'a Path,
    folder: TempDir,
    pub status: Status,
}

/// What `landfall status --output json` says.
#[derive(Debug, Deserialize)]
pub struct Status {
    pub pid: u32,
    pub git_url: String,
    /// Of the embedded cluster; empty where there is none.
    #[serde(default, deserialize_with = "text_or_none")]
    pub kubeconfig: String,
}

fn text_or_none<'de, D: serde::Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

impl<'a> Installation<'a> {
    /// Starts it; also tells how long that took, from the command to its return.
    pub fn start(program: &'a Path) -> anyhow::Result<(Self, Duration)> {
        Self::start_with(program, &[])
    }

    /// The same as a node of an existing cluster.
    pub fn join(program: &'a Path, kubeconfig: &Path) -> anyhow::Result<Self> {
        let file = kubeconfig.to_str().context("an odd folder")?;
        let (mut installation, _) = Self::start_with(program, &["--kubeconfig", file, "--node", "landfall"])?;
        installation.status.kubeconfig = file.to_owned();
        Ok(installation)
    }

    fn start_with(program: &'a Path, more: &[&str]) -> anyhow::Result<(Self, Duration)> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let status = Status { pid: 0, git_url: String::new(), kubeconfig: String::new() };
        let mut installation = Self { program, folder, status };
        let took = installation.up_with(more)?;
        Ok((installation, took))
    }

    /// Starts the server, which must not run.
    pub fn up(&mut self) -> anyhow::Result<Duration> {
        self.up_with(&[])
    }

    fn up_with(&mut self, more: &[&str]) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.run(&[&["up", "--detach"], more].concat())?;
        let took = began.elapsed();
        self.status = self.json(&["status"])?;
        Ok(took)
    }

    pub fn down(&self) -> anyhow::Result<()> {
        self.run(&["down"]).map(drop)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one of Landfall's commands; gives what it prints.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        program::output(self.command().args(arguments))
    }

    /// The same with `--output json`, read.
    pub fn json<T: DeserializeOwned>(&self, arguments: &[&str]) -> anyhow::Result<T> {
        let text = program::output(self.command().args(arguments).args(["--output", "json"]))?;
        serde_json::from_str(&text).with_context(|| format!("`landfall {}` prints no JSON", arguments.join(" ")))
    }

    pub fn kubectl(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", &self.status.kubeconfig);
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        // Dropped files must not be looked for in the folder of the person who measures.
        command.arg("--data").arg(self.folder.path().join("data")).env_remove("LANDFALL_DATA");
        command
    }
}

impl Drop for Installation<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["down", "--purge", "--yes"]) {
            eprintln!("warning: a server was left behind: {error:#}");
        }
    }
}
