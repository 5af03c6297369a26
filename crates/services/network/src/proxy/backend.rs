//! One endpoint behind a Service's port: its connections in waiting, and what is under way.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{body::Load, stats::Counts};

/// On one machine a connection stands at once or not at all; a lost host must not hold a request for long.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// Many servers close idle connections after five seconds; one that is closed just when it is used again costs a retry.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// More connections than this in waiting are of no use to anybody.
const IDLE_LIMIT: usize = 256;

/// The endpoint under which a pod was ready once. A pod that comes back is a new
/// backend, so no connection outlives the pod it leads to.
#[derive(Debug)]
pub struct Backend {
    pub address: SocketAddr,
    /// The pod's uid; two pods may have the same address one after the other.
    pub uid: String,
    pub pod: String,
    pub counts: Counts,
    /// Of all pods of its version together.
    pub version: Arc<Counts>,
    /// Set when it left the ready set.
    pub left: CancellationToken,
    in_flight: AtomicUsize,
    idle: Mutex<VecDeque<(SendRequest<Load>, Instant)>>,
    progress: Arc<Notify>,
}

/// A request that is under way at a backend.
#[derive(Debug)]
pub struct Lease(Arc<Backend>);

impl Backend {
    pub fn new(address: SocketAddr, uid: &str, pod: &str, version: Arc<Counts>, progress: Arc<Notify>) -> Self {
        Self {
            address,
            uid: uid.to_owned(),
            pod: pod.to_owned(),
            counts: Counts::default(),
            version,
            left: CancellationToken::new(),
            in_flight: AtomicUsize::new(0),
            idle: Mutex::default(),
            progress,
        }
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(SeqCst)
    }

    /// Something that it was to serve failed.
    pub fn failed(&self) {
        self.counts.failed();
        self.version.failed();
    }

    /// Counts a request in. Called with the port's lock held, so that a backend
    /// that has left gets none.
    pub fn lease(self: &Arc<Self>) -> Lease {
        self.in_flight.fetch_add(1, SeqCst);
        Lease(Arc::clone(self))
    }

    /// It gets nothing new; what is under way finishes.
    pub fn leave(&self) {
        self.left.cancel();
        self.idle().clear();
    }

    /// A connection that waits for work, if there is one.
    pub fn take_idle(&self) -> Option<SendRequest<Load>> {
        let mut idle = self.idle();
        idle.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < IDLE_MAX);
        // The latest is the least likely to be closed by the other side, but may still be finishing its answer.
        let ready = idle.iter().rposition(|(sender, _)| sender.is_ready())?;
        idle.remove(ready).map(|(sender, _)| sender)
    }

    pub fn put_idle(&self, sender: SendRequest<Load>) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle();
        // Asked under the lock that `leave` clears the queue with: none slips in afterwards.
        if !self.left.is_cancelled() && idle.len() < IDLE_LIMIT {
            idle.push_back((sender, Instant::now()));
        }
    }

    pub async fn connect(&self) -> io::Result<TcpStream> {
        let stream = timeout(CONNECT_PATIENCE, TcpStream::connect(self.address)).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A new connection for HTTP.
    pub async fn connect_http(&self) -> io::Result<SendRequest<Load>> {
        let stream = self.connect().await?;
        let handshake = http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        // It ends with its sender, or with the upgraded stream; nobody has to wait for it.
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::trace!(%error, "a connection to an endpoint ended");
            }
        });
        Ok(sender)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(SendRequest<Load>, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for Lease {
    type Target = Arc<Backend>;

    fn deref(&self) -> &Arc<Backend> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, SeqCst) == 1 && self.0.left.is_cancelled() {
            self.0.progress.notify_waiters();
        }
    }
}
