//! One installation of the program under test, and the tools that people use on it.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    busybox, evidence,
    home::Home,
    program::{Ran, is_there, run},
    repository::Repository,
    wait::until_ok,
};

/// A server on a data folder of its own; stopped and deleted when dropped.
pub struct Installation {
    home: Home,
    port: Port,
    place: TempDir,
    data: PathBuf,
}

/// A port that nobody else takes while the server is down for a moment, held until dropped.
///
/// A server that chooses by itself is given one that another test's server has just left.
struct Port {
    number: u16,
    _held: File,
}

impl Port {
    /// Below those that the system gives to outgoing connections.
    const RANGE: std::ops::Range<u16> = 21_000..22_000;

    fn take() -> Self {
        std::fs::create_dir_all("/run/lock").expect("a folder can be made");
        for number in Self::RANGE {
            let held = File::create(format!("/run/lock/landfall-test-port-{number}")).expect("a lock file can be made");
            let is_mine = rustix::fs::flock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok();
            if is_mine && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self { number, _held: held };
            }
        }
        panic!("no port in {:?} is free", Self::RANGE);
    }
}

impl Installation {
    /// Starts one; `None`, having said why, where this machine cannot run one.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts one with further arguments of `landfall up`.
    pub fn start_with(arguments: &[&str]) -> Option<Self> {
        let it = Self::prepare()?;
        it.up(arguments).succeeded();
        Some(it)
    }

    /// Only its folders; nothing runs yet.
    pub fn prepare() -> Option<Self> {
        Self::prepare_at(Home::prepare)
    }

    /// As [`Installation::prepare`], with the cluster that `home` gives it.
    pub fn prepare_at(home: impl FnOnce(&Path) -> Home) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || busybox::file().is_none() {
            println!("skipped: needs root and a static busybox");
            return None;
        }
        if let Some(missing) = ["git", "kubectl", "curl"].iter().find(|name| !is_there(name)) {
            println!("skipped: there is no `{missing}` on this machine");
            return None;
        }
        let place = tempfile::Builder::new().prefix("landfall-e2e-").tempdir().expect("a temporary folder can be made");
        let data = place.path().join("data");
        let home = home(place.path());
        Some(Self { home, port: Port::take(), place, data })
    }

    /// `landfall up --detach`, whatever comes of it.
    pub fn up(&self, arguments: &[&str]) -> Ran {
        let home = self.home.arguments();
        let home: Vec<_> = home.iter().map(String::as_str).collect();
        let number = self.port.number.to_string();
        let port = if arguments.contains(&"--port") { &[][..] } else { &["--port", &number] };
        self.landfall(&[&["up", "--detach"], arguments, port, &home].concat())
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// How the owner reaches the cluster; `None` if nothing runs.
    pub fn kubeconfig(&self) -> Option<PathBuf> {
        let own = || self.landfall(&["status", "--output", "json"]).out;
        let told = || serde_json::from_str::<Value>(&own()).ok()?["kubeconfig"].as_str().map(PathBuf::from);
        self.home.kubeconfig().map(Path::to_owned).or_else(told)
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A folder beside the data, for what a test needs.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.place.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        folder
    }

    /// Runs a command of the program under test.
    pub fn landfall(&self, arguments: &[&str]) -> Ran {
        run(self.command().args(arguments))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.env("LANDFALL_DATA", &self.data).env_remove("KUBECONFIG").current_dir(self.place.path());
        command
    }

    /// What `landfall status` tells, e.g. `git_url`.
    pub fn status(&self) -> Value {
        self.landfall(&["status", "--output", "json"]).json()
    }

    /// One text of the status.
    pub fn told(&self, name: &str) -> String {
        let status = self.status();
        status[name].as_str().unwrap_or_else(|| panic!("`{name}` is not told: {status:#}")).to_owned()
    }

    /// The token of the owner, as it stands in the address to push to.
    pub fn token(&self) -> String {
        let url = self.told("git_url");
        let (user, _) = url.split_once('@').expect("the address holds the token");
        user.rsplit_once(':').expect("the address holds the token").1.to_owned()
    }

    /// A new working copy whose remote is this installation.
    pub fn repository(&self, project: &str) -> Repository {
        Repository::new(&self.folder(&format!("work-{project}")), &format!("{}/{project}.git", self.told("git_url")))
    }

    /// Runs kubectl as the owner.
    pub fn kubectl(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("kubectl");
        command.env("HOME", self.folder("home")).env("NO_PROXY", "*").env_remove("KUBECONFIG");
        command.arg("--kubeconfig").arg(self.kubeconfig().expect("the cluster has a kubeconfig")).args(arguments);
        run(&mut command)
    }

    /// An object of the cluster as JSON; `None` if it is not there.
    pub fn object(&self, namespace: &str, kind: &str, name: &str) -> Option<Value> {
        let found = self.kubectl(&["get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json"]).succeeded();
        (!found.trim().is_empty()).then(|| serde_json::from_str(&found).expect("kubectl prints JSON"))
    }

    /// The names of all pods of a namespace, sorted.
    pub fn pods(&self, namespace: &str) -> Vec<String> {
        let told = self.kubectl(&["get", "pods", "-n", namespace, "-o", "name"]).succeeded();
        let mut names: Vec<_> = told.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// The address of a Service.
    pub fn address(&self, namespace: &str, service: &str) -> String {
        let it = self.object(namespace, "service", service).expect("the Service is there");
        let ip = it["spec"]["clusterIP"].as_str().expect("a Service has an address");
        format!("http://{ip}:{}/", it["spec"]["ports"][0]["port"])
    }

    /// Waits until a URL answers with exactly this body.
    #[track_caller]
    pub fn answers(&self, url: &str, body: &str) {
        until_ok(&format!("{url} answers `{body}`"), || {
            let asked = curl(&["--max-time", "5", url]);
            if asked.out.trim() == body { Ok(()) } else { Err(asked.to_string()) }
        });
    }

    /// Everything that is known of a commit.
    pub fn thread(&self, commit: &str) -> Value {
        self.landfall(&["trace", commit, "--output", "json"]).json()["thread"].take()
    }

    /// Waits for the outcome of a commit; gives what `landfall watch` did.
    pub fn watch(&self, commit: &str) -> Ran {
        self.landfall(&["watch", commit, "--timeout", "200s"])
    }

    /// What the steps of a run printed so far.
    pub fn logs(&self, run: &str) -> String {
        self.landfall(&["logs", run]).out
    }

    /// Makes the image `busybox:1` known.
    pub fn import_busybox(&self) {
        let root = self.folder("busybox-root");
        busybox::make_root(&root);
        let root = root.to_str().expect("the path is text");
        self.landfall(&["image", "import", root, "busybox:1"]).succeeded();
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            evidence::print(self);
        }
        let down = self.landfall(&["down", "--purge", "--yes"]);
        if down.code != Some(0) && !std::thread::panicking() {
            panic!("{down}");
        }
    }
}

/// Runs curl without proxies and without a progress bar.
pub fn curl(arguments: &[&str]) -> Ran {
    run(Command::new("curl").args(["--noproxy", "*", "--silent", "--show-error"]).args(arguments))
}

/// The status code that a URL answers with.
pub fn status_of(arguments: &[&str]) -> String {
    curl(&[&["--output", "/dev/null", "--write-out", "%{http_code}"], arguments].concat()).out
}
