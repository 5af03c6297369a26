//! The sockets of the Services' addresses.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::net::{TcpListener, UdpSocket};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    port::{Port, Transport},
    tcp, udp,
};

/// Another program may hold a port for a while, or file descriptors may run out.
const BIND_PAUSE: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub type Place = (IpAddr, u16, Transport);

/// All open sockets; each ends when it is no longer wanted.
#[derive(Debug)]
pub struct Listeners {
    open: BTreeMap<Place, (Arc<Port>, CancellationToken)>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Listeners {
    pub fn new(tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { open: BTreeMap::new(), tasks, stop }
    }

    /// Opens what is wanted for one Service and closes what it had else.
    pub fn set(&mut self, wanted: &BTreeMap<Place, Arc<Port>>, service: &workload::Key) {
        self.open.retain(|place, (port, stop)| {
            let keep = port.id.service != *service || wanted.get(place).is_some_and(|it| Arc::ptr_eq(it, port));
            if !keep {
                stop.cancel();
            }
            keep
        });
        for (place, port) in wanted {
            if self.open.contains_key(place) {
                continue;
            }
            let stop = self.stop.child_token();
            self.open.insert(*place, (Arc::clone(port), stop.clone()));
            self.tasks.spawn(listen(*place, Arc::clone(port), stop, self.tasks.clone()));
        }
    }
}

async fn listen(place: Place, port: Arc<Port>, stop: CancellationToken, tasks: TaskTracker) {
    let (address, number, transport) = place;
    let address = SocketAddr::new(address, number);
    let mut said = false;
    loop {
        let served = match transport {
            Transport::Tcp => match TcpListener::bind(address).await {
                Ok(listener) => {
                    accept(listener, port, stop, tasks).await;
                    return;
                }
                Err(error) => error,
            },
            Transport::Udp => match UdpSocket::bind(address).await {
                Ok(socket) => {
                    udp::serve(socket, port, stop).await;
                    return;
                }
                Err(error) => error,
            },
        };
        if !std::mem::replace(&mut said, true) {
            tracing::warn!(error = %served, %address, service = %port.id.service, "a service's address could not be opened");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BIND_PAUSE) => {}
        }
    }
}

async fn accept(listener: TcpListener, port: Arc<Port>, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted: io::Result<_> = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let connection = tcp::serve(stream, from, Arc::clone(&port), stop.clone());
                tasks.spawn(connection);
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
