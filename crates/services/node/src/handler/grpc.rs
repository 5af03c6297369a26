//! The gRPC health check, small enough to be written and read by hand.

use std::{net::SocketAddr, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, time::timeout};

use super::Subject;
use crate::{fault, pod::Grpc, probe::Answer};

pub async fn probe(subject: &Subject, action: &Grpc, limit: Duration) -> Answer {
    let address = SocketAddr::new(subject.address, action.port);
    match timeout(limit, check(address, &action.service)).await {
        Ok(Ok(())) => Answer::Success,
        Ok(Err(text)) => Answer::Failure(text),
        Err(_) => Answer::Failure(format!(
            "timeout: failed to connect service \"{address}\" within {}s",
            limit.as_secs()
        )),
    }
}

async fn check(address: SocketAddr, service: &str) -> Result<(), String> {
    let stream = TcpStream::connect(address).await.map_err(|error| {
        format!(
            "error: this server is not reachable: {}",
            fault::dial(address, &error)
        )
    })?;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let request = Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "kube-probe/1.34")
        .body(Full::new(question(service)))
        .map_err(|error| error.to_string())?;
    let answer = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let head_status = answer.headers().get("grpc-status").cloned();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        let status = body
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status").cloned())
            .or(head_status);
        verdict(
            status.as_ref().and_then(|status| status.to_str().ok()),
            &body.to_bytes(),
        )
    };
    let answer = answer.await;
    driver.abort();
    answer
}

/// A message of five header bytes and the service's name as field 1.
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if let (false, Ok(length)) = (service.is_empty(), u8::try_from(service.len())) {
        message.put_u8(0x0a);
        if length > 127 {
            message.put_slice(&[length | 0x80, 1]);
        } else {
            message.put_u8(length);
        }
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(&message);
    framed.freeze()
}

fn verdict(status: Option<&str>, body: &[u8]) -> Result<(), String> {
    const UNIMPLEMENTED: &str = "12";
    match status {
        Some("0") | None => {}
        Some(UNIMPLEMENTED) => {
            return Err("error: this server does not implement the grpc health protocol (grpc.health.v1.Health)".to_owned());
        }
        Some(code) => {
            return Err(format!(
                "error: health rpc failed: rpc error: code = {code}"
            ));
        }
    }
    match body.get(5..) {
        Some([0x08, 1, ..]) => Ok(()),
        Some([0x08, 2, ..]) => Err("service unhealthy (responded with \"NOT_SERVING\")".to_owned()),
        Some([0x08, 3, ..]) => {
            Err("service unhealthy (responded with \"SERVICE_UNKNOWN\")".to_owned())
        }
        Some(_) | None => Err("service unhealthy (responded with \"UNKNOWN\")".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_and_read() {
        assert_eq!(&question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&question("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(verdict(Some("0"), &[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        assert!(
            verdict(Some("0"), &[0, 0, 0, 0, 2, 8, 2]).is_err()
                && verdict(Some("12"), &[]).is_err()
        );
    }
}
