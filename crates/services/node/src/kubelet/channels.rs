//! The channel protocol of `exec` and `attach` over a WebSocket: one byte of channel, then the bytes.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The protocols that are spoken, the preferred first; only the first can close a channel.
pub const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const STDIN: u8 = 0;
pub const STDOUT: u8 = 1;
pub const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// Messages that wait to be sent; whoever writes more waits.
const QUEUE: usize = 16;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    Stdin(Bytes),
    StdinClosed,
    Resize { columns: u16, rows: u16 },
}

/// The way to the client; cheap to clone.
#[derive(Clone)]
pub struct Outgoing {
    queue: mpsc::Sender<Message>,
}

/// The way from the client.
pub struct Incoming {
    socket: SplitStream<WebSocket>,
}

/// Splits a socket and sends in the background; the task ends when every [`Outgoing`] is gone.
pub fn split(socket: WebSocket) -> (Outgoing, Incoming, tokio::task::JoinHandle<()>) {
    let (sink, stream) = socket.split();
    let (queue, waiting) = mpsc::channel(QUEUE);
    let sender = tokio::spawn(send_all(sink, waiting));
    (Outgoing { queue }, Incoming { socket: stream }, sender)
}

async fn send_all(mut sink: SplitSink<WebSocket, Message>, mut waiting: mpsc::Receiver<Message>) {
    while let Some(message) = waiting.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
    // kubectl takes a close without a code for a failure.
    let normal = CloseFrame { code: close_code::NORMAL, reason: Utf8Bytes::default() };
    let _ = sink.send(Message::Close(Some(normal))).await;
    let _ = sink.close().await;
}

impl Outgoing {
    /// Says whether the client still listens.
    pub async fn send(&self, channel: u8, bytes: &[u8]) -> bool {
        let mut message = BytesMut::with_capacity(bytes.len() + 1);
        message.put_u8(channel);
        message.put_slice(bytes);
        self.queue
            .send(Message::Binary(message.freeze()))
            .await
            .is_ok()
    }

    pub async fn status(&self, status: &Value) {
        self.send(STATUS, status.to_string().as_bytes()).await;
    }
}

impl Incoming {
    /// `None` when the client has gone.
    pub async fn next(&mut self) -> Option<Input> {
        loop {
            match self.socket.next().await?.ok()? {
                Message::Binary(bytes) => {
                    if let Some(input) = read(&bytes) {
                        return Some(input);
                    }
                }
                Message::Text(text) => {
                    if let Some(input) = read(&Bytes::from(text)) {
                        return Some(input);
                    }
                }
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) => {}
            }
        }
    }
}

fn read(message: &Bytes) -> Option<Input> {
    match *message.first()? {
        STDIN => Some(Input::Stdin(message.slice(1..))),
        RESIZE => {
            let size: Value = serde_json::from_slice(&message[1..]).ok()?;
            let side = |name: &str| {
                size[name]
                    .as_u64()
                    .and_then(|side| u16::try_from(side).ok())
            };
            Some(Input::Resize {
                columns: side("Width")?,
                rows: side("Height")?,
            })
        }
        CLOSE if message.get(1) == Some(&STDIN) => Some(Input::StdinClosed),
        _ => None,
    }
}

/// The status of a command that ended, as channel 3 carries it.
pub fn exit_status(code: i32) -> Value {
    if code == 0 {
        return json!({ "metadata": {}, "status": "Success" });
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "reason": "NonZeroExitCode",
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}

/// The status of a command that could not be run.
pub fn error_status(message: &str) -> Value {
    json!({
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "InternalError",
        "details": { "causes": [{ "message": message }] },
        "code": 500,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_by_their_channel() {
        let check =
            |bytes: &'static [u8], expected| assert_eq!(read(&Bytes::from_static(bytes)), expected);
        check(b"\0hi", Some(Input::Stdin(Bytes::from_static(b"hi"))));
        check(b"\xff\0", Some(Input::StdinClosed));
        check(
            b"\x04{\"Width\":80,\"Height\":24}",
            Some(Input::Resize {
                columns: 80,
                rows: 24,
            }),
        );
        check(b"\x04{}", None);
        check(b"\x07x", None);
        check(b"", None);
    }
}
