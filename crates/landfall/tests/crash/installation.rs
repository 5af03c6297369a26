//! One installation on a folder of its own, and ways to kill it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What must come within this time or never comes; a run takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the spawner calls itself.
const SPAWNER: &[u8] = b"landfall-spawner";

/// Who dies at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victims {
    Server,
    ServerAndSpawner,
}

/// What must be the same for a pod that nobody touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    container: String,
    restarts: u64,
    ready: bool,
}

/// A server that this test owns; everything of it goes when this is dropped.
pub struct Installation {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Installation {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let installation = Self { folder, runtime };
        installation.up();
        installation
    }

    /// A folder for what the test needs besides.
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.place("data")
    }

    /// Runs a command of Landfall, whatever comes of it.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.arg("--data").arg(self.data()).args(arguments).stdin(Stdio::null());
        command.output().expect("landfall starts")
    }

    pub fn up(&self) {
        let output = self.run(&["up", "--detach"]);
        assert!(output.status.success(), "the server does not start: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn status(&self) -> Value {
        json(&self.run(&["status", "--output", "json"]))
    }

    /// Ends the server at once, and the spawner with it if it is a victim, too.
    pub fn kill(&self, victims: Victims) {
        let server = self.status()["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        let spawner = match victims {
            Victims::Server => None,
            Victims::ServerAndSpawner => Some(self.spawner().expect("a spawner runs")),
        };
        for pid in server.into_iter().chain(spawner) {
            let pid = Pid::from_raw(pid).expect("a process id");
            kill_process(pid, Signal::KILL).expect("the process is ours");
        }
        // Its threads end one by one, and until the last one is gone it holds the data folder.
        wait_for("the killed server to end", || self.status()["state"] == "stopped");
    }

    /// The process that keeps this installation's sandboxes.
    fn spawner(&self) -> Option<i32> {
        let state = self.data().join("sandboxes").canonicalize().ok()?;
        let state = state.to_str()?.as_bytes().to_vec();
        fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let mut words = line.split(|byte| *byte == 0);
            (words.next()? == SPAWNER && words.next()? == state).then_some(pid)
        })
    }

    /// The pods that no commit touches, by name.
    pub fn anchor_pods(&self) -> BTreeMap<String, Pod> {
        let list = self.cluster("/api/v1/namespaces/crash/pods?labelSelector=app%3Danchor");
        let pods = list["items"].as_array().expect("pods").iter().map(|pod| {
            let status = &pod["status"]["containerStatuses"][0];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let told = Pod {
                container: text(&status["containerID"]),
                restarts: status["restartCount"].as_u64().unwrap_or_default(),
                ready: status["ready"].as_bool().unwrap_or_default(),
            };
            (text(&pod["metadata"]["name"]), told)
        });
        pods.collect()
    }

    /// Waits until so many of the untouched pods serve again.
    pub fn await_anchor(&self, count: usize) {
        wait_for("the pods to serve again", || {
            self.anchor_pods().values().filter(|pod| pod.ready).count() == count
        });
    }

    fn cluster(&self, path: &str) -> Value {
        let kubeconfig = self.status()["kubeconfig"].as_str().expect("a kubeconfig").to_owned();
        self.runtime.block_on(async {
            let kubeconfig = kube::config::Kubeconfig::read_from(Path::new(&kubeconfig)).expect("a kubeconfig");
            let options = kube::config::KubeConfigOptions::default();
            let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a context");
            config.proxy_url = None;
            let client = kube::Client::try_from(config).expect("a client");
            let request = http::Request::get(path).body(Vec::new()).expect("a request");
            client.request(request).await.expect("the cluster answers")
        })
    }

    /// All there is to know after something went wrong.
    pub fn diagnostics(&self, commit: &str) -> String {
        let mut told = String::new();
        for arguments in [
            &["status"] as &[&str],
            &["ps"],
            &["trace", commit],
            &["explain", commit],
            &["watch", commit, "--timeout", "1s", "--output", "json"],
        ] {
            let output = self.run(arguments);
            told += &format!("--- landfall {}\n", arguments.join(" "));
            told += &String::from_utf8_lossy(&output.stdout);
            told += &String::from_utf8_lossy(&output.stderr);
        }
        let watched = self.run(&["runs", "--output", "json"]);
        let runs: Value = serde_json::from_slice(&watched.stdout).unwrap_or_default();
        for run in runs["items"].as_array().into_iter().flatten().filter(|run| run["commit"] == commit) {
            let id = run["id"].as_str().unwrap_or_default();
            told += &format!("--- landfall logs {id}\n");
            told += &String::from_utf8_lossy(&self.run(&["logs", id, "--output", "json"]).stdout);
        }
        let log = fs::read_to_string(self.data().join("server.log")).unwrap_or_default();
        let last: Vec<_> = log.lines().rev().take(40).collect();
        told += "--- server.log\n";
        told += &last.into_iter().rev().collect::<Vec<_>>().join("\n");
        let log = fs::read_to_string(self.data().join("sandboxes/spawner.log")).unwrap_or_default();
        format!("{told}\n--- spawner.log\n{log}")
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let output = self.run(&["down", "--purge", "--yes"]);
        if !output.status.success() {
            eprintln!("something may be left: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// What a command told, whatever its exit code.
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

/// Looks again and again until something holds.
pub fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
