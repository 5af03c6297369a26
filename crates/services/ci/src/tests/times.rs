//! Tells jobs what tests took before; all jobs of one run are told the same.

use api::{TestHistory, TestSplit};
use names::RunId;
use testreport::times::Times;

use super::keep::KeepError;
use crate::Ci;

/// So many cases are learned from at most.
const CASES_MAX: usize = 300_000;

/// The list of cases and the times are not larger than this.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The times for a run, learned when its first job asks; `job` is noted as one that shares tests out.
pub async fn of_run(ci: &Ci, run: &RunId, job: &str) -> Result<Times, KeepError> {
    let key = TestSplit::key_of(run);
    if store::find::<TestSplit>(&*ci.records, &key).await?.is_none() {
        let times = learn(ci, run).await?;
        let timings = store::put_bytes(&*ci.blobs, serde_json::to_vec(&times)?).await?;
        // Of two jobs that ask at once the first decides for both.
        store::create(&*ci.records, &TestSplit { run: run.clone(), timings, jobs: Vec::new() }).await?;
    }
    let split = store::modify::<TestSplit>(&*ci.records, &key, |split| {
        if !job.is_empty() && !split.jobs.iter().any(|it| it == job) {
            split.jobs.push(job.to_owned());
        }
    })
    .await?;
    let bytes = store::get_bytes(&*ci.blobs, split.timings, BYTES_MAX).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// What the newest reports of the project say.
pub async fn learn(ci: &Ci, run: &RunId) -> Result<Times, KeepError> {
    let history = store::find::<TestHistory>(&*ci.records, run.project.as_str()).await?;
    let mut reports: Vec<Vec<api::TestCase>> = Vec::new();
    let mut count = 0;
    for entry in history.iter().flat_map(|it| &it.reports) {
        let Ok(bytes) = store::get_bytes(&*ci.blobs, entry.cases, BYTES_MAX).await else { continue };
        let cases: Vec<api::TestCase> = serde_json::from_slice(&bytes)?;
        count += cases.len();
        reports.push(cases);
        if count > CASES_MAX {
            break;
        }
    }
    Ok(Times::learn(reports.iter().map(Vec::as_slice)))
}
