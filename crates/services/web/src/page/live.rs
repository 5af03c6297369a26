//! What the script of the page listens to, and the log as a file.

use std::{convert::Infallible, time::Duration};

use api::Run;
use askama::Template;
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;

use super::{
    job_log_view::LineView,
    refusal::{PageReader, PageRefusal},
    text::plain,
};
use crate::{
    Web,
    changes::{Changes, Scope},
    job_log::{self, Until},
    read_api::{Asked, find_run, job_named},
    refusal::Refusal,
    rights::Reader,
};

/// Lines that come faster than a person reads travel together.
const LINES_TOGETHER: usize = 200;

#[derive(Deserialize)]
pub struct ScopeQuery {
    project: Option<names::ProjectName>,
    app: Option<String>,
    #[serde(default)]
    apps: bool,
}

/// `GET /live`: an event whenever a record changed, so that the page is fetched again.
pub async fn changes(
    _: Reader,
    State(web): State<Web>,
    Asked(query): Asked<ScopeQuery>,
) -> Result<Response, Refusal> {
    let scope = match (query.project, query.app) {
        (Some(project), _) => Scope::Project(project),
        (None, Some(app)) => Scope::App(app),
        (None, None) if query.apps => Scope::Apps,
        (None, None) => Scope::Everything,
    };
    let changes = Changes::open(&*web.records, scope).await?;
    // The page was rendered before the watch began: the first event makes up for it.
    let events = stream::unfold((changes, true), |(mut changes, is_first)| async move {
        if !is_first {
            changes.settled().await.ok()?;
        }
        let event = Event::default().event("change").data("{}");
        Some((Ok::<_, Infallible>(event), (changes, false)))
    });
    Ok(events_response(events))
}

#[derive(Deserialize)]
pub struct LinesQuery {
    job: String,
    #[serde(default)]
    after: usize,
}

#[derive(Template)]
#[template(path = "lines.html")]
struct LinesHtml {
    lines: Vec<LineView>,
}

/// `GET /runs/{project}/{number}/lines`: the lines of a job behind those on the page.
pub async fn lines(
    _: Reader,
    State(web): State<Web>,
    Path((project, number)): Path<(String, String)>,
    Asked(query): Asked<LinesQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = find_run(&*web.records, &project, &number).await?;
    let job = job_named(&run, &query.job)?;
    // A browser that lost the connection says how far it came.
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let after = last.unwrap_or(query.after);
    let lines = job_log::lines(&web, &run.id, Some(job.clone()), Until::Over);
    let numbered = lines.take_while(|line| std::future::ready(line.is_ok())).enumerate().skip(after);
    let events = numbered.ready_chunks(LINES_TOGETHER).map(move |chunk| {
        let lines = chunk.into_iter().filter_map(|(index, line)| Some((index + 1, line.ok()?.1)));
        event(&run, &job, lines.collect())
    });
    let end = stream::once(async { Event::default().event("end").data("{}") });
    Ok(events_response(events.chain(end).map(Ok::<_, Infallible>)))
}

/// Lines as HTML, by the step that they belong to.
fn event(run: &Run, job: &str, lines: Vec<(usize, store::LogLine)>) -> Event {
    let last = lines.last().map(|(number, _)| *number).unwrap_or_default();
    let steps = lines.chunk_by(|(_, one), (_, other)| one.step == other.step).map(|lines| {
        let step = lines.first().map(|(_, line)| line.step);
        let views = lines.iter().map(|(number, line)| LineView::new(run, job, *number, line));
        // Without the lines the page still shows them when it is fetched again.
        let html = LinesHtml { lines: views.collect() }.render().unwrap_or_default();
        json!({"step": step, "html": html})
    });
    let steps: Vec<_> = steps.collect();
    Event::default().event("lines").id(last.to_string()).data(json!(steps).to_string())
}

fn events_response(
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let heartbeat = KeepAlive::new().interval(Duration::from_secs(15));
    Sse::new(events).keep_alive(heartbeat).into_response()
}

#[derive(Deserialize)]
pub struct DownloadQuery {
    job: String,
}

/// `GET /runs/{project}/{number}/log.txt`: times and text, without what a terminal would obey.
pub async fn download(
    _: PageReader,
    State(web): State<Web>,
    Path((project, number)): Path<(String, String)>,
    query: Result<Asked<DownloadQuery>, Refusal>,
) -> Result<Response, PageRefusal> {
    let Asked(query) = query?;
    let run = find_run(&*web.records, &project, &number).await?;
    let job = job_named(&run, &query.job)?;
    let lines = job_log::lines(&web, &run.id, Some(job), Until::Now);
    let text = lines.map_ok(|(_, line)| Bytes::from(format!("{} {}\n", line.at, plain(&line.text))));
    let name = format!("attachment; filename=\"{}-{}.log\"", run.id.project, run.id.number);
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(text.boxed())).into_response())
}
