//! `landfall down --purge` leaves nothing.
//!
//! Other installations may come and go on the machine meanwhile, so what is
//! compared is what belongs to this one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    installation::Installation,
    program::run,
    shop::{self, GOOD, Shop},
};

#[test]
fn nothing_is_left_of_a_working_installation() {
    let Some((landfall, repository)) = shop::serving("shop") else { return };
    // A job that runs and a pod that does not come up are removed like all else.
    repository.workflow("  wait:\n    runs-on: ubuntu-latest\n    steps:\n      - run: sleep 100\n");
    repository.write("k8s/all.yaml", Shop { health: "/no", ..GOOD }.manifests("shop"));
    let (_, pushing) = repository.begin_push();
    crate::wait::until("the job runs", || landfall.logs("shop#2").contains("sleep").then_some(()));
    let settings = settings(&landfall);
    let traces = Traces::of(&landfall, &settings);
    assert!(traces.are_all_seen(), "the test does not see what is there: {traces:#?}");

    landfall.landfall(&["down", "--purge", "--yes"]).ended_with(0);
    drop(pushing);

    let left = traces.left(&landfall, &settings);
    assert_eq!(left, Traces::default());
}

#[test]
fn nothing_is_left_of_a_killed_server() {
    let Some((landfall, _)) = shop::serving("shop") else { return };
    let settings = settings(&landfall);
    let traces = Traces::of(&landfall, &settings);
    let pid = landfall.status()["pid"].to_string();
    run(Command::new("kill").args(["-9", &pid])).succeeded();

    landfall.landfall(&["down", "--purge", "--yes"]).ended_with(0);

    assert_eq!(traces.left(&landfall, &settings), Traces::default());
}

#[test]
fn down_alone_keeps_the_data_and_nothing_runs() {
    let Some((landfall, _)) = shop::serving("shop") else { return };
    let (settings, address) = (settings(&landfall), landfall.address("shop", "shop"));
    let traces = Traces::of(&landfall, &settings);
    landfall.landfall(&["down"]).ended_with(0);
    let left = traces.left(&landfall, &settings);
    assert_eq!(left, Traces { files: left.files.clone(), ..Traces::default() });
    assert_eq!(landfall.status()["state"], "stopped");

    landfall.up(&[]).succeeded();
    landfall.answers(&address, shop::GOOD_ANSWER);
}

/// What an installation has on the machine.
#[derive(Debug, Default, PartialEq, Eq)]
struct Traces {
    /// Process ids with their command lines.
    processes: BTreeSet<(u32, String)>,
    mounts: BTreeSet<String>,
    /// E.g. `net:[4026532281]`.
    namespaces: BTreeSet<String>,
    cgroups: BTreeSet<PathBuf>,
    links: BTreeSet<String>,
    routes: BTreeSet<String>,
    /// Lines of the packet filter that name an address, a bridge or a link of it.
    filters: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
}

impl Traces {
    fn of(landfall: &Installation, settings: &Value) -> Self {
        let data = landfall.data();
        let processes = processes(data);
        let own = namespaces_of("self");
        let namespaces = processes.iter().flat_map(|(pid, _)| namespaces_of(&pid.to_string()));
        let links = links(text(settings, "bridge"));
        Self {
            namespaces: namespaces.filter(|it| !own.contains(it)).collect(),
            cgroups: processes.iter().flat_map(|(pid, _)| cgroups_of(*pid)).collect(),
            mounts: mounts(data),
            routes: routes(settings),
            filters: filters(settings),
            files: files(data),
            links,
            processes,
        }
    }

    /// Whether each kind of trace is there, but for the packet filter, which may be of another make.
    fn are_all_seen(&self) -> bool {
        let Self { processes, mounts: _, namespaces, cgroups, links, routes, filters: _, files } = self;
        ![processes.is_empty(), namespaces.is_empty(), cgroups.is_empty(), links.is_empty(), routes.is_empty(), files.is_empty()]
            .contains(&true)
    }

    /// What is still there of it, or new under its names.
    fn left(&self, landfall: &Installation, settings: &Value) -> Self {
        let now = Self::of(landfall, settings);
        let namespaces = all_namespaces();
        let links = all_links();
        let left = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
        Self {
            processes: now.processes.into_iter().chain(self.processes.iter().filter(|(pid, _)| left(pid)).cloned()).collect(),
            namespaces: self.namespaces.intersection(&namespaces).cloned().collect(),
            cgroups: self.cgroups.iter().filter(|folder| folder.exists()).cloned().collect(),
            links: self.links.intersection(&links).cloned().collect(),
            ..now
        }
    }
}

fn settings(landfall: &Installation) -> Value {
    let settings = fs::read(landfall.data().join("settings.json")).expect("the settings are there");
    let settings: Value = serde_json::from_slice(&settings).expect("the settings are JSON");
    settings["network"].clone()
}

fn text<'a>(settings: &'a Value, name: &str) -> &'a str {
    settings[name].as_str().expect("the setting is a text")
}

/// Processes that name the data folder, and their descendants.
fn processes(data: &Path) -> BTreeSet<(u32, String)> {
    let told = run(Command::new("ps").args(["-e", "-ww", "-o", "pid=,ppid=,args="])).succeeded();
    let all: Vec<(u32, u32, &str)> = told.lines().filter_map(process).collect();
    let data = data.to_str().expect("the path is text");
    let is_tool = |line: &str| line.contains(" push ") || line.contains("git") || line.starts_with("ps ");
    let mut found: BTreeSet<u32> =
        all.iter().filter(|(_, _, line)| line.contains(data) && !is_tool(line)).map(|it| it.0).collect();
    loop {
        let children: Vec<_> = all.iter().filter(|it| found.contains(&it.1) && !found.contains(&it.0)).map(|it| it.0).collect();
        if children.is_empty() {
            break;
        }
        found.extend(children);
    }
    all.iter().filter(|it| found.contains(&it.0)).map(|it| (it.0, it.2.to_owned())).collect()
}

fn process(line: &str) -> Option<(u32, u32, &str)> {
    let (pid, rest) = line.trim_start().split_once(' ')?;
    let (parent, line) = rest.trim_start().split_once(' ')?;
    Some((pid.parse().ok()?, parent.parse().ok()?, line))
}

/// Mounts in this namespace that name the data folder.
fn mounts(data: &Path) -> BTreeSet<String> {
    let data = data.to_str().expect("the path is text");
    let told = fs::read_to_string("/proc/self/mountinfo").expect("mounts can be read");
    told.lines().filter(|line| line.contains(data)).map(str::to_owned).collect()
}

fn namespaces_of(process: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("/proc/{process}/ns")).into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect()
}

/// Every namespace of the machine, those that only a mount keeps included.
fn all_namespaces() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc").expect("/proc can be read").flatten() {
        if let Some(pid) = entry.file_name().to_str().filter(|it| it.parse::<u32>().is_ok()) {
            found.extend(namespaces_of(pid));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts can be read");
    let mounted = mounts.split([' ', '\n']).filter(|word| word.contains(":[") && word.ends_with(']'));
    found.extend(mounted.map(str::to_owned));
    found
}

/// The cgroups of a process below those of this one.
fn cgroups_of(pid: u32) -> Vec<PathBuf> {
    let told = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut found = Vec::new();
    for line in told.lines().filter(|line| !own.contains(*line)) {
        let mut parts = line.splitn(3, ':').skip(1);
        if let (Some(controllers), Some(path)) = (parts.next(), parts.next()) {
            let roots = ["/sys/fs/cgroup".to_owned(), "/sys/fs/cgroup/unified".to_owned(), format!("/sys/fs/cgroup/{controllers}")];
            let folders = roots.map(|root| PathBuf::from(format!("{root}{path}")));
            found.extend(folders.into_iter().filter(|folder| folder.is_dir()));
        }
    }
    found
}

/// The bridge and the links that are its ports.
fn links(bridge: &str) -> BTreeSet<String> {
    let ports = fs::read_dir(format!("/sys/class/net/{bridge}/brif")).into_iter().flatten().flatten();
    let ports = ports.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let all = all_links();
    ports.chain([bridge.to_owned()]).filter(|name| all.contains(name)).collect()
}

fn all_links() -> BTreeSet<String> {
    let all = fs::read_dir("/sys/class/net").expect("links can be read").flatten();
    all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn routes(settings: &Value) -> BTreeSet<String> {
    let told = run(Command::new("ip").args(["route", "show", "table", "all"])).succeeded();
    let ours = [text(settings, "services"), text(settings, "pods"), text(settings, "bridge")];
    told.lines().filter(|line| ours.iter().any(|it| line.contains(it))).map(str::to_owned).collect()
}

fn filters(settings: &Value) -> BTreeSet<String> {
    // Where there is no such program, there are no such rules, or none that we could see.
    let Ok(told) = Command::new("nft").args(["list", "ruleset"]).output() else { return BTreeSet::new() };
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let ours = [text(settings, "services"), text(settings, "pods"), text(settings, "bridge")];
    told.lines().filter(|line| ours.iter().any(|it| line.contains(it))).map(str::to_owned).collect()
}

fn files(data: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(data).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
