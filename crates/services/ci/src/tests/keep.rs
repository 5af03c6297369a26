//! Keeps the tests of a job: its report, the project's history, and flaky tests.

use api::{FlakyTest, JobGrant, Record as _, TestCase, TestHistory, TestHistoryEntry, TestRerun, TestReport, TestSplit};
use names::{CommitId, ProjectName};
use store::{BlobError, TypedError};
use testreport::{
    collect::Collected,
    flaky::{self, Seen},
};

use super::collect::summarise;
use crate::{Ci, place::JobPlace};

/// So many failed cases stand in the record itself, for lists and pages.
pub const SHOWN_MAX: usize = 100;

/// All cases of one job are not larger than this.
const CASES_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// So many other reports of a commit are compared.
const COMPARED_MAX: usize = 200;

/// Why tests cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("the list of tests is not readable")]
    Unreadable(#[from] serde_json::Error),
}

/// The commit that a job tests.
pub fn commit(grant: &JobGrant) -> CommitId {
    grant.github.get("sha").and_then(|it| it.parse().ok()).unwrap_or(CommitId::ZERO)
}

/// The workflow file of a job.
fn workflow(grant: &JobGrant) -> String {
    let reference = grant.github.get("workflow_ref").map(String::as_str).unwrap_or_default();
    let path = reference.split('@').next().unwrap_or_default();
    path.splitn(3, '/').nth(2).unwrap_or(path).to_owned()
}

/// What was read in this attempt so far.
pub async fn find(ci: &Ci, place: &JobPlace) -> Option<TestReport> {
    let key = TestReport::key_of(&place.run.id, commit(&place.grant), &place.key.to_string(), place.attempt);
    match store::find::<TestReport>(&*ci.records, &key).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "the tests of a job cannot be read");
            None
        }
    }
}

/// All cases of a report.
pub async fn cases(ci: &Ci, report: &TestReport) -> Result<Vec<TestCase>, KeepError> {
    let bytes = store::get_bytes(&*ci.blobs, report.cases, CASES_BYTES_MAX).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Keeps what was read, and compares it with what else is known of the commit.
pub async fn put(ci: &Ci, place: &JobPlace, known: Option<TestReport>, collected: Collected) -> Result<(), KeepError> {
    let Collected { files, cases } = collected;
    let digest = store::put_bytes(&*ci.blobs, serde_json::to_vec(&cases)?).await?;
    let (run, job) = (&place.run.id, place.key.to_string());
    // A job may have lost its trust since it began.
    let grant = store::find::<JobGrant>(&*ci.records, &JobGrant::key_of(run, &job)).await?;
    let grant = grant.as_ref().unwrap_or(&place.grant);
    let partial = super::failed::is_asked(ci, place).await?;
    let split = store::find::<TestSplit>(&*ci.records, &TestSplit::key_of(run)).await?;
    let mut report = TestReport {
        run: run.clone(),
        commit: commit(grant),
        workflow: workflow(grant),
        job: job.clone(),
        attempt: place.attempt,
        trusted: grant.trust == api::Trust::Own,
        counts: api::TestCounts::default(),
        partial,
        split: split.is_some_and(|it| it.jobs.contains(&place.key.id)),
        failed: Vec::new(),
        failed_more: 0,
        flaky: Vec::new(),
        cases: digest,
        files,
        created: known.map_or_else(store::now, |it| it.created),
    };
    summarise(&mut report, &cases);
    store::put(&*ci.records, &report).await?;
    // What foreign code reports says nothing about the project.
    if !report.trusted {
        return Ok(());
    }
    remember(ci, &report).await?;
    find_flaky(ci, &report, &cases).await
}

/// Adds a report to those from which times are learned.
async fn remember(ci: &Ci, report: &TestReport) -> Result<(), KeepError> {
    let project = report.run.project.clone();
    let entry = TestHistoryEntry { report: report.key(), cases: report.cases, at: store::now() };
    let empty = TestHistory { project: project.clone(), reports: Vec::new() };
    store::create(&*ci.records, &empty).await?;
    store::modify::<TestHistory>(&*ci.records, project.as_str(), |history| {
        history.reports.retain(|it| it.report != entry.report);
        history.reports.insert(0, entry.clone());
        history.reports.truncate(TestHistory::REPORTS_MAX);
    })
    .await?;
    Ok(())
}

async fn find_flaky(ci: &Ci, report: &TestReport, own: &[TestCase]) -> Result<(), KeepError> {
    let prefix = TestReport::prefix_of(&report.run.project, report.commit);
    let mut others = store::list::<TestReport>(&*ci.records, &prefix).await?;
    others.retain(|it| flaky::is_comparable(report, it));
    // Of two that both passed nothing can be learned.
    others.retain(|it| report.counts.bad() > 0 || it.counts.bad() > 0);
    others.sort_by_key(|it| std::cmp::Reverse(it.created));
    others.truncate(COMPARED_MAX);
    let mut read = Vec::new();
    for other in &others {
        read.push(cases(ci, other).await?);
    }
    let seen: Vec<_> = others.iter().zip(&read).map(|(report, cases)| Seen { report, cases }).collect();
    let found = flaky::find(Seen { report, cases: own }, &seen);
    let now = store::now();
    for finding in found {
        let key = FlakyTest::key_of(&report.run.project, &report.variant(), &finding.id);
        if store::create(&*ci.records, &flaky::note(None, &finding, report, now)).await? {
            continue;
        }
        store::modify::<FlakyTest>(&*ci.records, &key, |test| {
            *test = flaky::note(Some(test.clone()), &finding, report, now);
        })
        .await?;
    }
    Ok(())
}

/// The newest reports of a run, one for each job, in the order of the jobs' names.
pub async fn of_run(ci: &Ci, run: &api::Run) -> Result<Vec<TestReport>, KeepError> {
    let all = store::list::<TestReport>(&*ci.records, &TestReport::prefix_of_run(&run.id, run.commit)).await?;
    let mut newest: Vec<TestReport> = Vec::new();
    // Keys sort by job, then by attempt.
    for report in all {
        match newest.last_mut() {
            Some(last) if last.job == report.job => *last = report,
            _ => newest.push(report),
        }
    }
    Ok(newest)
}

/// The cases of a report; of one that ran only some tests again, also those of the attempts before.
pub async fn whole(ci: &Ci, report: &TestReport) -> Result<Vec<TestCase>, KeepError> {
    let mut found = cases(ci, report).await?;
    if !report.partial {
        return Ok(found);
    }
    let prefix = TestReport::prefix_of_run(&report.run, report.commit);
    let mut earlier = store::list::<TestReport>(&*ci.records, &prefix).await?;
    earlier.retain(|it| it.job == report.job && it.attempt < report.attempt);
    for report in earlier.iter().rev() {
        found = testreport::collect::overlay(&cases(ci, report).await?, &found);
        if !report.partial {
            break;
        }
    }
    Ok(found)
}

/// The flaky tests of a project, those that were seen last first.
pub async fn flaky_tests(ci: &Ci, project: &ProjectName) -> Result<Vec<FlakyTest>, KeepError> {
    let mut all = store::list::<FlakyTest>(&*ci.records, &FlakyTest::prefix_of(project)).await?;
    all.sort_by(|a, b| (b.last, &a.id).cmp(&(a.last, &b.id)));
    Ok(all)
}

/// Whether only the tests that failed are wanted in this attempt at a run.
pub async fn wants_failed(ci: &Ci, run: &names::RunId, attempt: u32) -> Result<bool, TypedError> {
    let asked = store::find::<TestRerun>(&*ci.records, &TestSplit::key_of(run)).await?;
    Ok(asked.is_some_and(|it| it.attempts.contains(&attempt)))
}
