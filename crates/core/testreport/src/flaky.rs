//! Finds tests that had both outcomes with one commit.

use std::collections::HashMap;

use api::{FlakyEvidence, FlakyTest, TestCase, TestOutcome, TestReport, TestedBy};
use names::Timestamp;

use crate::clean;

/// Of a message so much proves it.
const MESSAGE_MAX: usize = 500;

/// A report with all its cases.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub report: &'a TestReport,
    pub cases: &'a [TestCase],
}

/// A test that passed and failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub id: String,
    pub file: Option<String>,
    pub line: Option<u64>,
    pub failed: TestedBy,
    pub passed: TestedBy,
    pub message: String,
}

/// Whether outcomes of two reports may be compared: the same code, workflow, job and trust.
pub fn is_comparable(one: &TestReport, other: &TestReport) -> bool {
    one.commit == other.commit
        && one.run.project == other.run.project
        && one.trusted == other.trusted
        && one.variant() == other.variant()
        && (&one.run, one.attempt, &one.job) != (&other.run, other.attempt, &other.job)
}

/// What a new report shows, by itself and beside the others of its commit; each test once.
pub fn find(new: Seen<'_>, others: &[Seen<'_>]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for case in new.cases.iter().filter(|it| it.flaky) {
        found.push(finding(case, by(new.report), by(new.report), &case.message));
    }
    for other in others.iter().filter(|it| is_comparable(new.report, it.report)) {
        let known: HashMap<&str, &TestCase> = other.cases.iter().map(|it| (it.id.as_str(), it)).collect();
        for case in new.cases {
            let Some(before) = known.get(case.id.as_str()) else { continue };
            let (failed, passed, message) = match (before.outcome, case.outcome) {
                (TestOutcome::Failed | TestOutcome::Errored, TestOutcome::Passed) => {
                    (by(other.report), by(new.report), &before.message)
                }
                (TestOutcome::Passed, TestOutcome::Failed | TestOutcome::Errored) => {
                    (by(new.report), by(other.report), &case.message)
                }
                _ => continue,
            };
            if !found.iter().any(|it| it.id == case.id) {
                found.push(finding(case, failed, passed, message));
            }
        }
    }
    found
}

fn by(report: &TestReport) -> TestedBy {
    TestedBy { run: report.run.clone(), job: report.job.clone(), attempt: report.attempt }
}

fn finding(case: &TestCase, failed: TestedBy, passed: TestedBy, message: &str) -> Finding {
    let (id, file, line) = (case.id.clone(), case.file.clone(), case.line);
    Finding { id, file, line, failed, passed, message: clean::lines(message, MESSAGE_MAX) }
}

/// The record of a flaky test with one more proof; one commit proves it once.
pub fn note(known: Option<FlakyTest>, finding: &Finding, report: &TestReport, now: Timestamp) -> FlakyTest {
    let mut test = known.unwrap_or_else(|| FlakyTest {
        project: report.run.project.clone(),
        id: finding.id.clone(),
        variant: report.variant(),
        file: None,
        line: None,
        commits: 0,
        first: now,
        last: now,
        evidence: Vec::new(),
    });
    test.file = finding.file.clone().or(test.file);
    test.line = finding.line.or(test.line);
    if test.evidence.iter().any(|it| it.commit == report.commit) {
        return test;
    }
    test.commits += 1;
    test.last = now;
    test.evidence.insert(
        0,
        FlakyEvidence {
            commit: report.commit,
            failed: finding.failed.clone(),
            passed: finding.passed.clone(),
            message: finding.message.clone(),
            at: now,
        },
    );
    test.evidence.truncate(FlakyTest::EVIDENCE_MAX);
    test
}

#[cfg(test)]
mod tests {
    use api::TestCounts;
    use names::{CommitId, Digest};

    use super::*;

    /// `RUN/JOB/ATTEMPT test outcome, test outcome`
    fn seen(text: &str) -> (TestReport, Vec<TestCase>) {
        let (head, rest) = text.split_once(' ').expect("a report");
        let parts: Vec<_> = head.split('/').collect();
        let [run, job, attempt] = parts[..] else { panic!("{head}") };
        let cases = rest.split(", ").map(|it| {
            let (id, outcome) = it.split_once(' ').expect("a case");
            let flaky = outcome == "flaky";
            let outcome = if outcome == "failed" { TestOutcome::Failed } else { TestOutcome::Passed };
            TestCase { id: id.to_owned(), outcome, flaky, message: format!("{id} says no"), ..TestCase::default() }
        });
        let report = TestReport {
            run: run.trim_end_matches('~').parse().expect("a run"),
            commit: CommitId::ZERO,
            workflow: "ci.yml".to_owned(),
            job: job.trim_end_matches('*').to_owned(),
            attempt: attempt.parse().expect("a number"),
            trusted: !run.ends_with('~'),
            counts: TestCounts::default(),
            partial: false,
            split: job.ends_with('*'),
            failed: Vec::new(),
            failed_more: 0,
            flaky: Vec::new(),
            cases: Digest::of(b""),
            files: Vec::new(),
            created: Timestamp::from_micros(0),
        };
        (report, cases.collect())
    }

    #[track_caller]
    fn check(new: &str, others: &[&str], expected: &str) {
        let new = seen(new);
        let others: Vec<_> = others.iter().map(|it| seen(it)).collect();
        let others: Vec<_> = others.iter().map(|(report, cases)| Seen { report, cases }).collect();
        let found = find(Seen { report: &new.0, cases: &new.1 }, &others);
        let told = found.iter().map(|it| format!("{}: failed {}, passed {}", it.id, it.failed, it.passed));
        assert_eq!(told.collect::<Vec<_>>().join("; "), expected);
    }

    #[test]
    fn both_outcomes_of_one_commit_make_a_test_flaky() {
        check("s#1/t/2 a passed, b passed", &["s#1/t/1 a failed, b passed"], "a: failed s#1/t attempt 1, passed s#1/t attempt 2");
        check("s#2/t/1 a failed", &["s#1/t/1 a passed"], "a: failed s#2/t attempt 1, passed s#1/t attempt 1");
        check("s#1/t/2 a failed", &["s#1/t/1 a failed"], "");
    }

    #[test]
    fn legs_and_jobs_and_trust_are_kept_apart() {
        check("s#1/t.1/1 a passed", &["s#1/t/1 a failed"], "");
        check("s#1/u/1 a passed", &["s#1/t/1 a failed"], "");
        check("s#2~/t/1 a passed", &["s#1/t/1 a failed"], "");
    }

    #[test]
    fn a_test_may_move_between_the_legs_that_share_tests_out() {
        check("s#2/t.1*/1 a passed", &["s#1/t*/1 a failed"], "a: failed s#1/t attempt 1, passed s#2/t.1 attempt 1");
    }

    #[test]
    fn a_tool_may_say_it_itself() {
        check("s#1/t/1 a flaky", &[], "a: failed s#1/t attempt 1, passed s#1/t attempt 1");
    }

    #[test]
    fn one_commit_proves_it_once() {
        let (report, cases) = seen("s#1/t/1 a flaky");
        let found = find(Seen { report: &report, cases: &cases }, &[]);
        let now = Timestamp::from_micros(0);
        let once = note(None, &found[0], &report, now);
        let twice = note(Some(once.clone()), &found[0], &report, now);
        assert_eq!((once.commits, once.evidence.len()), (1, 1));
        assert_eq!(twice, once);
    }
}
