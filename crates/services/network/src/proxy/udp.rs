//! Datagrams through the proxy: each client keeps its endpoint for a while.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{backend::Backend, port::Port};

/// A client that is silent for this long is a new one.
const SESSION: Duration = Duration::from_secs(60);
/// Datagrams larger than this do not exist.
const DATAGRAM_BYTES: usize = 65_535;
/// As a network would, the proxy drops what an endpoint does not take.
const QUEUE: usize = 256;

/// Passes datagrams on until stopped.
pub async fn serve(socket: UdpSocket, port: Arc<Port>, stop: CancellationToken) {
    let socket = Arc::new(socket);
    let mut sessions: HashMap<SocketAddr, (Arc<Backend>, mpsc::Sender<Vec<u8>>)> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
            Some(_) = tasks.join_next() => {
                sessions.retain(|_, (_, sender)| !sender.is_closed());
                continue;
            }
        };
        // An error here speaks of an earlier answer that could not be delivered.
        let Ok((length, client)) = received else { continue };
        let known = sessions.get(&client).filter(|(backend, sender)| !backend.left.is_cancelled() && !sender.is_closed());
        let sender = match known {
            Some((_, sender)) => sender.clone(),
            None => {
                let Some(lease) = port.pick(client.ip(), &[]) else {
                    port.counts.failed();
                    continue;
                };
                let backend = Arc::clone(&lease);
                let (sender, receiver) = mpsc::channel(QUEUE);
                sessions.insert(client, (Arc::clone(&backend), sender.clone()));
                tasks.spawn(session(Arc::clone(&socket), client, backend, Arc::clone(&port), receiver));
                sender
            }
        };
        if sender.try_send(buffer[..length].to_vec()).is_err() {
            port.counts.failed();
        }
    }
}

async fn session(
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    backend: Arc<Backend>,
    port: Arc<Port>,
    mut receiver: mpsc::Receiver<Vec<u8>>,
) {
    let Ok(endpoint) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await else { return };
    if endpoint.connect(backend.address).await.is_err() {
        return;
    }
    let all = [&port.counts, &backend.counts, &*backend.version];
    all.iter().for_each(|counts| counts.opened());
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        let step = timeout(SESSION, async {
            tokio::select! {
                datagram = receiver.recv() => match datagram {
                    // A lost datagram is the client's to repeat.
                    Some(datagram) => { endpoint.send(&datagram).await.ok(); true }
                    None => false,
                },
                length = endpoint.recv(&mut buffer) => match length {
                    Ok(length) => socket.send_to(&buffer[..length], client).await.is_ok(),
                    Err(_) => false,
                },
            }
        });
        if !step.await.unwrap_or(false) {
            break;
        }
    }
    all.iter().for_each(|counts| counts.closed());
}
