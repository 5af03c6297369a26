//! Gives a job that runs again the names of the tests that failed before.

use std::path::Path;

use api::{Run, TestCase, TestReport, TestRerun, TestSplit};
use names::RunId;
use store::TypedError;
use workflow::JobKey;

use super::keep::{self, KeepError};
use crate::{Ci, beneath, place::JobPlace};

/// The folder in the temporary folder of the job.
const FOLDER: &str = "_landfall";
/// One id in each line.
const LIST: &str = "_landfall/failed-tests.txt";
/// The same as cases, for `landfall tests failed`.
const CASES: &str = "_landfall/failed-tests.json";
/// What of the lists is written: no command line takes more.
const CASES_MAX: usize = 10_000;

/// Notes that the next attempt at a run wants only what failed.
pub async fn ask_for_failed(ci: &Ci, run: &RunId, attempt: u32) -> Result<(), TypedError> {
    let record = TestRerun { run: run.clone(), attempts: vec![attempt] };
    if store::create(&*ci.records, &record).await? {
        return Ok(());
    }
    store::modify::<TestRerun>(&*ci.records, &TestSplit::key_of(run), |it| {
        if !it.attempts.contains(&attempt) {
            it.attempts.push(attempt);
        }
    })
    .await?;
    Ok(())
}

/// Takes back what [`ask_for_failed`] noted: another attempt has this number now.
pub async fn forget_failed(ci: &Ci, run: &RunId, attempt: u32) -> Result<(), TypedError> {
    let key = TestSplit::key_of(run);
    if store::find::<TestRerun>(&*ci.records, &key).await?.is_none() {
        return Ok(());
    }
    store::modify::<TestRerun>(&*ci.records, &key, |it| it.attempts.retain(|known| *known != attempt)).await?;
    Ok(())
}

/// Writes the lists for a job of a re-run that wants only what failed; gives what its log says.
pub async fn prepare(ci: &Ci, run: &Run, job: &JobKey, attempt: u32, folder: &Path) -> Result<Option<String>, KeepError> {
    if run.attempt < 2 || !keep::wants_failed(ci, &run.id, run.attempt).await? {
        return Ok(None);
    }
    let prefix = TestReport::prefix_of_run(&run.id, run.commit);
    let mut earlier = store::list::<TestReport>(&*ci.records, &prefix).await?;
    let name = job.to_string();
    earlier.retain(|it| it.job == name && it.attempt < attempt);
    let Some(last) = earlier.last() else {
        return Ok(Some("Only failed tests are wanted, but this job has reported no tests before: all of it runs".to_owned()));
    };
    let mut cases = keep::whole(ci, last).await?;
    cases.retain(|it| it.outcome.is_bad());
    if cases.is_empty() {
        return Ok(Some("Only failed tests are wanted, but none of this job failed: all of it runs".to_owned()));
    }
    let count = cases.len();
    cases.truncate(CASES_MAX);
    write(folder, &cases)?;
    Ok(Some(format!(
        "Only the {count} test{} that failed in attempt {} {} wanted: `landfall tests failed` and $LANDFALL_FAILED_TESTS name {}. \
         Steps that do not ask for them run everything",
        if count == 1 { "" } else { "s" },
        last.attempt,
        if count == 1 { "is" } else { "are" },
        if count == 1 { "it" } else { "them" },
    )))
}

fn write(folder: &Path, cases: &[TestCase]) -> Result<(), KeepError> {
    let lines: String = cases.iter().map(|it| format!("{}\n", it.id)).collect();
    let temp = folder.join("temp");
    let json = serde_json::to_vec(cases)?;
    let written = beneath::write(&temp, Path::new(CASES), &json).and_then(|()| beneath::write(&temp, Path::new(LIST), lines.as_bytes()));
    if let Err(error) = written {
        // Then the job runs everything, which is right, too.
        tracing::error!(%error, "the failed tests of a job cannot be told to it");
    }
    Ok(())
}

/// What the environment of the job says of it.
pub fn variables(folder: &Path, temp: &str) -> Vec<(String, String)> {
    if !folder.join("temp").join(LIST).is_file() {
        return Vec::new();
    }
    vec![("LANDFALL_FAILED_TESTS".to_owned(), format!("{temp}/{LIST}"))]
}

/// Whether the job was told which tests failed.
pub async fn is_asked(ci: &Ci, place: &JobPlace) -> Result<bool, TypedError> {
    if !place.folder.join("temp").join(FOLDER).is_dir() {
        return Ok(false);
    }
    let run = store::find::<Run>(&*ci.records, &Run::key_of(&place.run.id)).await?;
    match run {
        Some(run) => keep::wants_failed(ci, &run.id, run.attempt).await,
        None => Ok(false),
    }
}
