//! HTTP requests of probes and hooks.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{Subject, resolve, tls};
use crate::{fault, pod::HttpGet, probe::Answer};

const MOST_REDIRECTS: usize = 10;

/// As much of an answer as is looked at.
const BODY_BYTES: usize = 10 * 1024;

/// Long enough for any sensible hook; the grace period usually ends it before.
const HOOK_LIMIT: Duration = Duration::from_secs(600);

/// Healthy is what answers below 400.
pub async fn probe(subject: &Subject, action: &HttpGet, limit: Duration) -> Answer {
    let url = match url(subject, action) {
        Ok(url) => url,
        Err(text) => return Answer::Failure(text),
    };
    match timeout(limit, follow(subject, action, &url)).await {
        Ok(Ok(status)) if status < 400 => Answer::Success,
        Ok(Ok(status)) => Answer::Failure(format!("HTTP probe failed with statuscode: {status}")),
        Ok(Err(text)) => Answer::Failure(format!("Get \"{url}\": {text}")),
        Err(_) => Answer::Failure(format!(
            "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )),
    }
}

/// Any answer will do for a hook.
pub async fn hook(subject: &Subject, action: &HttpGet) -> Result<(), String> {
    let url = url(subject, action)?;
    let sent = timeout(HOOK_LIMIT, get(subject, action, &url)).await;
    let sent = sent.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()));
    sent.map(drop)
        .map_err(|text| format!("Get \"{url}\": {text}"))
}

fn url(subject: &Subject, action: &HttpGet) -> Result<Uri, String> {
    let port = subject.container.port_number(&action.port);
    let port = port.ok_or_else(|| format!("couldn't find port: {}", action.port))?;
    let scheme = action.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
    let host = match action.host.as_deref().filter(|host| !host.is_empty()) {
        Some(host) => host.to_owned(),
        None => subject.address.to_string(),
    };
    let path = action.path.strip_prefix('/').unwrap_or(&action.path);
    let text = format!("{scheme}://{host}:{port}/{path}");
    text.parse()
        .map_err(|_| format!("parse \"{text}\": invalid URL"))
}

/// Follows redirects on the same host; one that leads elsewhere counts as an answer.
async fn follow(subject: &Subject, action: &HttpGet, first: &Uri) -> Result<u16, String> {
    let mut url = first.clone();
    for _ in 0..MOST_REDIRECTS {
        let answer = get(subject, action, &url).await?;
        let location = answer
            .headers()
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok());
        let next = match (answer.status().as_u16(), location) {
            (301 | 302 | 303 | 307 | 308, Some(location)) => joined(&url, location),
            _ => None,
        };
        match next {
            Some(next) if next.host() == first.host() => url = next,
            Some(_) | None => return Ok(answer.status().as_u16()),
        }
    }
    Err(format!("stopped after {MOST_REDIRECTS} redirects"))
}

fn joined(base: &Uri, location: &str) -> Option<Uri> {
    if location.contains("://") {
        return location.parse().ok();
    }
    let base_path = base
        .path()
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let path = if location.starts_with('/') {
        location.to_owned()
    } else {
        format!("{base_path}/{location}")
    };
    format!("{}://{}{path}", base.scheme_str()?, base.authority()?)
        .parse()
        .ok()
}

async fn get(subject: &Subject, action: &HttpGet, url: &Uri) -> Result<Response<()>, String> {
    let is_tls = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let host = url
        .host()
        .filter(|host| *host != subject.address.to_string());
    let address = resolve(subject, host, port).await?;
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| fault::dial(address, &error))?;
    let request = request(action, url)?;
    if is_tls {
        let stream = tls::connect(address.ip(), stream).await;
        return exchange(stream.map_err(|error| fault::plain(&error))?, request).await;
    }
    exchange(stream, request).await
}

fn request(action: &HttpGet, url: &Uri) -> Result<Request<Empty<Bytes>>, String> {
    let mut headers = HeaderMap::new();
    let own = action
        .http_headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.as_str()));
    for (name, value) in own {
        let name =
            HeaderName::try_from(name).map_err(|_| format!("invalid header name `{name}`"))?;
        let value = HeaderValue::try_from(value)
            .map_err(|_| format!("invalid value of the header `{name}`"))?;
        headers.append(name, value);
    }
    let host = url.authority().map_or("", |authority| authority.as_str());
    for (name, value) in [
        (header::HOST, host),
        (header::USER_AGENT, "kube-probe/1.34"),
        (header::ACCEPT, "*/*"),
    ] {
        if let (false, Ok(value)) = (headers.contains_key(&name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path)
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    Ok(request)
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Response<()>, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| words(&error))?;
    let exchange = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| words(&error))?;
        let (head, body) = answer.into_parts();
        drain(body).await;
        Ok(Response::from_parts(head, ()))
    };
    let mut exchange = std::pin::pin!(exchange);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        closed = &mut connection => match closed {
            // The answer may have come with the end of the connection.
            Ok(()) => exchange.await,
            Err(error) => Err(words(&error)),
        },
    }
}

async fn drain(body: Incoming) {
    // What cannot be read does not change the status that was already received.
    let _ = Limited::new(body, BODY_BYTES).collect().await;
}

fn words(error: &hyper::Error) -> String {
    use std::error::Error as _;
    match error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
    {
        Some(source) => fault::plain(source),
        None if error.is_incomplete_message() => "EOF".to_owned(),
        None => error.to_string(),
    }
}
