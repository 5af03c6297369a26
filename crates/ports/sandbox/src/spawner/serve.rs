//! The spawner's loop: one thing at a time, nothing waits.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::epoll,
    net::{AddressFamily, SocketFlags, SocketType, accept_with, bind, listen, socket_with},
};

use super::{
    client::{Client, failed},
    networks::Networks,
    records,
    table::{Entry, Token},
};
use crate::{
    Error, ProcessName, Result, SandboxId,
    cgroups::Cgroups,
    log::Stream,
    spread,
    wire::{PROTOCOL, Reply, Request, Running},
};

/// How soon a control group that was still busy is tried again.
const AGAIN: Duration = Duration::from_millis(2);

/// Events taken from the kernel at once.
const EVENTS: usize = 64;

/// What a file descriptor of the loop stands for.
#[derive(Clone)]
pub(super) enum Source {
    Listener,
    Client,
    Report(SandboxId, ProcessName),
    End(SandboxId, ProcessName),
    Output(SandboxId, ProcessName, Stream),
}

pub struct Spawner {
    pub(super) state: PathBuf,
    epoll: OwnedFd,
    listener: OwnedFd,
    pub(super) own_pids: OwnedFd,
    next: u64,
    sources: HashMap<Token, Source>,
    clients: HashMap<Token, Client>,
    pub(super) cgroups: Cgroups,
    /// Held for as long as processes are moved.
    _moves: Option<OwnedFd>,
    pub(super) networks: Networks,
    pub(super) table: BTreeMap<SandboxId, Entry>,
    /// Sandboxes whose groups could not be removed yet.
    pub(super) going: Vec<SandboxId>,
    /// Told once the loop ends.
    leaving: Option<Token>,
}

impl Spawner {
    pub fn new(state: &Path) -> io::Result<Self> {
        let cgroups = Cgroups::detect(&super::group_name(state));
        cgroups.clean();
        cgroups.prepare()?;
        fs::create_dir_all(state.join(records::FOLDER))?;
        spread(&state.join(records::FOLDER));
        let table = records::read_all(state)
            .into_iter()
            .map(|(record, status)| (status.id.clone(), Entry::of_earlier(state, record, status)))
            .collect();
        use rustix::fs::{Mode, OFlags};
        let spawner = Self {
            state: state.to_owned(),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            listener: listener(state)?,
            own_pids: rustix::fs::open("/proc/self/ns/pid", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?,
            next: 1,
            sources: HashMap::from([(Token(0), Source::Listener)]),
            clients: HashMap::new(),
            _moves: cgroups.favour_moves(),
            cgroups,
            networks: Networks::new(state)?,
            table,
            going: Vec::new(),
            leaving: None,
        };
        let token = epoll::EventData::new_u64(0);
        epoll::add(&spawner.epoll, &spawner.listener, token, epoll::EventFlags::IN)?;
        Ok(spawner)
    }

    /// Serves until told to end.
    pub fn serve(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        while self.leaving.is_none() || self.table.values().any(Entry::is_running) {
            let wait = self.next_deadline().map(|at| at.saturating_duration_since(Instant::now()));
            let wait = wait.map(|wait| rustix::event::Timespec {
                tv_sec: wait.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            });
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), wait.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let token = Token(event.data.u64());
                if let Some(source) = self.sources.get(&token).cloned() {
                    self.handle(token, source);
                }
            }
            self.carry_on();
        }
        self.leave();
        Ok(())
    }

    fn handle(&mut self, token: Token, source: Source) {
        match source {
            Source::Listener => self.accept(),
            Source::Client => self.hear(token),
            Source::Report(id, name) => self.read_report(token, &id, &name),
            Source::End(id, name) => self.reap(token, &id, &name),
            Source::Output(id, name, stream) => self.take_output(token, &id, &name, stream),
        }
    }

    /// Watches a descriptor; closing it ends that.
    pub(super) fn watch(&mut self, fd: impl AsFd, source: Source) -> io::Result<Token> {
        let token = Token(self.next);
        self.next += 1;
        epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token.0), epoll::EventFlags::IN)?;
        self.sources.insert(token, source);
        Ok(token)
    }

    pub(super) fn unwatch(&mut self, token: Token, fd: Option<&OwnedFd>) {
        self.sources.remove(&token);
        // Children that are on their way still hold copies, so closing alone would not end the events.
        if let Some(fd) = fd {
            let _ = epoll::delete(&self.epoll, fd);
        }
    }

    /// The token of a child's report.
    pub(super) fn report_token(&self, id: &SandboxId, name: &ProcessName) -> Option<Token> {
        let is_it = |source: &Source| matches!(source, Source::Report(of, process) if of == id && process == name);
        self.sources.iter().find(|(_, source)| is_it(source)).map(|(token, _)| *token)
    }

    /// Forgets all descriptors of a sandbox that is gone.
    pub(super) fn forget_sources(&mut self, gone: &SandboxId) {
        self.sources.retain(|_, source| match source {
            Source::Listener | Source::Client => true,
            Source::Report(id, _) | Source::End(id, _) | Source::Output(id, _, _) => id != gone,
        });
    }

    fn accept(&mut self) {
        let accepted = accept_with(&self.listener, SocketFlags::CLOEXEC).map_err(io::Error::from);
        match accepted.and_then(Client::accept) {
            Ok(client) => {
                if let Ok(token) = self.watch(client.as_fd(), Source::Client) {
                    self.clients.insert(token, client);
                }
            }
            Err(error) => eprintln!("spawner: a connection was refused: {error}"),
        }
    }

    fn hear(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        let alive = client.receive();
        loop {
            let request = self.clients.get_mut(&token).map(Client::request);
            match request {
                Some(Ok(Some(request))) => self.answer(token, request),
                Some(Err(error)) => {
                    eprintln!("spawner: a request was not understood: {error}");
                    return self.drop_client(token);
                }
                Some(Ok(None)) | None => break,
            }
        }
        if !alive {
            self.drop_client(token);
        }
    }

    fn drop_client(&mut self, token: Token) {
        if let Some(client) = self.clients.remove(&token) {
            let _ = epoll::delete(&self.epoll, client.as_fd());
        }
        self.sources.remove(&token);
    }

    pub(super) fn reply(&mut self, token: Token, reply: &Reply, descriptors: &[OwnedFd]) {
        let Some(client) = self.clients.get(&token) else { return };
        if client.reply(reply, descriptors).is_err() {
            self.drop_client(token);
        }
    }

    fn answer(&mut self, token: Token, request: Request) {
        let reply = match request {
            Request::Hello => Ok(Some(Reply::Hello { protocol: PROTOCOL })),
            Request::List => {
                Ok(Some(Reply::List(self.table.iter().filter(|(_, it)| !it.forget).map(|(id, it)| it.status(id)).collect())))
            }
            Request::Run { id, spec } => self.run(token, id, spec).map(|()| None),
            Request::Exec { id, name, process } => self.exec(token, &id, name, process).map(|()| None),
            Request::Attach { id, name } => self.attach(token, &id, &name).map(|()| None),
            Request::Stop { id, target } => self.stop(token, &id, target),
            Request::CreateNetwork { name, address } => self.networks.create(&name, &address).map(|()| Some(Reply::Done)),
            Request::RemoveNetwork { name } => self.networks.remove(&name).map(|()| Some(Reply::Done)),
            Request::ListNetworks => Ok(Some(Reply::Networks(self.networks.list()))),
            Request::Shutdown { running } => self.shut_down(token, running),
        };
        match reply {
            Ok(Some(reply)) => self.reply(token, &reply, &[]),
            Ok(None) => {}
            Err(error) => self.reply(token, &failed(error), &[]),
        }
    }

    fn shut_down(&mut self, token: Token, running: Running) -> Result<Option<Reply>> {
        let busy = self.table.values().any(Entry::is_running) || !self.networks.is_empty();
        if busy && running == Running::Keep {
            let what = "ending the spawner".to_owned();
            return Err(Error::Machine { what, source: io::Error::other("sandboxes still run") });
        }
        for entry in self.table.values() {
            entry.kill();
        }
        self.leaving = Some(token);
        Ok(None)
    }

    /// Nothing runs: gives everything back, and says so by closing the connection.
    fn leave(&mut self) {
        self.networks.remove_all();
        for entry in self.table.values() {
            let _ = entry.cgroups.remove();
        }
        self.cgroups.clean();
        self.cgroups.remove();
        let _ = fs::remove_file(self.state.join(super::SOCKET));
        if let Some(token) = self.leaving {
            self.reply(token, &Reply::Done, &[]);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let again = (!self.going.is_empty()).then(|| Instant::now() + AGAIN);
        self.table.values().filter_map(|entry| entry.deadline).chain(again).min()
    }
}

fn listener(state: &Path) -> io::Result<OwnedFd> {
    let path = state.join(super::SOCKET);
    // We hold the lock, so whoever bound it is gone.
    let _ = fs::remove_file(&path);
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = crate::local::address(state).and_then(|(address, _folder)| Ok(bind(&socket, &address)?));
    rustix::process::umask(before);
    bound?;
    listen(&socket, 128)?;
    Ok(socket)
}
