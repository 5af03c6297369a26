//! What the server and the spawner tell each other: length-prefixed JSON over a local socket, file descriptors beside it.

use std::{
    collections::BTreeMap,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{CannotStart, Error, Exit, NetworkName, PodAddress, Process, ProcessName, SandboxId, Spec, Status, Target};

/// Changed whenever an older spawner would not understand a request.
pub const PROTOCOL: u32 = 1;

/// No request or answer is longer; a list of ten thousand sandboxes fits.
const LONGEST: usize = 64 * 1024 * 1024;

/// Input, output and error output at most.
const MOST_DESCRIPTORS: usize = 3;

#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    Hello,
    Run { id: SandboxId, spec: Box<Spec> },
    Exec { id: SandboxId, name: ProcessName, process: Process },
    List,
    /// Answered twice: `Found` at once, `Exit` at the end.
    Attach { id: SandboxId, name: ProcessName },
    Stop { id: SandboxId, target: Target },
    CreateNetwork { name: NetworkName, address: PodAddress },
    RemoveNetwork { name: NetworkName },
    ListNetworks,
    Shutdown { running: Running },
}

/// What a spawner that is to end does with what still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Running {
    /// Stay, and say so.
    Keep,
    Kill,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    Done,
    Hello { protocol: u32 },
    /// With the descriptors of the streams: a terminal, or input, output and error output.
    Started { terminal: bool },
    List(Vec<Status>),
    Found { log: Option<PathBuf> },
    Exit(Exit),
    Networks(BTreeMap<NetworkName, PodAddress>),
    Failed(Failure),
}

/// [`Error`] as it crosses the socket.
#[derive(Debug, Serialize, Deserialize)]
pub enum Failure {
    NoSandbox(SandboxId),
    Exists(SandboxId),
    NotRunning(SandboxId),
    NoProcess(SandboxId, ProcessName),
    ProcessExists(SandboxId, ProcessName),
    NoNetwork(NetworkName),
    CannotStart(CannotStart),
    Machine { what: String, source: String },
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoSandbox(id) => Self::NoSandbox(id),
            Failure::Exists(id) => Self::Exists(id),
            Failure::NotRunning(id) => Self::NotRunning(id),
            Failure::NoProcess(id, name) => Self::NoProcess(id, name),
            Failure::ProcessExists(id, name) => Self::ProcessExists(id, name),
            Failure::NoNetwork(name) => Self::NoNetwork(name),
            Failure::CannotStart(why) => Self::CannotStart(why),
            Failure::Machine { what, source } => Self::Machine { what, source: io::Error::other(source) },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSandbox(id) => Self::NoSandbox(id),
            Error::Exists(id) => Self::Exists(id),
            Error::NotRunning(id) => Self::NotRunning(id),
            Error::NoProcess(id, name) => Self::NoProcess(id, name),
            Error::ProcessExists(id, name) => Self::ProcessExists(id, name),
            Error::NoNetwork(name) => Self::NoNetwork(name),
            Error::CannotStart(why) => Self::CannotStart(why),
            Error::SpawnerGone(source) => Self::Machine { what: "the spawner went away".to_owned(), source: source.to_string() },
            Error::Machine { what, source } => Self::Machine { what, source: source.to_string() },
        }
    }
}

/// A message as it goes over the socket.
pub fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Sends some of `bytes`, and `descriptors` with the first of them.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    Ok(sendmsg(socket, &[io::IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// Puts received bytes together again.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Inbox {
    /// Receives what is there; `false` at the end.
    pub fn receive(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let mut buffer = [0; 64 * 1024];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [io::IoSliceMut::new(&mut buffer)];
        let received = recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        self.bytes.extend_from_slice(&buffer[..received]);
        Ok(received > 0)
    }

    /// Takes the next whole message.
    pub fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some((length, rest)) = self.bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > LONGEST {
            return Err(io::Error::other(format!("a message of {length} bytes is too long")));
        }
        let Some(message) = rest.get(..length) else { return Ok(None) };
        let message = serde_json::from_slice(message)?;
        self.bytes.drain(..4 + length);
        Ok(Some(message))
    }

    pub fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.descriptors)
    }
}
