//! One HTTP connection to the app, with nothing between that could try again.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{net::TcpStream, time::timeout};

/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a connection serves one request or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Once,
    Kept,
}

/// What the app answers at `/`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Answer {
    pub app: String,
    pub version: u32,
    pub greeting: String,
    pub pod: String,
}

/// A connection that may be open.
pub struct Wire {
    address: SocketAddr,
    kind: Use,
    open: Option<SendRequest<Empty<Bytes>>>,
}

impl Wire {
    pub fn new(address: SocketAddr, kind: Use) -> Self {
        Self { address, kind, open: None }
    }

    /// Asks once; an error says in words what went wrong.
    pub async fn ask(&mut self) -> Result<Answer, String> {
        match timeout(PATIENCE, self.try_ask()).await {
            Ok(answer) => answer,
            Err(_) => {
                self.open = None;
                Err(format!("no answer within {PATIENCE:?}"))
            }
        }
    }

    async fn try_ask(&mut self) -> Result<Answer, String> {
        let (mut sender, is_fresh) = match self.open.take() {
            Some(sender) => (sender, false),
            None => (self.connect().await?, true),
        };
        let kept = if is_fresh { "a new connection" } else { "a kept connection" };
        let connection = if self.kind == Use::Once { "close" } else { "keep-alive" };
        let request = http::Request::get("/")
            .header(http::header::HOST, self.address.to_string())
            .header(http::header::CONNECTION, connection)
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        sender.ready().await.map_err(|error| format!("{kept} was closed: {}", whole(&error)))?;
        let answer = sender.send_request(request).await.map_err(|error| format!("{kept}: {}", whole(&error)))?;
        let status = answer.status();
        let says_close = answer.headers().get(http::header::CONNECTION).is_some_and(|it| it == "close");
        let body = answer.into_body().collect().await.map_err(|error| format!("{kept}: {}", whole(&error)))?;
        let body = body.to_bytes();
        if self.kind == Use::Kept && !says_close {
            self.open = Some(sender);
        }
        if status != http::StatusCode::OK {
            return Err(format!("status {status}: {}", String::from_utf8_lossy(&body).trim()));
        }
        serde_json::from_slice(&body).map_err(|error| format!("the answer is not readable: {error}"))
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, String> {
        let stream = TcpStream::connect(self.address).await.map_err(|error| format!("no connection: {error}"))?;
        // Otherwise small requests may wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| format!("no connection: {error}"))?;
        // What goes wrong is seen by the request that uses it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// An error with what caused it.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
