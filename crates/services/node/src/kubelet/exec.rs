//! `exec`: one more program in a running container, with its input and output on a WebSocket.

use std::sync::Arc;

use axum::{
    extract::{
        Path, Query as RawQuery, State,
        ws::{WebSocket, WebSocketUpgrade},
    },
    response::{IntoResponse, Response},
};
use sandbox::{Io, Process, ProcessName, SandboxId, Signal, Streams, Target as StopTarget};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    Query, Refusal, Target, Which,
    channels::{self, Incoming, Input, Outgoing, PROTOCOLS, STDERR, STDOUT},
    find,
};
use crate::{context::Context, handler::fresh_name, launch};

/// The size of a terminal until the client says otherwise.
const TERMINAL: (u16, u16) = (80, 24);

pub async fn exec(
    State(context): State<Arc<Context>>,
    Path(target): Path<Target>,
    RawQuery(query): RawQuery<Vec<(String, String)>>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let prepared = prepare(&context, &target, &Query(query));
    match (prepared, upgrade) {
        (Ok(session), Ok(upgrade)) => upgrade
            .protocols(PROTOCOLS)
            .on_upgrade(move |socket| session.run(context, socket))
            .into_response(),
        (Err(refusal), _) => refusal.into_response(),
        (_, Err(_)) => not_a_websocket().into_response(),
    }
}

/// SPDY clients fall back to this after they were refused; they are told why.
pub fn not_a_websocket() -> Refusal {
    Refusal::bad_request(format!(
        "you must specify at least 1 of the protocols {PROTOCOLS:?} in a WebSocket upgrade"
    ))
}

struct Session {
    id: SandboxId,
    process: Process,
    wants_input: bool,
}

fn prepare(context: &Context, target: &Target, query: &Query) -> Result<Session, Refusal> {
    let found = find(context, target, Which::Newest)?;
    if !found.running {
        return Err(Refusal::bad_request(format!(
            "container {} is not running",
            found.container.name
        )));
    }
    let args = query.all("command");
    if args.is_empty() {
        return Err(Refusal::bad_request(
            "you must specify at least one command for the container".to_owned(),
        ));
    }
    let template =
        launch::read_template(context, &found.name).map_err(|error| Refusal::internal(&error))?;
    let terminal = query.flag(&["tty"]).then_some(TERMINAL);
    let process = Process {
        args,
        io: Io::Streams { terminal },
        ..template.process
    };
    Ok(Session {
        id: found.id,
        process,
        wants_input: query.flag(&["stdin", "input"]),
    })
}

impl Session {
    async fn run(self, context: Arc<Context>, socket: WebSocket) {
        let (outgoing, incoming, sender) = channels::split(socket);
        let name = fresh_name();
        let status = match context.sandbox.exec(&self.id, &name, &self.process).await {
            Ok(Some(streams)) => {
                self.carry(&context, &name, streams, &outgoing, incoming)
                    .await
            }
            Ok(None) => channels::error_status("the process has no output"),
            Err(sandbox::Error::CannotStart(cannot)) => {
                // As a shell tells it, so that scripts see the usual codes.
                outgoing
                    .send(STDERR, format!("{}\n", cannot.message).as_bytes())
                    .await;
                channels::exit_status(cannot.exit_code())
            }
            Err(error) => channels::error_status(&error.to_string()),
        };
        outgoing.status(&status).await;
        drop(outgoing);
        let _ = sender.await;
    }

    async fn carry(
        &self,
        context: &Context,
        name: &ProcessName,
        streams: Streams,
        outgoing: &Outgoing,
        incoming: Incoming,
    ) -> serde_json::Value {
        let Streams {
            stdin,
            stdout,
            stderr,
            terminal,
        } = streams;
        let stdin = self.wants_input.then_some(stdin);
        let input = take_input(incoming, stdin, terminal);
        let output = async {
            let stderr = async {
                if let Some(stderr) = stderr {
                    copy(stderr, STDERR, outgoing).await;
                }
            };
            tokio::join!(copy(stdout, STDOUT, outgoing), stderr);
            match context.sandbox.attach(&self.id, name).await {
                Ok(attached) => attached.wait().await,
                Err(error) => Err(error),
            }
        };
        tokio::select! {
            exit = output => match exit {
                Ok(exit) => channels::exit_status(exit.code),
                Err(error) => channels::error_status(&error.to_string()),
            },
            () = input => {
                // The client has gone, and with it whoever wanted the program.
                let _ = context.sandbox.stop(&self.id, StopTarget::Process(name.clone(), Signal::KILL)).await;
                channels::error_status("the client went away")
            }
        }
    }
}

/// Hands on what the client sends; ends when the client has gone.
async fn take_input(
    mut incoming: Incoming,
    mut stdin: Option<Box<dyn tokio::io::AsyncWrite + Send + Sync + Unpin>>,
    terminal: Option<sandbox::Terminal>,
) {
    while let Some(input) = incoming.next().await {
        match input {
            Input::Stdin(bytes) => {
                if let Some(open) = &mut stdin {
                    let written = async {
                        open.write_all(&bytes).await?;
                        open.flush().await
                    };
                    if written.await.is_err() {
                        stdin = None;
                    }
                }
            }
            Input::StdinClosed => stdin = None,
            Input::Resize { columns, rows } => {
                if let Some(terminal) = &terminal {
                    let _ = terminal.resize(columns, rows);
                }
            }
        }
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, channel: u8, outgoing: &Outgoing) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !outgoing.send(channel, &buffer[..count]).await {
            return;
        }
    }
}
