//! Lists of records, the newest first.

use std::cmp::Reverse;

use api::{Project, Push, Record, Release, Run};
use axum::{Json, extract::State};
use names::Timestamp;
use serde_json::Value;

use super::{
    query::{Asked, Selection},
    records::{list, to_json, with_tests},
};
use crate::{Web, refusal::Refusal, rights::Reader, threads::prefix_of};

/// `GET /projects`
pub async fn projects(
    _: Reader,
    State(web): State<Web>,
    Asked(selection): Asked<Selection>,
) -> Result<Json<Value>, Refusal> {
    selection.check(&*web.records).await?;
    let mut projects = store::list::<Project>(&*web.records, "").await?;
    if let Some(only) = &selection.project {
        projects.retain(|project| project.name == *only);
    }
    let projects = newest(projects, selection.limit(), |project| project.created);
    Ok(Json(list(projects.iter().map(to_json))))
}

/// `GET /pushes`
pub async fn pushes(
    _: Reader,
    State(web): State<Web>,
    Asked(selection): Asked<Selection>,
) -> Result<Json<Value>, Refusal> {
    let pushes = read::<Push>(&web, &selection, |push| push.at).await?;
    Ok(Json(list(pushes.iter().map(to_json))))
}

/// `GET /runs`
pub async fn runs(
    _: Reader,
    State(web): State<Web>,
    Asked(selection): Asked<Selection>,
) -> Result<Json<Value>, Refusal> {
    let runs = read::<Run>(&web, &selection, |run| run.created).await?;
    let mut told = Vec::new();
    for run in &runs {
        told.push(with_tests(&*web.records, run).await?);
    }
    Ok(Json(list(told)))
}

/// `GET /releases`
pub async fn releases(
    _: Reader,
    State(web): State<Web>,
    Asked(selection): Asked<Selection>,
) -> Result<Json<Value>, Refusal> {
    let releases = read::<Release>(&web, &selection, |release| release.created).await?;
    Ok(Json(list(releases.iter().map(to_json))))
}

async fn read<T: Record>(
    web: &Web,
    selection: &Selection,
    at: impl Fn(&T) -> Timestamp,
) -> Result<Vec<T>, Refusal> {
    selection.check(&*web.records).await?;
    let all = store::list::<T>(&*web.records, &prefix_of(selection.project.as_ref())).await?;
    Ok(newest(all, selection.limit(), at))
}

/// Of several records of one moment the one with the last key is the newest.
fn newest<T: Record>(mut all: Vec<T>, limit: usize, at: impl Fn(&T) -> Timestamp) -> Vec<T> {
    all.sort_by_key(|record| Reverse((at(record), record.key())));
    all.truncate(limit);
    all
}
