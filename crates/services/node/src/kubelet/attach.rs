//! `attach`: the output of a running container from now on, on a WebSocket.

use std::sync::Arc;

use axum::{
    extract::{
        Path, Query as RawQuery, State,
        ws::{WebSocket, WebSocketUpgrade},
    },
    response::{IntoResponse, Response},
};
use sandbox::{
    Attached, ProcessName,
    log::{self, Followed, Stream},
};

use super::{
    FoundRun, Query, Refusal, Target, Which,
    channels::{self, PROTOCOLS, STDERR, STDOUT},
    exec::not_a_websocket,
    find,
};
use crate::context::Context;

pub async fn attach(
    State(context): State<Arc<Context>>,
    Path(target): Path<Target>,
    RawQuery(query): RawQuery<Vec<(String, String)>>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return not_a_websocket().into_response();
    };
    match prepare(&context, &target, &Query(query)).await {
        Ok(attached) => upgrade
            .protocols(PROTOCOLS)
            .on_upgrade(move |socket| carry(attached, socket))
            .into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn prepare(context: &Context, target: &Target, query: &Query) -> Result<Attached, Refusal> {
    let FoundRun {
        id,
        running,
        container,
        known,
        ..
    } = find(context, target, Which::Newest)?;
    if query.flag(&["stdin", "input"]) {
        let message = format!(
            "attaching to the input of container {} is not supported by this node",
            container.name
        );
        return Err(Refusal::bad_request(message));
    }
    if !running {
        let pod = &known.pod.metadata.name;
        return Err(Refusal::bad_request(format!(
            "container {} of pod {pod} is not running",
            container.name
        )));
    }
    context
        .sandbox
        .attach(&id, &ProcessName::main())
        .await
        .map_err(|error| Refusal::internal(&error))
}

async fn carry(attached: Attached, socket: WebSocket) {
    let (outgoing, mut incoming, sender) = channels::split(socket);
    let from = attached.log.clone().map(|path| {
        let last = log::tail(&path, 1).unwrap_or_default();
        last.last().map_or(0, |line| line.end)
    });
    let mut lines = attached.follow(from.unwrap_or(0));
    let output = async {
        loop {
            match lines.next().await {
                Ok(Some(Followed::Line(mut line))) => {
                    if !line.partial {
                        line.bytes.push(b'\n');
                    }
                    let channel = if line.stream == Stream::Stdout {
                        STDOUT
                    } else {
                        STDERR
                    };
                    outgoing.send(channel, &line.bytes).await;
                }
                Ok(Some(Followed::Exit(exit))) => return channels::exit_status(exit.code),
                Ok(None) => return channels::exit_status(0),
                Err(error) => return channels::error_status(&error.to_string()),
            }
        }
    };
    let gone = async { while incoming.next().await.is_some() {} };
    tokio::select! {
        status = output => outgoing.status(&status).await,
        () = gone => {}
    }
    drop(outgoing);
    let _ = sender.await;
}
