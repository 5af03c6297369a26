//! Connections through the proxy: finds out what they are, and passes on what is not HTTP as it is.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    backend::Backend,
    http,
    port::Port,
    sniff::{Rewound, Verdict, judge},
};

/// Who says nothing for this long may be waiting for the server to speak first.
const SILENCE: Duration = Duration::from_millis(30);
/// Who began a request line but does not finish it is no HTTP client.
const REST_OF_LINE: Duration = Duration::from_secs(2);

/// Serves one connection to its end.
pub async fn serve(client: TcpStream, from: SocketAddr, port: Arc<Port>, stop: CancellationToken) {
    if let Err(error) = try_serve(client, from, &port, stop).await {
        tracing::trace!(%error, service = %port.id.service, "a connection ended");
    }
}

async fn try_serve(mut client: TcpStream, from: SocketAddr, port: &Arc<Port>, stop: CancellationToken) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut first = Vec::new();
    loop {
        match judge(&first) {
            Verdict::Http => {
                http::serve(Rewound::new(first, client), from, Arc::clone(port), stop).await;
                return Ok(());
            }
            Verdict::Other => return splice(client, from, port, first).await,
            Verdict::Unsure => {}
        }
        let patience = if first.is_empty() { SILENCE } else { REST_OF_LINE };
        match timeout(patience, client.read_buf(&mut first)).await {
            Ok(Ok(0)) if first.is_empty() => return Ok(()),
            Ok(Ok(0)) => return splice(client, from, port, first).await,
            Ok(read) => drop(read?),
            Err(_) if first.is_empty() => match who_speaks(&mut client, from, port, &mut first).await? {
                Speaker::Client => {}
                Speaker::Endpoint(backend, endpoint) => return join(client, &backend, endpoint, port).await,
                Speaker::Nobody => return Ok(()),
            },
            Err(_) => return splice(client, from, port, first).await,
        }
    }
}

enum Speaker {
    Client,
    Endpoint(Arc<Backend>, TcpStream),
    Nobody,
}

/// Calls an endpoint and waits for the first word of either side.
///
/// A browser may open a connection long before it asks: if it turns out to
/// speak HTTP, the call to this one endpoint was for nothing and is dropped.
async fn who_speaks(client: &mut TcpStream, from: SocketAddr, port: &Port, first: &mut Vec<u8>) -> io::Result<Speaker> {
    loop {
        let Some((backend, endpoint)) = call(from, port).await else {
            // Nobody to ask; an HTTP client that speaks up later still gets a proper answer.
            return Ok(if client.read_buf(first).await? > 0 { Speaker::Client } else { Speaker::Nobody });
        };
        tokio::select! {
            biased;
            read = client.read_buf(first) => return Ok(if read? > 0 { Speaker::Client } else { Speaker::Nobody }),
            readable = endpoint.readable() => {
                readable?;
                return Ok(Speaker::Endpoint(backend, endpoint));
            }
            () = backend.left.cancelled() => {}
        }
    }
}

async fn splice(client: TcpStream, from: SocketAddr, port: &Port, first: Vec<u8>) -> io::Result<()> {
    let Some((backend, mut endpoint)) = call(from, port).await else {
        port.counts.failed();
        // A reset says what a refused connection would have said.
        return client.set_zero_linger();
    };
    endpoint.write_all(&first).await?;
    join(client, &backend, endpoint, port).await
}

async fn join(mut client: TcpStream, backend: &Backend, mut endpoint: TcpStream, port: &Port) -> io::Result<()> {
    let all = [&port.counts, &backend.counts, &*backend.version];
    all.iter().for_each(|counts| counts.opened());
    let ended = copy_bidirectional(&mut client, &mut endpoint).await;
    all.iter().for_each(|counts| counts.closed());
    if ended.is_err() {
        // A reset of one side is passed on as one.
        client.set_zero_linger()?;
    }
    ended.map(drop)
}

/// Connects to one endpoint after the other until one answers.
async fn call(from: SocketAddr, port: &Port) -> Option<(Arc<Backend>, TcpStream)> {
    let mut tried = Vec::new();
    loop {
        let lease = port.pick(from.ip(), &tried)?;
        match lease.connect().await {
            Ok(endpoint) => return Some((Arc::clone(&lease), endpoint)),
            Err(_) => {
                lease.failed();
                tried.push(lease.address);
            }
        }
    }
}
