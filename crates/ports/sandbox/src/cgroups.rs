//! Control groups of every layout: limits, killing, memory kills. Version 1, version 2, or limits by the
//! first and killing by the second where a machine has both.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{CWD, Mode, OFlags},
    mount::MountAttrFlags,
};
use serde::{Deserialize, Serialize};

use crate::{Limits, child::mounts, sys};

const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// Microseconds over which a CPU limit is measured.
const CPU_PERIOD: u64 = 100_000;

/// How long leftovers of an earlier spawner may take to die.
const DYING: Duration = Duration::from_millis(500);

/// How the machine's control groups are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    None,
    V1,
    /// Limits by version 1, tracking by version 2.
    Hybrid,
    V2,
}

/// Folders below which the control groups of one spawner live.
#[derive(Clone, Debug)]
pub struct Cgroups {
    pub layout: Layout,
    /// Version 1 only: one folder per controller.
    controllers: BTreeMap<String, PathBuf>,
    unified: Option<PathBuf>,
}

/// The control groups of one sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    controllers: BTreeMap<String, PathBuf>,
    unified: Option<PathBuf>,
}

/// What a sandbox sees at `/sys/fs/cgroup`.
pub enum View {
    None,
    Unified(PathBuf),
    Controllers(BTreeMap<String, PathBuf>),
}

/// What a child needs to enter a [`Leaf`].
pub struct Entrance {
    pub unified: Option<OwnedFd>,
    files: Vec<OwnedFd>,
}

impl Entrance {
    /// Moves the calling process in, as far as it was not started there.
    pub fn enter(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| Ok(rustix::io::write(file, b"0").map(drop)?))
    }
}

impl Cgroups {
    /// Looks at the machine; makes nothing. `name` tells one spawner's groups from another's.
    pub fn detect(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut controllers = BTreeMap::new();
        let mut unified = None;
        for (place, kind, options) in mounts.lines().filter_map(mount) {
            match kind {
                "cgroup2" if unified.is_none() => unified = Some(place.to_owned()),
                "cgroup" => {
                    for controller in CONTROLLERS.iter().filter(|controller| options.split(',').any(|it| it == **controller)) {
                        let base = below_own(place, &own, controller);
                        controllers.entry((*controller).to_owned()).or_insert(base.join(name));
                    }
                }
                _ => {}
            }
        }
        let layout = match (controllers.is_empty(), unified.is_some()) {
            (true, true) => Layout::V2,
            (false, true) => Layout::Hybrid,
            (false, false) => Layout::V1,
            (true, false) => Layout::None,
        };
        // A group that has processes cannot hand controllers down, so with version 2 ours stand at the top.
        let unified = unified.map(|place| if layout == Layout::V2 { place } else { below_own(&place, &own, "") }.join(name));
        Self { layout, controllers, unified }
    }

    /// Makes the folders and hands the controllers down, as far as the machine lets us.
    pub fn prepare(&self) -> io::Result<()> {
        for base in self.controllers.values().chain(&self.unified) {
            fs::create_dir_all(base)?;
        }
        if let (Layout::V2, Some(base)) = (self.layout, &self.unified) {
            for controller in CONTROLLERS {
                let hand_down = |folder: &Path| fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"));
                // Told by `available`, and by an error once a limit is asked for.
                let _ = base.parent().map(hand_down);
                let _ = hand_down(base);
            }
        }
        Ok(())
    }

    /// Makes moves between groups quick while the result is held; `None` where nothing is moved, or where the
    /// kernel is too old or does not let us.
    ///
    /// Processes are born into groups of version 2, but moved into those of version 1, and for each move the
    /// kernel waits until every processor has scheduled: ten milliseconds and more where much runs. It does
    /// not have to if any hierarchy favours changes over forks. Ours has no controller, and no place in any folder.
    pub fn favour_moves(&self) -> Option<OwnedFd> {
        let options = [("none", None), ("name", Some("landfall")), ("favordynmods", None)];
        let moves = matches!(self.layout, Layout::V1 | Layout::Hybrid);
        moves.then(|| mounts::make("cgroup", &options, MountAttrFlags::empty()).ok()).flatten()
    }

    /// The controllers that can limit a sandbox.
    pub fn available(&self) -> Vec<&'static str> {
        let v2 = |base: &PathBuf| {
            let folder = if base.exists() { base.as_path() } else { base.parent().unwrap_or(base) };
            fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default()
        };
        let listed = self.unified.as_ref().map(v2).unwrap_or_default();
        CONTROLLERS
            .into_iter()
            .filter(|name| self.controllers.contains_key(*name) || listed.split_whitespace().any(|it| it == *name))
            .collect()
    }

    /// Makes the groups of one sandbox.
    pub fn make(&self, id: &str, limits: &Limits) -> io::Result<Leaf> {
        let mut leaf = Leaf::default();
        let mut made = self.make_in(&mut leaf, id, limits);
        if made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            // Some managers tidy up groups that are empty.
            self.prepare()?;
            made = self.make_in(&mut leaf, id, limits);
        }
        if made.is_err() {
            let _ = leaf.remove();
        }
        made.map(|()| leaf)
    }

    fn make_in(&self, leaf: &mut Leaf, id: &str, limits: &Limits) -> io::Result<()> {
        let make = |base: &Path| -> io::Result<PathBuf> {
            let folder = base.join(id);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(folder),
            }
        };
        if let Some(base) = &self.unified {
            leaf.unified = Some(make(base)?);
        }
        let settings = [
            ("cpu", limits.cpu_millis.is_some()),
            ("memory", limits.memory_bytes.is_some()),
            // Without a way to kill a group at once, its processes must at least be countable.
            ("pids", limits.pids.is_some()),
        ];
        for (controller, limited) in settings {
            if !limited {
                continue;
            }
            match (self.layout, self.controllers.get(controller), &leaf.unified) {
                (Layout::V1 | Layout::Hybrid, Some(base), _) => {
                    let folder = make(base)?;
                    leaf.controllers.insert(controller.to_owned(), folder.clone());
                    limit_v1(&folder, controller, limits)?;
                }
                (Layout::V2, _, Some(folder)) => limit_v2(folder, controller, limits)?,
                _ => return Err(io::Error::other(format!("this machine cannot limit `{controller}`"))),
            }
        }
        Ok(())
    }

    /// Kills and removes what an earlier spawner left behind.
    pub fn clean(&self) {
        let bases = || self.controllers.values().chain(&self.unified);
        let leaves = || bases().filter_map(|base| fs::read_dir(base).ok()).flatten().flatten().map(|entry| entry.path());
        let until = std::time::Instant::now() + DYING;
        loop {
            let mut left = false;
            for folder in leaves().filter(|path| path.is_dir()) {
                kill_in(&folder);
                left |= fs::remove_dir(&folder).is_err();
            }
            if !left || std::time::Instant::now() > until {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Removes the folders themselves; fails silently while sandboxes are left.
    pub fn remove(&self) {
        for base in self.controllers.values().chain(&self.unified) {
            let _ = fs::remove_dir(base);
        }
    }

    /// Whether a whole group can be killed at once.
    pub fn can_kill(&self) -> bool {
        let folder = self.unified.as_ref().and_then(|base| if base.exists() { Some(base.as_path()) } else { None });
        folder.is_some_and(|folder| folder.join("cgroup.kill").exists())
    }
}

impl Leaf {
    pub fn entrance(&self) -> io::Result<Entrance> {
        let unified = match &self.unified {
            Some(folder) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                Some(rustix::fs::openat(CWD, folder, flags, Mode::empty())?)
            }
            None => None,
        };
        let open = |folder: &PathBuf| -> io::Result<OwnedFd> {
            let flags = OFlags::WRONLY | OFlags::CLOEXEC;
            Ok(rustix::fs::openat(CWD, folder.join("cgroup.procs"), flags, Mode::empty())?)
        };
        Ok(Entrance { unified, files: self.controllers.values().map(open).collect::<io::Result<_>>()? })
    }

    pub fn view(&self) -> View {
        match (&self.unified, self.controllers.is_empty()) {
            (_, false) => View::Controllers(self.controllers.clone()),
            (Some(folder), true) => View::Unified(folder.clone()),
            (None, true) => View::None,
        }
    }

    /// The folder of a group that lists all processes inside, if there is one.
    pub fn listing(&self) -> Option<&Path> {
        self.unified.iter().chain(self.controllers.values()).next().map(PathBuf::as_path)
    }

    /// Kills everything inside.
    pub fn kill(&self) {
        self.unified.iter().chain(self.controllers.values()).for_each(|folder| kill_in(folder));
    }

    /// How many processes the memory limit has killed.
    pub fn memory_kills(&self) -> u64 {
        let file = match (self.controllers.get("memory"), &self.unified) {
            (Some(folder), _) => folder.join("memory.oom_control"),
            (None, Some(folder)) => folder.join("memory.events"),
            (None, None) => return 0,
        };
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }

    /// Succeeds if it is gone already; fails while something inside still dies.
    pub fn remove(&self) -> io::Result<()> {
        for folder in self.controllers.values().chain(&self.unified) {
            match fs::remove_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn kill_in(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 1) {
        let _ = sys::kill(pid, libc::SIGKILL);
    }
}

fn limit_v1(folder: &Path, controller: &str, limits: &Limits) -> io::Result<()> {
    let set = |file: &str, value: u64| fs::write(folder.join(file), value.to_string());
    match controller {
        "cpu" => {
            set("cpu.cfs_period_us", CPU_PERIOD)?;
            set("cpu.cfs_quota_us", cpu_quota(limits))
        }
        "memory" => set("memory.limit_in_bytes", limits.memory_bytes.unwrap_or(u64::MAX)),
        _ => set("pids.max", limits.pids.unwrap_or(u64::MAX)),
    }
}

fn limit_v2(folder: &Path, controller: &str, limits: &Limits) -> io::Result<()> {
    let set = |file: &str, value: String| fs::write(folder.join(file), value);
    match controller {
        "cpu" => set("cpu.max", format!("{} {CPU_PERIOD}", cpu_quota(limits))),
        "memory" => {
            set("memory.max", limits.memory_bytes.unwrap_or(u64::MAX).to_string())?;
            // Swapping instead of ending would only be slow; not every kernel has the file.
            let _ = set("memory.swap.max", "0".to_owned());
            Ok(())
        }
        _ => set("pids.max", limits.pids.unwrap_or(u64::MAX).to_string()),
    }
}

/// The kernel takes no quota below a millisecond.
fn cpu_quota(limits: &Limits) -> u64 {
    (limits.cpu_millis.unwrap_or(1000) * CPU_PERIOD / 1000).max(1000)
}

/// Place, kind and options of one line of `/proc/self/mountinfo`.
fn mount(line: &str) -> Option<(&Path, &str, &str)> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    let kind = after.next()?;
    Some((Path::new(before.split(' ').nth(4)?), kind, after.nth(1).unwrap_or_default()))
}

/// The group we are in ourselves, so that limits set on it hold for the sandboxes too.
fn below_own(place: &Path, own: &str, controller: &str) -> PathBuf {
    let ours = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let names = parts.next()?;
        let path = parts.next()?;
        names.split(',').any(|name| name == controller).then_some(path)
    });
    let folder = place.join(ours.unwrap_or("/").trim_start_matches('/'));
    if folder.is_dir() { folder } else { place.to_owned() }
}
