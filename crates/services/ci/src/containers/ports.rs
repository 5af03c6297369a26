//! Makes ports of services reachable on this machine, as `ports:` asks.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// One entry of `ports:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// On this machine; any free one if the file does not say.
    pub host: Option<u16>,
    pub container: u16,
}

/// Reads `8080:80`, `80`, `80/tcp`, `127.0.0.1:8080:80`.
pub fn parse(text: &str) -> Result<Wanted, String> {
    let wrong = || format!("ports: expected `80` or `8080:80`, found `{text}`");
    let (plain, protocol) = text.trim().split_once('/').unwrap_or((text.trim(), "tcp"));
    if protocol != "tcp" {
        return Err(format!("ports: `{text}`: only TCP ports of services can be reached from the machine"));
    }
    let mut parts = plain.rsplit(':');
    let container = parts.next().and_then(|it| it.parse().ok()).ok_or_else(wrong)?;
    let host = parts.next().map(|it| it.parse().map_err(|_| wrong())).transpose()?;
    Ok(Wanted { host, container })
}

/// Forwarders of one job; they end when it is dropped.
#[derive(Default)]
pub struct Forwarders {
    tasks: JoinSet<()>,
}

impl Forwarders {
    /// Listens on this machine for a port of a service; tells under which.
    pub async fn add(&mut self, host: Option<u16>, target: SocketAddr) -> Result<u16, String> {
        let asked = SocketAddr::from((Ipv4Addr::LOCALHOST, host.unwrap_or(0)));
        let listener = TcpListener::bind(asked).await.map_err(|error| format!("the port {}: {error}", asked.port()))?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        self.tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                tokio::select! {
                    taken = listener.accept() => match taken {
                        Ok((client, _)) => drop(open.spawn(forward(client, target))),
                        Err(error) => {
                            tracing::debug!(%error, "a connection to a service was not taken");
                            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        }
                    },
                    Some(_) = open.join_next() => {}
                }
            }
        });
        Ok(port)
    }
}

async fn forward(mut client: TcpStream, target: SocketAddr) {
    // Whoever connects to a service that is not there is hung up on, as by Docker's own forwarder.
    if let Ok(mut service) = TcpStream::connect(target).await {
        let _ = copy_bidirectional(&mut client, &mut service).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_docker_reads_them() {
        assert_eq!(parse("80"), Ok(Wanted { host: None, container: 80 }));
        assert_eq!(parse("127.0.0.1:8080:80/tcp"), Ok(Wanted { host: Some(8080), container: 80 }));
        assert!(parse("53:53/udp").is_err());
        assert!(parse("web").is_err());
    }
}
