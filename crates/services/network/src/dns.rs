//! The cluster's name server.
//!
//! It answers for Services and pods from memory, and passes all else on to the
//! machine's own name servers.

mod upstream;
mod zone;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE, rdata::RData,
};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    upstream::Carrier,
    zone::{Answer, Zone},
};
use crate::directory::Directory;

/// Questions under way at once; more than this is a flood, and resolvers ask again.
const UNDER_WAY: usize = 512;
/// Who keeps a connection open for this long without a question has forgotten it.
const IDLE: Duration = Duration::from_secs(10);
/// What fits into a datagram for clients that say nothing about it.
const PLAIN_ANSWER_BYTES: usize = 512;
/// Aliases may point at each other.
const ALIASES: usize = 8;

/// What the name server must be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Usually port 53 of the address of the Service `kube-dns`.
    pub bind: SocketAddr,
    /// Such as `cluster.local`.
    pub cluster_domain: String,
    /// Who knows the rest of the world.
    pub upstream: Vec<SocketAddr>,
}

impl Config {
    /// With the name servers of this machine's `/etc/resolv.conf`; none if there is no such file.
    pub fn new(bind: SocketAddr, cluster_domain: &str) -> Self {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let mut upstream = upstream::read_resolv_conf(&text);
        // A question to oneself would never end.
        upstream.retain(|server| *server != bind);
        Self { bind, cluster_domain: cluster_domain.to_owned(), upstream }
    }
}

/// Why the name server cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the name server cannot listen on `{address}`")]
pub struct StartError {
    pub address: SocketAddr,
    #[source]
    cause: io::Error,
}

/// The running name server; it ends when dropped or stopped.
pub struct Dns {
    address: SocketAddr,
    directory: Arc<Directory>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Dns {
    /// Opens the sockets and starts to follow the API server.
    pub async fn start(client: kube::Client, config: Config) -> Result<Self, StartError> {
        let dns = Self::open(config).await?;
        let (directory, ended) = (Arc::clone(&dns.directory), dns.stop.clone());
        dns.tasks.spawn(async move {
            tokio::select! {
                () = directory.follow(client, |_, _| {}) => {}
                () = ended.cancelled() => {}
            }
        });
        Ok(dns)
    }

    /// A name server that knows of no Service yet.
    async fn open(config: Config) -> Result<Self, StartError> {
        let wrong = |cause| StartError { address: config.bind, cause };
        let listener = TcpListener::bind(config.bind).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let socket = UdpSocket::bind(address).await.map_err(wrong)?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let directory = Arc::new(Directory::default());
        let domain = config.cluster_domain.trim_matches('.').to_ascii_lowercase();
        let zone = Zone { directory: Arc::clone(&directory), domain };
        let server = Arc::new(Server { zone, upstream: config.upstream, under_way: Semaphore::new(UNDER_WAY) });
        let datagrams = serve_datagrams(Arc::clone(&server), Arc::new(socket), tasks.clone());
        let streams = serve_streams(server, listener, tasks.clone());
        let ended = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = datagrams => {}
                () = streams => {}
                () = ended.cancelled() => {}
            }
        });
        Ok(Self { address, directory, tasks, stop })
    }

    /// Waits until the Services that existed at the start are known.
    pub async fn ready(&self) {
        self.directory.complete().await;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the sockets; questions under way stay unanswered.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(IDLE, self.tasks.wait()).await.is_err() {
            tracing::debug!("name server connections were cut off");
        }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Server {
    zone: Zone,
    upstream: Vec<SocketAddr>,
    under_way: Semaphore,
}

async fn serve_datagrams(server: Arc<Server>, socket: Arc<UdpSocket>, tasks: TaskTracker) {
    let mut buffer = vec![0; 4096];
    loop {
        // An error here speaks of an earlier answer that could not be delivered.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
        let question = buffer[..length].to_vec();
        let (server, socket) = (Arc::clone(&server), Arc::clone(&socket));
        tasks.spawn(async move {
            let Ok(_permit) = server.under_way.try_acquire() else { return };
            if let Some(answer) = server.answer(&question, Carrier::Datagram).await
                && let Err(error) = socket.send_to(&answer, client).await
            {
                tracing::debug!(%error, %client, "an answer could not be sent");
            }
        });
    }
}

async fn serve_streams(server: Arc<Server>, listener: TcpListener, tasks: TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tasks.spawn(serve_stream(Arc::clone(&server), stream))),
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_stream(server: Arc<Server>, mut stream: TcpStream) {
    while let Ok(Ok(Some(question))) = timeout(IDLE, upstream::receive(&mut stream)).await {
        let Some(answer) = server.answer(&question, Carrier::Stream).await else { return };
        if upstream::send(&mut stream, &answer).await.is_err() {
            return;
        }
    }
}

impl Server {
    /// The bytes to answer with; `None` for what is no question.
    async fn answer(&self, question: &[u8], carrier: Carrier) -> Option<Vec<u8>> {
        let message = Packet::parse(question).ok()?;
        if message.has_flags(PacketFlag::RESPONSE) {
            return None;
        }
        let query = message.questions.first()?;
        let (name, kind) = (query.qname.clone(), query.qtype);
        let mut response = Packet::new_reply(message.id());
        *response.opcode_mut() = message.opcode();
        response.set_flags(PacketFlag::RECURSION_AVAILABLE);
        if message.has_flags(PacketFlag::RECURSION_DESIRED) {
            response.set_flags(PacketFlag::RECURSION_DESIRED);
        }
        response.questions.clone_from(&message.questions);
        match self.zone.answer(&name, kind) {
            Answer::NotOurs => {
                if let Some(answer) = upstream::ask(&self.upstream, question, carrier).await {
                    return Some(answer);
                }
                *response.rcode_mut() = RCODE::ServerFailure;
            }
            // Before the first list is complete a missing name means nothing.
            Answer::NoSuchName if !self.zone.directory.is_complete() => {
                *response.rcode_mut() = RCODE::ServerFailure;
            }
            Answer::NoSuchName => {
                response.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
                *response.rcode_mut() = RCODE::NameError;
                response.name_servers.extend(self.zone.authority());
            }
            Answer::Records(records) => {
                response.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
                response.answers.extend(records);
                self.follow_alias(&mut response, kind, carrier).await;
                if response.answers.is_empty() {
                    response.name_servers.extend(self.zone.authority());
                }
            }
        }
        let limit = message.opt().map_or(PLAIN_ANSWER_BYTES, |opt| usize::from(opt.udp_packet_size).max(PLAIN_ANSWER_BYTES));
        let bytes = response.build_bytes_vec_compressed().ok()?;
        if carrier == Carrier::Datagram && bytes.len() > limit {
            // Who wants all of it asks again over a connection.
            response.set_flags(PacketFlag::TRUNCATION);
            response.answers.clear();
            response.name_servers.clear();
            return response.build_bytes_vec_compressed().ok();
        }
        Some(bytes)
    }

    /// Adds what an alias stands for, so that simple resolvers need not ask again.
    async fn follow_alias(&self, response: &mut Packet<'_>, kind: QTYPE, carrier: Carrier) {
        for _ in 0..ALIASES {
            let Some(target) = alias_of(response).filter(|_| kind != QTYPE::TYPE(TYPE::CNAME)) else { return };
            match self.zone.answer(&target, kind) {
                Answer::Records(records) if !records.is_empty() => response.answers.extend(records),
                Answer::Records(_) | Answer::NoSuchName => return,
                Answer::NotOurs => {
                    let Some(bytes) = question(target, kind) else { return };
                    let Some(answer) = upstream::ask(&self.upstream, &bytes, carrier).await else { return };
                    if let Ok(answer) = Packet::parse(&answer) {
                        response.answers.extend(answer.answers.into_iter().map(ResourceRecord::into_owned));
                    }
                    return;
                }
            }
        }
    }
}

/// A message that asks others about a name.
fn question(name: Name<'_>, kind: QTYPE) -> Option<Vec<u8>> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).ok()?;
    let mut message = Packet::new_query(u16::from_be_bytes(id));
    message.set_flags(PacketFlag::RECURSION_DESIRED);
    message.questions.push(Question::new(name, kind, QCLASS::CLASS(CLASS::IN), false));
    message.build_bytes_vec().ok()
}

/// The name that the answer so far ends at, if it ends at an alias.
fn alias_of(response: &Packet<'_>) -> Option<Name<'static>> {
    let RData::CNAME(alias) = &response.answers.last()?.rdata else { return None };
    Some(alias.0.clone().into_owned())
}

#[cfg(test)]
mod tests;
