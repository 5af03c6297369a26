//! The routes of tests: what a run tested, flaky tests, and the times that jobs ask for.

use access::{Action, Principal};
use api::{Run, TestReport};
use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use names::{ProjectName, RunId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{keep, times};
use crate::{
    Ci,
    routes::{Asker, allowed, refuse},
};

/// A list of tests with more lines is no list of tests.
const LINES_MAX: usize = 500_000;

pub fn router() -> Router<Ci> {
    Router::new()
        .route("/landfall/v1/runs/{project}/{number}/tests", get(of_run))
        .route("/landfall/v1/projects/{project}/tests/flaky", get(flaky))
        .route("/landfall/v1/projects/{project}/tests/times", post(times_of_project))
        .route("/landfall/v1/job/tests/times", post(times_of_job))
}

fn failed(error: &keep::KeepError) -> Response {
    refuse(StatusCode::SERVICE_UNAVAILABLE, error)
}

#[derive(Deserialize)]
pub struct TestsQuery {
    #[serde(default)]
    job: Option<String>,
}

async fn of_run(
    State(ci): State<Ci>,
    Path((project, number)): Path<(ProjectName, u64)>,
    Query(query): Query<TestsQuery>,
    asker: Asker,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::ReadRecords) {
        return *answer;
    }
    let id = RunId { project, number };
    match read(&ci, &id, query.job.as_deref()).await {
        Ok(Some(told)) => Json(told).into_response(),
        Ok(None) => refuse(StatusCode::NOT_FOUND, format!("there is no run `{id}`")),
        Err(error) => failed(&error),
    }
}

async fn read(ci: &Ci, id: &RunId, job: Option<&str>) -> Result<Option<Value>, keep::KeepError> {
    let Some(run) = store::find::<Run>(&*ci.records, &Run::key_of(id)).await? else { return Ok(None) };
    let known = keep::flaky_tests(ci, &id.project).await?;
    let mut jobs = Vec::new();
    let mut all = api::TestCounts::default();
    for report in keep::of_run(ci, &run).await? {
        if job.is_some_and(|it| it != report.job) {
            continue;
        }
        let mut cases = keep::whole(ci, &report).await?;
        testreport::collect::sort_for_people(&mut cases);
        let counts = api::TestCounts::of(&cases);
        all.add(&counts);
        let variant = report.variant();
        let is_known = |id: &str| known.iter().any(|it| it.variant == variant && it.id == id);
        let told: Vec<Value> = cases
            .iter()
            .map(|case| {
                let mut value = json!(case);
                if is_known(&case.id) {
                    value["known_flaky"] = Value::Bool(true);
                }
                value
            })
            .collect();
        let stale = is_stale(&run, &report);
        let TestReport { job, attempt, partial, split, files, created, .. } = report;
        jobs.push(json!({
            "job": job, "attempt": attempt, "counts": counts, "partial": partial, "split": split,
            "from_earlier_attempt": stale, "files": files, "created": created, "cases": told,
        }));
    }
    Ok(Some(json!({"apiVersion": "landfall/v1", "id": id, "commit": run.commit, "counts": all, "jobs": jobs})))
}

/// Whether the job has begun again since it told its tests.
fn is_stale(run: &Run, report: &TestReport) -> bool {
    let job = run.jobs.iter().find(|it| it.id == report.job);
    job.and_then(|it| it.started).is_some_and(|started| started > report.created)
}

async fn flaky(State(ci): State<Ci>, Path(project): Path<ProjectName>, asker: Asker) -> Response {
    if let Err(answer) = allowed(asker, &Action::ReadRecords) {
        return *answer;
    }
    match keep::flaky_tests(&ci, &project).await {
        Ok(tests) => Json(json!({"apiVersion": "landfall/v1", "items": tests})).into_response(),
        Err(error) => failed(&error),
    }
}

/// Lines of a list of tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimesBody {
    lines: Vec<String>,
}

fn answer(times: &testreport::times::Times, body: &TimesBody) -> Response {
    if body.lines.len() > LINES_MAX {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, format!("more than {LINES_MAX} lines"));
    }
    let told: Vec<_> = body.lines.iter().map(|line| times.of(line)).collect();
    Json(json!({"apiVersion": "landfall/v1", "micros": told})).into_response()
}

/// What a job may ask for: the times of its own run.
async fn times_of_job(State(ci): State<Ci>, asker: Asker, Json(body): Json<TimesBody>) -> Response {
    let Some(Extension(Principal::Job { run, job, project, .. })) = asker.clone() else {
        return refuse(StatusCode::FORBIDDEN, "only a job asks for the times of its run");
    };
    if let Err(answer) = allowed(asker, &Action::ReadRepository(&project)) {
        return *answer;
    }
    // All legs of a job are one job that shares its tests out.
    let base = match job.rsplit_once('.') {
        Some((base, leg)) if leg.bytes().all(|it| it.is_ascii_digit()) => base,
        _ => &job,
    };
    match times::of_run(&ci, &run, base).await {
        Ok(times) => answer(&times, &body),
        Err(error) => failed(&error),
    }
}

async fn times_of_project(State(ci): State<Ci>, Path(project): Path<ProjectName>, asker: Asker, Json(body): Json<TimesBody>) -> Response {
    if let Err(answer) = allowed(asker, &Action::ReadRecords) {
        return *answer;
    }
    match times::learn(&ci, &RunId { project, number: 0 }).await {
        Ok(times) => answer(&times, &body),
        Err(error) => failed(&error),
    }
}
