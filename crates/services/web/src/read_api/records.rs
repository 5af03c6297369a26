//! Single records, and how records look in JSON.

use api::{Drill, Release, Run, TestCounts, TestReport};
use axum::{
    Json,
    extract::{Path, State},
};
use names::{ReleaseId, RunId};
use serde::Serialize;
use serde_json::{Value, json};
use store::Records;

use super::VERSION;
use crate::{Web, refusal::Refusal, rights::Reader, threads};

/// `GET /runs/{project}/{number}`
pub async fn run(
    _: Reader,
    State(web): State<Web>,
    Path((project, number)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let run = find_run(&*web.records, &project, &number).await?;
    Ok(Json(versioned(with_tests(&*web.records, &run).await?)))
}

/// `GET /releases/{project}/{environment}/{number}`
pub async fn release(
    _: Reader,
    State(web): State<Web>,
    Path((project, environment, number)): Path<(String, String, String)>,
) -> Result<Json<Value>, Refusal> {
    let release = find_release(&*web.records, &project, &environment, &number).await?;
    Ok(Json(versioned(to_json(&release))))
}

/// `GET /drills`, the newest first.
pub async fn drills(_: Reader, State(web): State<Web>) -> Result<Json<Value>, Refusal> {
    let drills = store::list::<Drill>(&*web.records, "").await?;
    Ok(Json(list(drills.iter().rev().map(to_json))))
}

/// `GET /drills/{number}`
pub async fn drill(_: Reader, State(web): State<Web>, Path(number): Path<String>) -> Result<Json<Value>, Refusal> {
    let found = match number.parse() {
        Ok(number) => store::find::<Drill>(&*web.records, &Drill::key_of(number)).await?,
        Err(_) => None,
    };
    let drill = found.ok_or_else(|| Refusal::missing("drill", &number, Vec::new()))?;
    Ok(Json(versioned(to_json(&drill))))
}

/// The run that a path names.
pub async fn find_run(records: &dyn Records, project: &str, number: &str) -> Result<Run, Refusal> {
    let text = format!("{project}#{number}");
    let found = match text.parse::<RunId>() {
        Ok(id) => store::find::<Run>(records, &Run::key_of(&id)).await?,
        Err(_) => None,
    };
    match found {
        Some(run) => Ok(run),
        None => {
            let known = store::list::<Run>(records, &format!("{project}/")).await?;
            let known = known.iter().rev().map(|run| run.id.to_string());
            Err(Refusal::missing("run", &text, threads::nearest(&text, known)))
        }
    }
}

/// The release that a path names.
pub async fn find_release(
    records: &dyn Records,
    project: &str,
    environment: &str,
    number: &str,
) -> Result<Release, Refusal> {
    let text = format!("{project}/{environment}@{number}");
    let found = match text.parse::<ReleaseId>() {
        Ok(id) => store::find::<Release>(records, &Release::key_of(&id)).await?,
        Err(_) => None,
    };
    match found {
        Some(release) => Ok(release),
        None => {
            let known = store::list::<Release>(records, &format!("{project}/")).await?;
            let known = known.iter().rev().map(|release| release.id.to_string());
            Err(Refusal::missing("release", &text, threads::nearest(&text, known)))
        }
    }
}

/// `record` with the version of the API in front.
pub fn versioned(record: Value) -> Value {
    let mut answer = json!({"apiVersion": VERSION});
    if let (Some(answer), Value::Object(record)) = (answer.as_object_mut(), record) {
        answer.extend(record);
    }
    answer
}

/// A list as the API answers it.
pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
    json!({"apiVersion": VERSION, "items": items.into_iter().collect::<Vec<_>>()})
}

/// A run without its state machine.
pub fn run_json(run: &Run) -> Value {
    without_machine(to_json(run))
}

/// A run without its state machine, with what its tests came to under `tests` if it told any.
pub async fn with_tests(records: &dyn Records, run: &Run) -> Result<Value, Refusal> {
    let mut json = run_json(run);
    let prefix = TestReport::prefix_of_run(&run.id, run.commit);
    let mut counts: Vec<(String, TestCounts)> = Vec::new();
    // Keys sort by job, then by attempt: the last of a job counts.
    for report in store::list::<TestReport>(records, &prefix).await? {
        match counts.last_mut() {
            Some(last) if last.0 == report.job => last.1 = report.counts,
            _ => counts.push((report.job, report.counts)),
        }
    }
    if let (Some(fields), false) = (json.as_object_mut(), counts.is_empty()) {
        let mut all = TestCounts::default();
        counts.iter().for_each(|(_, it)| all.add(it));
        fields.insert("tests".to_owned(), to_json(&all));
    }
    Ok(json)
}

/// Takes the state machine out of a run as JSON.
pub fn without_machine(mut run: Value) -> Value {
    if let Some(fields) = run.as_object_mut() {
        fields.shift_remove("machine");
    }
    run
}

pub fn to_json(record: &impl Serialize) -> Value {
    // Records are plain data with text keys, which serde_json always can write.
    serde_json::to_value(record).expect("a record is JSON")
}
