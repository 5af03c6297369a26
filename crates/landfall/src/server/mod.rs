//! The server: every service in one process, behind one port.

mod addresses;
mod authority;
mod counters;
mod certificate;
mod embedded;
pub mod job_services;
pub mod jobs;
mod join;
mod kubeconfig;
mod kubelet;
mod listen;
mod member;
mod service_tokens;
mod wiring;

pub use join::Existing;
pub use wiring::{end_sandboxes, render_key};

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::{net::TcpListener, signal::unix, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::join::Ranges;
use crate::data::{DataFolder, Running, Settings};

/// The first port that is tried on a new installation.
const FIRST_PORT: u16 = 7580;

/// So many ports after the first one are tried; that many installations on one machine are unusual.
const PORTS_TRIED: u16 = 100;

/// The kernel takes this long at most to end a killed process and close its files.
const LETTING_GO: Duration = Duration::from_secs(5);

/// What a person chose at the start.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub port: Option<u16>,
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub registry: Option<String>,
    /// The name under which this machine runs pods of the cluster of the kubeconfig.
    pub node: Option<String>,
}

/// Whose pods run on this machine.
enum Pods {
    OfEmbedded,
    OfExisting(Ranges),
    None,
}

/// A server that is ready.
pub struct Server {
    data: DataFolder,
    running: Running,
    started_in: Duration,
    parts: wiring::Parts,
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    /// Held as long as the server runs.
    _lock: fs::File,
    _addresses: Option<fs::File>,
}

/// Starts everything; returns when all of it answers.
pub async fn start(data: &DataFolder, choice: Choice) -> anyhow::Result<Server> {
    let began = Instant::now();
    let lock = lock(data).await?;
    check_git().await?;
    let existing = match &choice.kubeconfig {
        Some(file) => Some(Existing::connect(file, choice.context.as_deref()).await?),
        None => None,
    };
    let pods = match &existing {
        Some(existing) if choice.node.is_some() => Pods::OfExisting(existing.ranges().await?),
        Some(_) => Pods::None,
        None => Pods::OfEmbedded,
    };
    let (settings, bound) = settle(data, choice.port, &pods)?;
    let network = settings.network.as_ref().filter(|_| !matches!(pods, Pods::None));
    let addresses = network.map(addresses::hold).transpose()?.flatten();
    let listener = match bound {
        Some(bound) => TcpListener::from_std(bound)?,
        None => bind(settings.port, choice.port.is_some()).await?,
    };
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let parts = wiring::wire(data, &settings, &choice, existing, &mut tasks, &stop).await?;
    let acceptor = parts.authority.acceptor()?;
    tasks.spawn(listen::serve(listener, acceptor, parts.router.clone(), stop.clone()));
    let running = Running {
        pid: std::process::id(),
        url: format!("http://127.0.0.1:{}", settings.port),
        kubeconfig: parts.kubeconfig.clone(),
        cluster: parts.cluster_name.clone(),
    };
    data.keep_running(&running)?;
    let started_in = began.elapsed();
    Ok(Server { data: data.clone(), running, started_in, parts, tasks, stop, _lock: lock, _addresses: addresses })
}

/// Holds the data folder; a server that was just killed lets go of it within a moment.
async fn lock(data: &DataFolder) -> anyhow::Result<fs::File> {
    let began = Instant::now();
    loop {
        match data.lock() {
            Ok(lock) => return Ok(lock),
            Err(error) if began.elapsed() > LETTING_GO || data.answers() => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Git does the Git host's work, so it is better missed now than at the first push.
async fn check_git() -> anyhow::Result<()> {
    let output = repo::git_command(std::path::Path::new("/")).arg("version").output().await;
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => bail!("`git version` fails: {}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(_) => bail!("there is no `git` on this machine; install it, e.g. `apt-get install git`"),
    }
}

/// Reads the settings of an installation, or chooses them at its first start.
///
/// A port that was chosen is listened on from here on, so that no other first start takes it.
fn settle(data: &DataFolder, port: Option<u16>, pods: &Pods) -> anyhow::Result<(Settings, Option<std::net::TcpListener>)> {
    let known = data.settings()?;
    let (mut settings, bound) = match (known.clone(), port) {
        (Some(settings), _) => (settings, None),
        (None, Some(port)) => (Settings { port, network: None }, None),
        (None, None) => {
            let (port, bound) = free_port()?;
            (Settings { port, network: None }, Some(bound))
        }
    };
    if let Some(port) = port {
        settings.port = port;
    }
    match (pods, &settings.network) {
        (Pods::OfExisting(ranges), Some(network)) => join::check(network, ranges)?,
        (Pods::OfExisting(ranges), None) => settings.network = Some(addresses::choose(data.path(), Some(ranges))?),
        (Pods::OfEmbedded, None) => settings.network = Some(addresses::choose(data.path(), None)?),
        (Pods::OfEmbedded, Some(_)) | (Pods::None, _) => {}
    }
    if known.as_ref() != Some(&settings) {
        data.keep_settings(&settings)?;
    }
    Ok((settings, bound))
}

fn free_port() -> anyhow::Result<(u16, std::net::TcpListener)> {
    for port in FIRST_PORT..FIRST_PORT + PORTS_TRIED {
        if let Ok(bound) = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            bound.set_nonblocking(true)?;
            return Ok((port, bound));
        }
    }
    bail!("no port from {FIRST_PORT} on is free; name one with `landfall up --port PORT`")
}

async fn bind(port: u16, chosen: bool) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.with_context(|| {
        let whose = if chosen { "" } else { " (this installation's port since its first start)" };
        format!("port {port}{whose} is taken; stop what listens there, or choose another with `landfall up --port PORT`")
    })
}

impl Server {
    pub fn running(&self) -> &Running {
        &self.running
    }

    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Waits for Ctrl-C, a termination or the end of a part, then stops all in order.
    pub async fn until_stopped(mut self) -> anyhow::Result<()> {
        let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
        let mut terminate = unix::signal(unix::SignalKind::terminate())?;
        let mut ended = Ok(());
        tokio::select! {
            _ = interrupt.recv() => eprintln!("stopping; press Ctrl-C again to stop at once"),
            _ = terminate.recv() => {}
            Some(task) = self.tasks.join_next() => ended = match task {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error.context("a part of the server failed")),
                Err(error) => Err(anyhow::Error::from(error).context("a part of the server failed")),
            },
        }
        tokio::select! {
            () = self.shut_down() => {}
            _ = interrupt.recv() => eprintln!("stopped at once; `landfall down` cleans up"),
        }
        ended
    }

    /// Stops jobs and pods, then the parts, then the spawner.
    async fn shut_down(mut self) {
        self.data.forget_running();
        self.stop.cancel();
        self.parts.shut_down().await;
        self.tasks.shutdown().await;
    }
}

/// Ends what a server that was killed left running.
pub async fn clean_up(data: &DataFolder) -> anyhow::Result<()> {
    data.forget_running();
    let state = wiring::sandbox_folder(data);
    if state.exists() {
        let sandbox = sandbox::Local::start(&state).await.context("the sandboxes could not be reached")?;
        wiring::end_sandboxes(&sandbox).await?;
    }
    if let Some(network) = data.settings()?.and_then(|settings| settings.network) {
        addresses::remove(&network)?;
    }
    Ok(())
}

/// Deletes the data folder.
pub fn remove(data: &DataFolder) -> anyhow::Result<()> {
    fs::remove_dir_all(data.path())
        .with_context(|| format!("`{}` could not be deleted completely", data.path().display()))
}
