//! HTTP through the proxy: each request finds its own endpoint.
//!
//! A request is repeated when that can do no harm: it never left, or it is
//! idempotent and its body is at hand. One that must not be repeated goes over
//! a new connection, because a waiting one may be closed by the other side in
//! the very moment it is used.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts};
use http_body_util::BodyExt as _;
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::http1::SendRequest, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{
    backend::Lease,
    body::{Answer, End, Load, Passing},
    port::Port,
};

/// A body up to this size is kept until the answer begins, so that its request can be repeated.
const KEPT_BODY_BYTES: u64 = 64 * 1024;
/// All endpoints may refuse for a moment while the news of a change is under way; this often the round starts anew.
const ROUNDS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The first pod may be ready a moment before the news of it is here, and the last one may leave a moment before its successor comes.
const EMPTY_PATIENCE: Duration = Duration::from_millis(400);
/// More tries than this help nobody: the client's own time is running.
const TRIES: u32 = 12;

/// Headers that speak of one connection only.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Serves one client's connection until it closes, or until the listener stops and its last answer is out.
pub async fn serve<S>(stream: S, client: SocketAddr, port: Arc<Port>, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let port = Arc::clone(&port);
        async move { Ok::<_, Infallible>(forward(port, client.ip(), request).await) }
    });
    let mut builder = http1::Builder::new();
    // Waiting clients are kept for as long as they like: closing one just when it speaks would lose its request.
    builder.preserve_header_case(true).header_read_timeout(None);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a client's connection ended");
    }
}

async fn forward(port: Arc<Port>, client: IpAddr, request: Request<Incoming>) -> Response<Answer> {
    let started = Instant::now();
    match try_forward(&port, client, request, started).await {
        Ok(response) => response,
        Err(refusal) => {
            if refusal.status.is_server_error() {
                port.counts.failed();
            }
            port.counts.answered(refusal.status, started.elapsed());
            refusal.into_response()
        }
    }
}

/// Why the proxy answers in an endpoint's place.
struct Refusal {
    status: StatusCode,
    words: String,
}

impl Refusal {
    fn nobody(port: &Port) -> Self {
        let words = format!("No endpoint of service {} is ready.\n", port.id.service);
        Self { status: StatusCode::SERVICE_UNAVAILABLE, words }
    }

    fn unanswered(port: &Port, why: &str) -> Self {
        let words = format!("No endpoint of service {} answered: {why}.\n", port.id.service);
        Self { status: StatusCode::BAD_GATEWAY, words }
    }

    fn into_response(self) -> Response<Answer> {
        let mut response = Response::new(Answer::Own(Some(Bytes::from(self.words))));
        *response.status_mut() = self.status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        response
    }
}

/// What is left of a request's body for another try.
enum Kept {
    Bytes(Bytes),
    Stream(Option<Incoming>),
}

async fn try_forward(
    port: &Arc<Port>,
    client: IpAddr,
    mut request: Request<Incoming>,
    started: Instant,
) -> Result<Response<Answer>, Refusal> {
    let upgrade = wanted_upgrade(request.headers());
    let on_upgrade = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    clean(&mut parts.headers, upgrade.as_ref());
    parts.headers.remove(header::EXPECT);
    parts.version = Version::HTTP_11;
    let mut kept = keep(&parts, body).await?;
    let repeatable = matches!(kept, Kept::Bytes(_)) && is_idempotent(&parts.method);
    let reuse = repeatable && upgrade.is_none();
    if tokio::time::timeout(EMPTY_PATIENCE, port.occupied()).await.is_err() {
        return Err(Refusal::nobody(port));
    }
    let mut tried = Vec::new();
    let mut round = 1;
    let mut why = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            port.counts.retried();
        }
        let lease = match port.pick(client, &tried) {
            Some(lease) => lease,
            None if tried.is_empty() || !port.has_endpoints() => return Err(Refusal::nobody(port)),
            None if round >= ROUNDS => break,
            None => {
                tokio::time::sleep(FIRST_PAUSE * round).await;
                round += 1;
                tried.clear();
                continue;
            }
        };
        let (sender, reused) = match reuse.then(|| lease.take_idle()).flatten() {
            Some(sender) => (sender, true),
            None => match lease.connect_http().await {
                Ok(sender) => (sender, false),
                Err(error) => {
                    lease.failed();
                    tried.push(lease.address);
                    why = error.to_string();
                    continue;
                }
            },
        };
        name_host(&mut parts.headers, lease.address);
        match send(sender, &parts, &mut kept).await {
            Sent::Answered(response, sender) => {
                let answered = Answered { response, sender, lease, port: Arc::clone(port), started };
                return Ok(match on_upgrade {
                    Some(on_upgrade) if answered.response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                        answered.upgrade(on_upgrade)
                    }
                    Some(_) | None => answered.pass(),
                });
            }
            Sent::Unsent => {}
            Sent::Lost(error) => {
                why = error;
                if !repeatable {
                    lease.failed();
                    break;
                }
            }
        }
        // A waiting connection that failed says nothing about its endpoint; a new one does.
        if !reused {
            lease.failed();
            tried.push(lease.address);
        }
    }
    Err(Refusal::unanswered(port, &why))
}

enum Sent {
    Answered(Response<Incoming>, SendRequest<Load>),
    /// Nothing of it went out.
    Unsent,
    /// It went out, in part at least, and no answer came.
    Lost(String),
}

async fn send(mut sender: SendRequest<Load>, parts: &Parts, kept: &mut Kept) -> Sent {
    let load = match kept {
        Kept::Bytes(bytes) => Load::of(bytes),
        Kept::Stream(stream) => match stream.take() {
            Some(stream) => Load::Stream(stream),
            None => return Sent::Lost("the request's body is spent".to_owned()),
        },
    };
    let mut request = Request::new(load);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = parts.headers.clone();
    match sender.try_send_request(request).await {
        Ok(response) => Sent::Answered(response, sender),
        Err(mut error) => match error.take_message() {
            Some(request) => {
                if let (Kept::Stream(stream), Load::Stream(body)) = (kept, request.into_body()) {
                    *stream = Some(body);
                }
                Sent::Unsent
            }
            None => Sent::Lost(error.error().to_string()),
        },
    }
}

struct Answered {
    response: Response<Incoming>,
    sender: SendRequest<Load>,
    lease: Lease,
    port: Arc<Port>,
    started: Instant,
}

impl Answered {
    fn pass(self) -> Response<Answer> {
        let (mut parts, body) = self.response.into_parts();
        clean(&mut parts.headers, None);
        parts.version = Version::HTTP_11;
        let passing = Passing {
            body,
            sender: Some(self.sender),
            lease: self.lease,
            port: self.port,
            status: parts.status,
            started: self.started,
            end: End::Open,
        };
        Response::from_parts(parts, Answer::Passed(Box::new(passing)))
    }

    /// From here on both sides speak their own protocol.
    fn upgrade(mut self, client: hyper::upgrade::OnUpgrade) -> Response<Answer> {
        let endpoint = hyper::upgrade::on(&mut self.response);
        let upgrade = wanted_upgrade(self.response.headers());
        let (mut parts, _) = self.response.into_parts();
        clean(&mut parts.headers, upgrade.as_ref());
        let (port, backend) = (self.port, Arc::clone(&self.lease));
        for counts in [&port.counts, &backend.counts, &*backend.version] {
            counts.answered(parts.status, self.started.elapsed());
            counts.opened();
        }
        // It ends with either side, and nobody waits for it.
        tokio::spawn(async move {
            if let (Ok(client), Ok(endpoint)) = tokio::join!(client, endpoint) {
                let (mut client, mut endpoint) = (TokioIo::new(client), TokioIo::new(endpoint));
                if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut endpoint).await {
                    tracing::trace!(%error, "an upgraded connection ended");
                }
            }
            for counts in [&port.counts, &backend.counts, &*backend.version] {
                counts.closed();
            }
        });
        Response::from_parts(parts, Answer::Own(None))
    }
}

/// Takes a small body in; a large one stays a stream and can be sent once.
async fn keep(parts: &Parts, body: Incoming) -> Result<Kept, Refusal> {
    if body.is_end_stream() {
        return Ok(Kept::Bytes(Bytes::new()));
    }
    // Whoever waits for `100 Continue` or sends in chunks may not send at all before it hears something.
    let small = body.size_hint().exact().is_some_and(|size| size <= KEPT_BODY_BYTES);
    if !small || parts.headers.contains_key(header::EXPECT) {
        return Ok(Kept::Stream(Some(body)));
    }
    match body.collect().await {
        Ok(collected) => Ok(Kept::Bytes(collected.to_bytes())),
        Err(_) => {
            let words = "The request ended before its body was complete.\n".to_owned();
            Err(Refusal { status: StatusCode::BAD_REQUEST, words })
        }
    }
}

fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}

/// The protocol that the other side wants to change to.
fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let connection = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = connection.flat_map(|value| value.split(','));
    options.any(|option| option.trim().eq_ignore_ascii_case("upgrade")).then(|| headers.get(header::UPGRADE).cloned())?
}

/// HTTP/1.0 clients need not say whom they mean; HTTP/1.1 servers must be told.
fn name_host(headers: &mut HeaderMap, address: SocketAddr) {
    if !headers.contains_key(header::HOST)
        && let Ok(host) = address.to_string().parse()
    {
        headers.insert(header::HOST, host);
    }
}

/// Drops what concerns one connection only, and names the upgrade anew if there is one.
fn clean(headers: &mut HeaderMap, upgrade: Option<&HeaderValue>) {
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let trailers = headers.get(header::TE).is_some_and(|value| value == "trailers");
    for name in HOP_BY_HOP.iter().chain(&listed) {
        headers.remove(name);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, upgrade.clone());
    }
}
