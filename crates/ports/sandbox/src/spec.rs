//! What a sandbox is made of: root, mounts, network, limits, rights and its first process.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::NetworkName;

/// Everything that [`crate::Sandbox::run`] needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub root: Root,
    /// Made in this order, on top of the standard `/proc`, `/dev` and `/sys`.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    #[serde(default)]
    pub hostname: Option<String>,
    #[serde(default)]
    pub network: Network,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub security: Security,
    pub main: Main,
    /// Kept with the sandbox and told by [`crate::Sandbox::list`]; means nothing to the sandbox.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Spec {
    /// A sandbox without mounts, limits or a network of its own.
    pub fn new(root: Root, main: Main) -> Self {
        Self {
            root,
            mounts: Vec::new(),
            hostname: None,
            network: Network::default(),
            limits: Limits::default(),
            security: Security::default(),
            main,
            labels: BTreeMap::new(),
        }
    }
}

/// Where `/` comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// Read-only folders, the topmost first, and a folder for what is written.
    ///
    /// Writes land in `scratch/upper`; `scratch` is made if missing and stays until the caller removes it.
    Layers { lower: Vec<PathBuf>, scratch: PathBuf },
    /// This machine's own files; writes vanish into the scratch folder.
    Host(HostView),
    /// A folder used as it is; writes change it.
    Dir(PathBuf),
}

/// A copy-on-write view of this machine's files.
///
/// `/tmp`, `/run`, `/home`, `/root` and the home folder are empty but for `shown_home`;
/// well-known secrets (`/etc/shadow`, host keys) are hidden without being asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    /// Takes what is written; stays until the caller removes it.
    pub scratch: PathBuf,
    /// The home folder of the processes inside; an absolute path.
    pub home: PathBuf,
    /// Folders of the host's home that show up in the one inside, relative to it (`.cargo/bin`).
    pub shown_home: Vec<ShownFolder>,
    /// Absolute paths that must look empty inside; those that do not exist are left out.
    pub hidden: Vec<PathBuf>,
}

/// One folder or file below the home folder that a [`HostView`] shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownFolder {
    /// Relative to the home folder; left out when it does not exist.
    pub path: PathBuf,
    pub access: ShownAccess,
}

/// What may be done in a [`ShownFolder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShownAccess {
    ReadOnly,
    /// Writes are seen inside and vanish with the scratch folder; files are shown read-only.
    CopyOnWrite,
}

/// One mount; targets are resolved inside the root and made if missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mount {
    /// A file or folder of the host. Symbolic links in `source` are followed on the host: pass trusted paths only.
    Bind { source: PathBuf, target: PathBuf, access: Access },
    Tmpfs { target: PathBuf, size_bytes: Option<u64>, mode: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The host's own network.
    #[default]
    Host,
    /// A network made before by [`crate::PodNetworks::create`].
    Pod(NetworkName),
    /// A network of its own with nothing but `lo`.
    None,
}

/// `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Thousandths of a core.
    pub cpu_millis: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub pids: Option<u64>,
}

/// The rights of every process in the sandbox; the default is what Docker gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    pub privilege: Privilege,
    /// Names such as `NET_ADMIN` or `CAP_NET_ADMIN`, or `ALL`.
    pub add_capabilities: Vec<String>,
    pub drop_capabilities: Vec<String>,
    /// Set-user-ID programs gain nothing (`allowPrivilegeEscalation: false`).
    pub no_new_privileges: bool,
    pub seccomp: Seccomp,
    pub read_only_root: bool,
    /// Further groups of every process (`fsGroup`, `supplementalGroups`).
    pub groups: Vec<u32>,
    /// Only ever raised above the server's own; best effort.
    pub oom_score: Option<i32>,
    /// Such as `net.ipv4.ip_unprivileged_port_start`; only names that belong to the sandbox's own namespaces.
    pub sysctls: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privilege {
    #[default]
    Confined,
    /// All capabilities, no system call filter, nothing masked, the host's devices.
    Privileged,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    #[default]
    Standard,
    Unconfined,
}

/// The first process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Main {
    /// A built-in process that reaps and waits; the work comes through [`crate::Sandbox::exec`].
    Idle,
    /// The sandbox lives as long as this process.
    Process(Process),
}

/// A program to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The program and its arguments; a program without `/` is searched in the `PATH` of `env`, inside the root.
    pub args: Vec<String>,
    /// `PATH`, `HOME`, `HOSTNAME` (and `TERM` with a terminal) are added where missing.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// Made if missing; empty is `/`.
    #[serde(default)]
    pub cwd: String,
    /// `user`, `uid`, `user:group`, … as Docker writes it, resolved inside the root; empty is root.
    #[serde(default)]
    pub user: String,
    #[serde(default)]
    pub io: Io,
}

impl Process {
    /// A logged process of root in `/`.
    pub fn new<T: Into<String>>(args: impl IntoIterator<Item = T>) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: String::new(),
            user: String::new(),
            io: Io::Logged,
        }
    }
}

/// Where input comes from and output goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Io {
    /// No input; output lines go to the process's log file.
    #[default]
    Logged,
    /// Pipes or a terminal of (columns, rows) for the caller; they end when the caller drops them.
    Streams { terminal: Option<(u16, u16)> },
}
