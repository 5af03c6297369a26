//! The threads of commits: listed, looked up by any id, and watched to their outcome.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use delivery::{Outcome, Thread};
use futures_util::{Stream, stream};
use names::ProjectName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    query::{Asked, Selection},
    records::{list as list_json, to_json, versioned, without_machine},
};
use crate::{
    Web,
    changes::{Changes, Scope},
    refusal::Refusal,
    rights::Reader,
    threads::{self, Place},
};

/// Proxies and clients take a connection for dead after about a minute of silence.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where an id lies, if it is not unique.
#[derive(Deserialize)]
pub struct Where {
    project: Option<ProjectName>,
}

/// `GET /threads`
pub async fn list(
    _: Reader,
    State(web): State<Web>,
    Asked(selection): Asked<Selection>,
) -> Result<Json<Value>, Refusal> {
    selection.check(&*web.records).await?;
    let project = selection.project.as_ref();
    let threads = threads::newest(&*web.records, project, selection.limit()).await?;
    Ok(Json(list_json(threads.iter().map(thread_json))))
}

/// `GET /threads/{id}` and `GET /threads/{id}/watch`
pub async fn one(
    _: Reader,
    State(web): State<Web>,
    Path(id): Path<String>,
    Asked(at): Asked<Where>,
) -> Result<Response, Refusal> {
    if let Some(id) = id.strip_suffix("/watch") {
        return watch(&web, id, at.project.as_ref()).await;
    }
    let place = threads::find(&*web.records, &id, at.project.as_ref()).await?;
    let thread = threads::read(&*web.records, &place).await?;
    Ok(Json(versioned(thread_json(&thread))).into_response())
}

async fn watch(web: &Web, id: &str, project: Option<&ProjectName>) -> Result<Response, Refusal> {
    let place = threads::find(&*web.records, id, project).await?;
    let scope = place.project.clone().map_or(Scope::Everything, Scope::Project);
    let changes = Changes::open(&*web.records, scope).await?;
    let states = states(web.clone(), place, changes);
    Ok(Sse::new(states).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// Every state of a thread until nothing is pending any more.
fn states(
    web: Web,
    place: Place,
    changes: Changes,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    struct Watching {
        web: Web,
        place: Place,
        changes: Changes,
        told: Option<Value>,
    }
    let watching = Watching { web, place, changes, told: None };
    stream::unfold(Some(watching), |watching| async move {
        let mut watching = watching?;
        loop {
            if watching.told.is_some() {
                watching.changes.settled().await.ok()?;
            }
            let thread = match threads::read(&*watching.web.records, &watching.place).await {
                Ok(thread) => thread,
                Err(error) => {
                    tracing::error!(%error, "a watched thread could not be read");
                    return None;
                }
            };
            let state = versioned(thread_json(&thread));
            if watching.told.as_ref() == Some(&state) {
                continue;
            }
            let event = Event::default().data(state.to_string());
            watching.told = Some(state);
            let goes_on = thread.outcome() == Outcome::Pending;
            return Some((Ok(event), goes_on.then_some(watching)));
        }
    })
}

fn thread_json(thread: &Thread) -> Value {
    let mut json = to_json(thread);
    if let Some(runs) = json.get_mut("runs").and_then(Value::as_array_mut) {
        for run in runs {
            *run = without_machine(run.take());
        }
    }
    json!({"thread": json, "outcome": thread.outcome(), "lines": thread.lines()})
}
