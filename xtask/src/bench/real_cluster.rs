//! A real Kubernetes for measurements: its control plane, and what it uses.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, ensure};

use super::memory;
use crate::{program, test::real_cluster, workspace::Workspace};

/// A control plane that runs; it ends when this is dropped.
pub struct RealCluster {
    child: Child,
    /// Its end is the sign to stop.
    input: Option<ChildStdin>,
    pub kubeconfig: PathBuf,
}

impl RealCluster {
    pub fn start() -> anyhow::Result<Self> {
        let workspace = Workspace::load()?;
        let go = workspace.target.join("tools/go/bin/go");
        ensure!(go.is_file(), "the Go toolchain is not there; `cargo xtask test --real-cluster --only tidy` fetches it");
        let control_plane = real_cluster::provide(&workspace, &go)?;
        let status = program::cargo().args(["build", "--locked", "--package", "landfall", "--example", "real_cluster"]).status()?;
        ensure!(status.success(), "the build ended with {status}");
        let starter = workspace.target.join("debug/examples/real_cluster");
        let mut command = Command::new(&starter);
        command.env(real_cluster::VARIABLE, control_plane).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", starter.display()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("it has an output")?;
        let mut cluster = Self { child, input, kubeconfig: PathBuf::new() };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        cluster.kubeconfig = PathBuf::from(line.trim());
        ensure!(cluster.kubeconfig.is_file(), "the control plane did not start");
        Ok(cluster)
    }

    /// The memory of etcd, API server, controllers and scheduler in megabytes.
    pub fn memory(&self) -> anyhow::Result<f64> {
        children(self.child.id()).into_iter().map(memory::of).sum()
    }

    /// The requests that the API server has answered so far.
    pub fn requests(&self) -> anyhow::Result<f64> {
        let text = program::output(self.kubectl().args(["get", "--raw", "/metrics"]))?;
        let counts = text.lines().filter(|line| line.starts_with("apiserver_request_total{"));
        Ok(counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
    }

    fn kubectl(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", &self.kubeconfig).env("NO_PROXY", "*");
        command
    }
}

impl Drop for RealCluster {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(error) = self.child.wait() {
            eprintln!("warning: a control plane was left behind: {error}");
        }
    }
}

/// The processes that one has started.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        fields.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    pids.filter(is_child).collect()
}
