//! Connections of servers to the spawner: requests in, answers out.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::sockopt;

use crate::{
    Error,
    wire::{self, Inbox, Reply, Request},
};

/// A server that does not read its answers for so long is gone.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// One connection; several may be open at once.
pub struct Client {
    socket: OwnedFd,
    inbox: Inbox,
}

impl Client {
    /// Takes a connection of our own user only.
    pub fn accept(socket: OwnedFd) -> io::Result<Self> {
        let peer = sockopt::socket_peercred(&socket)?;
        if peer.uid != rustix::process::geteuid() {
            return Err(io::Error::other(format!("user {} may not ask", peer.uid.as_raw())));
        }
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(PATIENCE))?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { socket, inbox: Inbox::default() })
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Receives what is there; `false` when the other side is gone.
    pub fn receive(&mut self) -> bool {
        self.inbox.receive(&self.socket).unwrap_or(false)
    }

    /// The next request, if it is whole.
    pub fn request(&mut self) -> io::Result<Option<Request>> {
        self.inbox.take()
    }

    pub fn reply(&self, reply: &Reply, descriptors: &[OwnedFd]) -> io::Result<()> {
        let bytes = wire::frame(reply)?;
        let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut sent = wire::send(&self.socket, &bytes, &descriptors)?;
        while sent < bytes.len() {
            sent += wire::send(&self.socket, &bytes[sent..], &[])?;
        }
        Ok(())
    }
}

/// The answer to a request that failed.
pub fn failed(error: Error) -> Reply {
    Reply::Failed(error.into())
}
