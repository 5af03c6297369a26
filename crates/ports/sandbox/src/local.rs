//! Sandboxes on this machine: speaks with the spawner, and starts it when there is none.

#![allow(clippy::wildcard_enum_match_arm, reason = "every other answer is equally wrong")]

use std::{
    collections::BTreeMap,
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{fs::DirBuilderExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    fs::{Mode, OFlags},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
};
use tokio::io::unix::AsyncFd;

use crate::{
    Attached, Error, NetworkName, PodAddress, PodNetworks, Process, ProcessName, Result, Sandbox, SandboxId, Spec, Status,
    Streams, Target,
    capabilities::Capabilities,
    spawner::{ARGUMENT, READY, SOCKET},
    streams, sys,
    wire::{self, Inbox, PROTOCOL, Reply, Request, Running},
};

const MOST_TRIES: u32 = 50;

const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// The sandboxes of one state folder. Clones share everything.
#[derive(Clone, Debug)]
pub struct Local {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    folder: PathBuf,
    /// The program that is started as spawner.
    program: PathBuf,
    /// One start at a time.
    starting: tokio::sync::Mutex<()>,
    /// Whoever still waits for a process must not start the next spawner after the last one was shut down.
    over: AtomicBool,
}

impl Local {
    /// Finds the spawner of `state`, with everything that it runs, or starts one. Needs root.
    ///
    /// The program's `main` must begin with [`crate::spawner_main_if_asked`].
    pub async fn start(state: &Path) -> Result<Self> {
        Self::start_with(state, Path::new("/proc/self/exe")).await
    }

    /// The same with another program as spawner.
    pub async fn start_with(state: &Path, program: &Path) -> Result<Self> {
        let what = || format!("the sandboxes' folder `{}`", state.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(state).map_err(Error::machine(what()))?;
        let folder = fs::canonicalize(state).map_err(Error::machine(what()))?;
        let state = State { folder, program: program.to_owned(), starting: tokio::sync::Mutex::default(), over: AtomicBool::new(false) };
        let local = Self { state: Arc::new(state) };
        match local.ask(&Request::Hello).await?.0 {
            Reply::Hello { protocol: PROTOCOL } => Ok(local),
            Reply::Hello { protocol } => Err(Error::Machine {
                what: "the running spawner is of another version".to_owned(),
                source: io::Error::other(format!("expected protocol {PROTOCOL}, found {protocol}")),
            }),
            reply => Err(unexpected(&reply)),
        }
    }

    /// What this machine can do, without starting anything.
    pub fn capabilities() -> Capabilities {
        Capabilities::detect()
    }

    /// Ends the spawner: with [`Running::Keep`] only if nothing runs, with [`Running::Kill`] for good:
    /// this value and its clones start no other.
    pub async fn shutdown_spawner(&self, running: Running) -> Result<()> {
        let _starting = self.state.starting.lock().await;
        self.state.over.fetch_or(running == Running::Kill, Ordering::Relaxed);
        let Ok(socket) = connect_now(&self.state.folder) else { return Ok(()) };
        let mut connection = Connection::new(socket)?;
        done(connection.ask(&Request::Shutdown { running }).await?)?;
        // The lock is free once the process is gone.
        connection.ended().await;
        Ok(())
    }

    /// Where the spawner keeps what it knows.
    pub(crate) fn folder(&self) -> &Path {
        &self.state.folder
    }

    async fn ask(&self, request: &Request) -> Result<(Reply, Vec<OwnedFd>)> {
        let (reply, mut connection) = self.ask_first(request).await?;
        Ok((reply, connection.inbox.take_descriptors()))
    }

    /// A dying spawner may still take a connection. What can be asked twice is asked the next one.
    async fn ask_first(&self, request: &Request) -> Result<(Reply, Connection)> {
        let once = matches!(request, Request::Run { .. } | Request::Exec { .. });
        let mut tries = 0;
        loop {
            let mut connection = self.connect().await?;
            match connection.ask(request).await {
                Err(Error::SpawnerGone(_)) if !once && tries < MOST_TRIES => {
                    tries += 1;
                    tokio::time::sleep(BETWEEN_TRIES).await;
                }
                reply => return Ok((reply?, connection)),
            }
        }
    }

    async fn connect(&self) -> Result<Connection> {
        if let Ok(socket) = connect_now(&self.state.folder) {
            return Connection::new(socket);
        }
        let _starting = self.state.starting.lock().await;
        if let Ok(socket) = connect_now(&self.state.folder) {
            return Connection::new(socket);
        }
        if self.state.over.load(Ordering::Relaxed) {
            return Err(Error::SpawnerGone(io::Error::other("it was shut down")));
        }
        let state = self.state.clone();
        let socket = tokio::task::spawn_blocking(move || {
            let started = start_spawner(&state);
            // Another process may have started one at the same moment; then that one serves us both.
            connect_now(&state.folder).map_err(|error| started.err().unwrap_or(error))
        });
        let socket = socket.await.map_err(io::Error::other).and_then(|socket| socket);
        Connection::new(socket.map_err(Error::machine("starting the spawner"))?)
    }
}

#[async_trait::async_trait]
impl Sandbox for Local {
    async fn run(&self, id: &SandboxId, spec: &Spec) -> Result<Option<Streams>> {
        started(self.ask(&Request::Run { id: id.clone(), spec: Box::new(spec.clone()) }).await?)
    }

    async fn exec(&self, id: &SandboxId, name: &ProcessName, process: &Process) -> Result<Option<Streams>> {
        let request = Request::Exec { id: id.clone(), name: name.clone(), process: process.clone() };
        started(self.ask(&request).await?)
    }

    async fn list(&self) -> Result<Vec<Status>> {
        match self.ask(&Request::List).await?.0 {
            Reply::List(list) => Ok(list),
            reply => Err(unexpected(&reply)),
        }
    }

    async fn attach(&self, id: &SandboxId, name: &ProcessName) -> Result<Attached> {
        let request = Request::Attach { id: id.clone(), name: name.clone() };
        let (connection, log) = self.find(&request).await?;
        Ok(self.attached(connection, request, log))
    }

    /// Both are asked at once, so the answers are one way and back away, and not two.
    async fn exec_attached(&self, id: &SandboxId, name: &ProcessName, process: &Process) -> Result<Attached> {
        let exec = Request::Exec { id: id.clone(), name: name.clone(), process: process.clone() };
        let attach = Request::Attach { id: id.clone(), name: name.clone() };
        let mut connection = self.connect().await?;
        connection.send(&[&exec, &attach]).await?;
        let (mut found, mut is_started) = (None, false);
        loop {
            match connection.next().await? {
                Reply::Started { .. } => is_started = true,
                Reply::Found { log } => found = Some(log),
                reply => return Err(unexpected(&reply)),
            }
            if let Some(log) = found.take_if(|_| is_started) {
                return Ok(self.attached(connection, attach, log));
            }
        }
    }

    async fn stop(&self, id: &SandboxId, target: Target) -> Result<()> {
        done(self.ask(&Request::Stop { id: id.clone(), target }).await?.0)
    }
}

impl Local {
    /// What was found by `request`, over whose connection its end is told.
    fn attached(&self, mut connection: Connection, request: Request, log: Option<PathBuf>) -> Attached {
        let local = self.clone();
        Attached::new(log, async move {
            loop {
                match connection.next().await {
                    Ok(Reply::Exit(exit)) => return Ok(exit),
                    Ok(reply) => return Err(unexpected(&reply)),
                    // The next spawner finds on disk what became of the process.
                    Err(Error::SpawnerGone(_)) => connection = local.find(&request).await?.0,
                    Err(error) => return Err(error),
                }
            }
        })
    }

    async fn find(&self, request: &Request) -> Result<(Connection, Option<PathBuf>)> {
        match self.ask_first(request).await? {
            (Reply::Found { log }, connection) => Ok((connection, log)),
            (reply, _) => Err(unexpected(&reply)),
        }
    }
}

#[async_trait::async_trait]
impl PodNetworks for Local {
    async fn create(&self, name: &NetworkName, address: &PodAddress) -> Result<()> {
        done(self.ask(&Request::CreateNetwork { name: name.clone(), address: address.clone() }).await?.0)
    }

    async fn remove(&self, name: &NetworkName) -> Result<()> {
        done(self.ask(&Request::RemoveNetwork { name: name.clone() }).await?.0)
    }

    async fn list(&self) -> Result<BTreeMap<NetworkName, PodAddress>> {
        match self.ask(&Request::ListNetworks).await?.0 {
            Reply::Networks(networks) => Ok(networks),
            reply => Err(unexpected(&reply)),
        }
    }
}

fn done(reply: Reply) -> Result<()> {
    match reply {
        Reply::Done => Ok(()),
        reply => Err(unexpected(&reply)),
    }
}

fn started((reply, descriptors): (Reply, Vec<OwnedFd>)) -> Result<Option<Streams>> {
    match reply {
        Reply::Started { .. } if descriptors.is_empty() => Ok(None),
        Reply::Started { terminal } => {
            streams::open(descriptors, terminal).map(Some).map_err(Error::machine("opening streams"))
        }
        reply => Err(unexpected(&reply)),
    }
}

fn unexpected(reply: &Reply) -> Error {
    let source = io::Error::other(format!("did not expect {reply:?}"));
    Error::Machine { what: "speaking with the spawner".to_owned(), source }
}

/// One request and its answers.
struct Connection {
    socket: AsyncFd<OwnedFd>,
    inbox: Inbox,
}

impl Connection {
    fn new(socket: OwnedFd) -> Result<Self> {
        let prepare = || {
            rustix::fs::fcntl_setfl(&socket, OFlags::NONBLOCK)?;
            sys::watch(socket)
        };
        let socket = prepare().map_err(Error::machine("connecting to the spawner"))?;
        Ok(Self { socket, inbox: Inbox::default() })
    }

    async fn ask(&mut self, request: &Request) -> Result<Reply> {
        self.send(&[request]).await?;
        self.next().await
    }

    async fn send(&mut self, requests: &[&Request]) -> Result<()> {
        let frames = requests.iter().map(|request| wire::frame(request)).collect::<io::Result<Vec<_>>>();
        let bytes = frames.map_err(Error::machine("asking the spawner"))?.concat();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let mut ready = self.socket.writable().await.map_err(Error::SpawnerGone)?;
            if let Ok(sent) = ready.try_io(|socket| wire::send(socket.get_ref(), rest, &[])) {
                rest = &rest[sent.map_err(Error::SpawnerGone)?..];
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Reply> {
        loop {
            if let Some(reply) = self.inbox.take().map_err(Error::machine("hearing from the spawner"))? {
                return match reply {
                    Reply::Failed(failure) => Err(failure.into()),
                    reply => Ok(reply),
                };
            }
            let mut ready = self.socket.readable().await.map_err(Error::SpawnerGone)?;
            match ready.try_io(|socket| self.inbox.receive(socket.get_ref())) {
                Ok(Ok(true)) | Err(_) => {}
                Ok(Ok(false)) => return Err(Error::SpawnerGone(io::ErrorKind::UnexpectedEof.into())),
                Ok(Err(error)) => return Err(Error::SpawnerGone(error)),
            }
        }
    }

    async fn ended(&mut self) {
        while self.next().await.is_ok() {}
    }
}

/// The socket's address by the folder's descriptor, because addresses of sockets are short.
pub(crate) fn address(state: &Path) -> io::Result<(SocketAddrUnix, OwnedFd)> {
    let folder = rustix::fs::open(state, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()))?;
    Ok((address, folder))
}

fn connect_now(state: &Path) -> io::Result<OwnedFd> {
    let (address, _folder) = address(state)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &address)?;
    Ok(socket)
}

fn start_spawner(state: &State) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "sandboxes need root"));
    }
    let errors = fs::OpenOptions::new().create(true).append(true).open(state.folder.join("spawner.log"))?;
    let output = Command::new(&state.program)
        .arg0(ARGUMENT)
        .arg(&state.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .output()?;
    // Both the process we started and the one it left behind have closed their end by now.
    if output.stdout == READY {
        return Ok(());
    }
    let told = fs::read_to_string(state.folder.join("spawner.log")).unwrap_or_default();
    Err(io::Error::other(told.lines().last().unwrap_or("it ended without a word").to_owned()))
}
