//! One port for everything: TLS and plain connections are told apart by their first byte.

use std::{io, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A TLS connection begins with a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// A client that says nothing for so long is none.
pub const FIRST_BYTE: Duration = Duration::from_secs(30);

/// Requests under way may end within this time after a stop.
const FAREWELL: Duration = Duration::from_millis(300);

/// Without a file descriptor to accept with, trying again at once only burns the processor.
pub const BREATH: Duration = Duration::from_millis(50);

/// Serves `router` until told to stop.
pub async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    router: Router,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
                connections.spawn(async move {
                    if let Err(error) = greet(stream, acceptor, router, stop).await {
                        tracing::debug!(%error, "a connection ended badly");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    connections.close();
    // Who still waits for an event then is cut off.
    let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
    Ok(())
}

async fn greet(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    if tokio::time::timeout(FIRST_BYTE, stream.peek(&mut first)).await?? == 0 {
        return Ok(());
    }
    if first == [TLS_HANDSHAKE] {
        let stream = tokio::time::timeout(FIRST_BYTE, acceptor.accept(stream)).await??;
        speak(stream, router, stop).await;
    } else {
        speak(stream, router, stop).await;
    }
    Ok(())
}

/// Serves one connection.
pub async fn speak(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    stop: CancellationToken,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(60));
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended badly");
    }
}
