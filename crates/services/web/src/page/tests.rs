//! What the tests of a run came to, as a section of its page; and the flaky tests of a project.

use std::collections::HashSet;

use api::{FlakyTest, Run, TestCase, TestCounts, TestReport};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};
use names::ProjectName;

use super::{
    refusal::{PageReader, PageRefusal},
    shell,
    text::{plain, plain_lines},
    when::Moment,
};
use crate::{Web, refusal::Refusal};

/// So many failed tests of a job stand on the page; `landfall tests` lists them all.
const SHOWN_MAX: usize = 30;

/// So many flaky tests stand on their page.
const FLAKY_MAX: usize = 200;

/// The section of a run; empty where it has told no tests.
#[derive(Default)]
pub struct TestsView {
    pub counts: String,
    pub flaky_href: String,
    pub command: String,
    pub jobs: Vec<JobTests>,
}

pub struct JobTests {
    pub job: String,
    pub counts: String,
    /// Whether these are not the newest word.
    pub remark: &'static str,
    pub cases: Vec<CaseView>,
    pub more: u64,
    pub problems: Vec<String>,
}

pub struct CaseView {
    /// `bad` or `going`, as for states of work.
    pub class: &'static str,
    pub outcome: String,
    pub name: String,
    pub place: String,
    pub message: String,
    pub is_known_flaky: bool,
}

/// Reads what a run has told.
pub async fn read(web: &Web, run: &Run) -> Result<TestsView, PageRefusal> {
    let prefix = TestReport::prefix_of_run(&run.id, run.commit);
    let mut newest: Vec<TestReport> = Vec::new();
    // Keys sort by job, then by attempt.
    for report in store::list::<TestReport>(&*web.records, &prefix).await? {
        match newest.last_mut() {
            Some(last) if last.job == report.job => *last = report,
            _ => newest.push(report),
        }
    }
    if newest.is_empty() {
        return Ok(TestsView::default());
    }
    let flaky = store::list::<FlakyTest>(&*web.records, &FlakyTest::prefix_of(&run.id.project)).await?;
    let flaky: HashSet<(&str, &str)> = flaky.iter().map(|it| (it.variant.as_str(), it.id.as_str())).collect();
    let mut counts = TestCounts::default();
    newest.iter().for_each(|it| counts.add(&it.counts));
    Ok(TestsView {
        counts: counts.to_string(),
        flaky_href: format!("/flaky/{}", run.id.project),
        command: format!("landfall tests {}", run.id),
        jobs: newest.iter().map(|it| job_view(run, it, &flaky)).collect(),
    })
}

fn job_view(run: &Run, report: &TestReport, flaky: &HashSet<(&str, &str)>) -> JobTests {
    let variant = report.variant();
    let is_known = |case: &TestCase| flaky.contains(&(variant.as_str(), case.id.as_str()));
    let began = run.jobs.iter().find(|it| it.id == report.job).and_then(|it| it.started);
    let remark = match (began.is_some_and(|it| it > report.created), report.partial) {
        (true, _) => "of an earlier attempt",
        (false, true) => "only those that had failed ran again",
        (false, false) => "",
    };
    let flaky_only = report.flaky.iter().filter(|it| !it.outcome.is_bad());
    let all: Vec<_> = report.failed.iter().chain(flaky_only).collect();
    let more = report.failed_more + all.len().saturating_sub(SHOWN_MAX) as u64;
    JobTests {
        job: plain(&report.job),
        counts: report.counts.to_string(),
        remark,
        cases: all.into_iter().take(SHOWN_MAX).map(|case| case_view(case, is_known(case))).collect(),
        more,
        problems: report.files.iter().filter_map(|it| Some(plain(&format!("{}: {}", it.path, it.problem.as_ref()?)))).collect(),
    }
}

fn case_view(case: &TestCase, is_known_flaky: bool) -> CaseView {
    let place = match (&case.file, case.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => String::new(),
    };
    CaseView {
        class: if case.outcome.is_bad() { "bad" } else { "going" },
        outcome: if case.outcome.is_bad() { case.outcome.to_string() } else { "flaky".to_owned() },
        name: plain(&case.id),
        place: plain(&place),
        message: plain_lines(&case.message),
        is_known_flaky: is_known_flaky || case.flaky,
    }
}

#[derive(Template)]
#[template(path = "flaky.html")]
struct FlakyPage {
    title: String,
    project: String,
    home: String,
    tests: Vec<FlakyView>,
    more: usize,
}

struct FlakyView {
    name: String,
    place: String,
    variant: String,
    commits: u64,
    last: Moment,
    proofs: Vec<ProofView>,
}

struct ProofView {
    commit: String,
    commit_href: String,
    failed: String,
    failed_href: String,
    passed: String,
    passed_href: String,
    message: String,
}

/// `GET /flaky/{project}`
pub async fn flaky(_: PageReader, State(web): State<Web>, Path(project): Path<String>) -> Result<Html<String>, PageRefusal> {
    let missing = || PageRefusal::from(Refusal::missing("project", &project, Vec::new()));
    let project: ProjectName = project.parse().map_err(|_| missing())?;
    if store::find::<api::Project>(&*web.records, project.as_str()).await?.is_none() {
        return Err(missing());
    }
    let now = store::now();
    let mut tests = store::list::<FlakyTest>(&*web.records, &FlakyTest::prefix_of(&project)).await?;
    tests.sort_by(|a, b| (b.last, &a.id).cmp(&(a.last, &b.id)));
    let more = tests.len().saturating_sub(FLAKY_MAX);
    tests.truncate(FLAKY_MAX);
    let page = FlakyPage {
        title: format!("Flaky tests of {project}"),
        home: format!("/?project={project}"),
        project: project.to_string(),
        tests: tests.iter().map(|it| flaky_view(it, now)).collect(),
        more,
    };
    shell::render(&page)
}

fn flaky_view(test: &FlakyTest, now: names::Timestamp) -> FlakyView {
    let place = match (&test.file, test.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => String::new(),
    };
    FlakyView {
        name: plain(&test.id),
        place: plain(&place),
        variant: plain(&test.variant),
        commits: test.commits,
        last: Moment::new(test.last, now),
        proofs: test
            .evidence
            .iter()
            .map(|it| ProofView {
                commit: it.commit.short(),
                commit_href: format!("/threads/{}?project={}", it.commit, test.project),
                failed: plain(&it.failed.to_string()),
                failed_href: shell::run_href(&it.failed.run),
                passed: plain(&it.passed.to_string()),
                passed_href: shell::run_href(&it.passed.run),
                message: plain_lines(&it.message),
            })
            .collect(),
    }
}
