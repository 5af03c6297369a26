//! Logs as JSON lines, whole or as they grow.

use api::Run;
use axum::{
    body::Body,
    extract::{Path, State},
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use store::LogLine;

use super::{query::Asked, records::find_run};
use crate::{
    Web,
    job_log::{self, Until},
    refusal::Refusal,
    rights::Reader,
    threads,
};

#[derive(Deserialize)]
pub struct LogQuery {
    /// The id or the name of a job.
    job: Option<String>,
    #[serde(default)]
    follow: bool,
}

#[derive(Serialize)]
struct JobLine {
    job: String,
    #[serde(flatten)]
    line: LogLine,
}

/// `GET /logs/{project}/{number}`
pub async fn read(
    _: Reader,
    State(web): State<Web>,
    Path((project, number)): Path<(String, String)>,
    Asked(query): Asked<LogQuery>,
) -> Result<Response, Refusal> {
    let run = find_run(&*web.records, &project, &number).await?;
    let job = query.job.as_deref().map(|job| job_named(&run, job)).transpose()?;
    let until = if query.follow { Until::Over } else { Until::Now };
    let lines = job_log::lines(&web, &run.id, job, until);
    let lines = lines.map_ok(|(job, line)| json_line(&JobLine { job, line })).boxed();
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response())
}

/// The id of the job that is called `text`.
pub fn job_named(run: &Run, text: &str) -> Result<String, Refusal> {
    let job = run.jobs.iter().find(|job| job.id == text);
    let job = job.or_else(|| run.jobs.iter().find(|job| job.name == text));
    job.map(|job| job.id.clone()).ok_or_else(|| {
        let known = threads::nearest(text, run.jobs.iter().map(|job| job.id.clone()));
        Refusal::missing(&format!("job of {}", run.id), text, known)
    })
}

fn json_line(line: &JobLine) -> Bytes {
    // A line is plain data, which serde_json always can write.
    let mut bytes = serde_json::to_vec(line).expect("a log line is JSON");
    bytes.push(b'\n');
    bytes.into()
}
