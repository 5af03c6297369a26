//! An HTTP server to kill, and a client that keeps its connection.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

/// A server that answers with its name; `/slow` waits to be released.
pub struct Endpoint {
    pub address: SocketAddr,
    task: JoinHandle<()>,
    signs: Arc<Signs>,
}

struct Signs {
    connected: Semaphore,
    asked: Semaphore,
    released: Semaphore,
}

impl Endpoint {
    pub async fn start(address: SocketAddr, name: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let zero = || Semaphore::new(0);
        let signs = Arc::new(Signs { connected: zero(), asked: zero(), released: zero() });
        let (name, shared) = (Bytes::from(name.to_owned()), Arc::clone(&signs));
        let task = tokio::spawn(async move {
            // The connections end with the set, and the set with this task.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                shared.connected.add_permits(1);
                let (name, signs) = (name.clone(), Arc::clone(&shared));
                let service = service_fn(move |request| answer(request, name.clone(), Arc::clone(&signs)));
                connections.spawn(async move {
                    // A client may leave as it likes.
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        Self { address, task, signs }
    }

    /// Ends at once, with all connections.
    pub async fn kill(self) {
        self.task.abort();
        self.task.await.expect_err("it was cancelled");
    }

    pub async fn connected(&self) {
        self.signs.connected.acquire().await.expect("open").forget();
    }

    pub async fn asked(&self) {
        self.signs.asked.acquire().await.expect("open").forget();
    }

    pub fn release(&self) {
        self.signs.released.add_permits(1);
    }
}

async fn answer(request: Request<Incoming>, name: Bytes, signs: Arc<Signs>) -> Result<Response<Full<Bytes>>, Infallible> {
    let slow = request.uri().path() == "/slow";
    let body = request.into_body().collect().await;
    signs.asked.add_permits(1);
    if slow {
        signs.released.acquire().await.expect("open").forget();
    }
    let status = if body.is_ok() { 200 } else { 400 };
    Ok(Response::builder().status(status).body(Full::new(name)).expect("a response"))
}

pub struct Client(BufStream<TcpStream>);

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(BufStream::new(TcpStream::connect(address).await.expect("a connection")))
    }

    pub async fn request(&mut self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        self.send(method, path, body).await;
        self.receive().await
    }

    pub async fn send(&mut self, method: &str, path: &str, body: &str) {
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: web\r\nContent-Length: {length}\r\n\r\n{body}");
        self.0.write_all(request.as_bytes()).await.expect("sent");
        self.0.flush().await.expect("sent");
    }

    pub async fn receive(&mut self) -> io::Result<(u16, String)> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
