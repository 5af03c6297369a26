//! Carries out what probes and hooks do: a program, an HTTP request, a connection, a gRPC call, a pause.

mod exec;
mod grpc;
mod http;
mod tls;

pub use exec::fresh_name;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sandbox::{Process, Sandbox, SandboxId};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    fault,
    pod::{Container, Handler, TcpSocket},
    probe::Answer,
};

/// The container that a handler is for.
#[derive(Clone)]
pub struct Subject {
    pub sandbox: Arc<dyn Sandbox>,
    pub id: SandboxId,
    pub container: Arc<Container>,
    pub address: IpAddr,
    /// The main process, whose user, folder and variables further programs get.
    pub process: Arc<Process>,
}

/// Tries a probe once.
pub async fn probe(subject: &Subject, handler: &Handler, limit: Duration) -> Answer {
    if let Some(action) = &handler.exec {
        return exec::probe(subject, &action.command, limit).await;
    }
    if let Some(action) = &handler.http_get {
        return http::probe(subject, action, limit).await;
    }
    if let Some(action) = &handler.tcp_socket {
        return connect(subject, action, limit).await;
    }
    if let Some(action) = &handler.grpc {
        return grpc::probe(subject, action, limit).await;
    }
    Answer::Failure("missing probe handler".to_owned())
}

/// Carries out a hook; it takes as long as it takes.
pub async fn hook(subject: &Subject, handler: &Handler) -> Result<(), String> {
    if let Some(action) = &handler.exec {
        return exec::hook(subject, &action.command).await;
    }
    if let Some(action) = &handler.http_get {
        return http::hook(subject, action).await;
    }
    if let Some(action) = &handler.sleep {
        tokio::time::sleep(Duration::from_secs(action.seconds)).await;
        return Ok(());
    }
    match &handler.tcp_socket {
        Some(action) => match connect(subject, action, Duration::from_secs(30)).await {
            Answer::Success => Ok(()),
            Answer::Failure(text) => Err(text),
        },
        None => Err("invalid handler: expected one of exec, httpGet, sleep".to_owned()),
    }
}

async fn connect(subject: &Subject, action: &TcpSocket, limit: Duration) -> Answer {
    let Some(port) = subject.container.port_number(&action.port) else {
        return Answer::Failure(format!("invalid port `{}`", action.port));
    };
    let address = match resolve(subject, action.host.as_deref(), port).await {
        Ok(address) => address,
        Err(text) => return Answer::Failure(text),
    };
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Answer::Success,
        Ok(Err(error)) => Answer::Failure(fault::dial(address, &error)),
        Err(_) => Answer::Failure(format!("dial tcp {address}: i/o timeout")),
    }
}

/// The address behind a handler's host, which is the pod unless it says otherwise.
async fn resolve(subject: &Subject, host: Option<&str>, port: u16) -> Result<SocketAddr, String> {
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Ok(SocketAddr::new(subject.address, port));
    };
    let mut found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| format!("lookup {host}: no such host"))?;
    found
        .next()
        .ok_or_else(|| format!("lookup {host}: no such host"))
}
