//! The data folder: where everything of one installation lies.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The data folder of one installation.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
}

/// What is chosen once, at the first start, so that remotes and kubeconfigs stay valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub port: u16,
    /// Set where the embedded cluster is used.
    pub network: Option<NetworkSettings>,
}

/// The addresses of the embedded cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// E.g. `10.96.0.0/22`.
    pub services: String,
    /// E.g. `10.244.0.0/24`.
    pub pods: String,
    pub bridge: String,
    pub dns: std::net::Ipv4Addr,
    pub api: std::net::Ipv4Addr,
}

/// A server that runs, as it tells others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub pid: u32,
    pub url: String,
    /// `None` if an existing cluster is used.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig and context of the existing cluster that is used.
    pub cluster: String,
}

impl DataFolder {
    /// The folder that a flag, `LANDFALL_DATA` or the user's own folder names.
    pub fn choose(flag: Option<PathBuf>) -> anyhow::Result<Self> {
        let own = || {
            let base = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
            let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
            base.map(|base| base.join("landfall"))
        };
        let path = flag.or_else(own).context("no data folder: set LANDFALL_DATA or pass --data DIR")?;
        let path = std::path::absolute(&path).with_context(|| format!("`{}` is no path", path.display()))?;
        Ok(Self { path })
    }

    /// Makes the folder if it is not there; only its owner may look into it.
    pub fn create(&self) -> anyhow::Result<()> {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.path);
        made.with_context(|| {
            format!("the data folder `{}` cannot be made; choose another with --data DIR", self.path.display())
        })?;
        let probe = self.path.join(".probe");
        let written = fs::write(&probe, [0; 4096]).and_then(|()| fs::remove_file(&probe));
        written.with_context(|| {
            format!("nothing can be written to `{}`; free some space, or choose another folder with --data DIR", self.path.display())
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Holds the folder for one server; ends with the returned file.
    pub fn lock(&self) -> anyhow::Result<fs::File> {
        let mut options = fs::OpenOptions::new();
        let path = self.join("lock");
        let file = options.create(true).write(true).truncate(false).mode(0o600).open(&path)?;
        let locked = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        locked.map_err(io::Error::from).with_context(|| {
            format!("a server uses `{}` already; see `landfall status`, or choose another folder with --data DIR", self.path.display())
        })?;
        Ok(file)
    }

    /// Whether a server holds the folder.
    pub fn is_locked(&self) -> bool {
        let Ok(file) = fs::File::open(self.join("lock")) else { return false };
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err()
    }

    pub fn settings(&self) -> anyhow::Result<Option<Settings>> {
        self.read("settings.json")
    }

    pub fn keep_settings(&self, settings: &Settings) -> anyhow::Result<()> {
        self.write("settings.json", settings)
    }

    /// The server that runs; what a killed one left does not count.
    pub fn running(&self) -> anyhow::Result<Option<Running>> {
        if !self.is_locked() {
            return Ok(None);
        }
        self.read("running.json")
    }

    /// Whether the server that holds the folder listens; one that is being killed does not for long.
    pub fn answers(&self) -> bool {
        let Ok(Some(running)) = self.running() else { return false };
        let alive = fs::read_to_string(format!("/proc/{}/stat", running.pid)).is_ok_and(|stat| {
            // The state stands behind the name, which may hold anything but ends with the last bracket.
            let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
            !matches!(state, Some('Z' | 'X') | None)
        });
        let address = running.url.trim_start_matches("http://").parse::<std::net::SocketAddr>();
        let patience = std::time::Duration::from_millis(500);
        alive && address.is_ok_and(|address| std::net::TcpStream::connect_timeout(&address, patience).is_ok())
    }

    pub fn keep_running(&self, running: &Running) -> anyhow::Result<()> {
        self.write("running.json", running)
    }

    pub fn forget_running(&self) {
        // The lock says who runs; this file only tells where.
        let _ = fs::remove_file(self.join("running.json"));
    }

    /// The owner's token.
    pub fn token(&self) -> anyhow::Result<String> {
        let path = self.join("token");
        let text = fs::read_to_string(&path).with_context(|| format!("the token `{}` cannot be read", path.display()))?;
        Ok(text.trim().to_owned())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<T>> {
        let path = self.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("`{}` cannot be read", path.display())),
        };
        let value = serde_json::from_slice(&text).with_context(|| format!("`{}` is damaged", path.display()))?;
        Ok(Some(value))
    }

    /// Written beside and renamed, so that a reader never sees half of it.
    fn write<T: Serialize>(&self, name: &str, value: &T) -> anyhow::Result<()> {
        let (path, draft) = (self.join(name), self.join(&format!(".{name}.draft")));
        fs::write(&draft, serde_json::to_vec_pretty(value)?)?;
        fs::rename(&draft, &path).with_context(|| format!("`{}` cannot be written", path.display()))
    }
}
