//! What a run tested, and a test that is known to be flaky.

use api::{FlakyEvidence, FlakyTest, TestCase, TestCounts, TestOutcome, TestReport, TestReportFile, TestedBy};
use names::Digest;

use super::{BAD, at, commit};

const ID: &str = "tests.test_a::test_<b>x";

pub fn report() -> TestReport {
    let case = TestCase {
        id: ID.to_owned(),
        class: "tests.test_a".to_owned(),
        name: "test_<b>x".to_owned(),
        outcome: TestOutcome::Failed,
        message: "assert 3 == 4\n<script>".to_owned(),
        file: Some("tests/test_a.py".to_owned()),
        line: Some(8),
        ..TestCase::default()
    };
    TestReport {
        run: "shop#2".parse().expect("a run"),
        commit: commit(BAD),
        workflow: ".github/workflows/ci.yml".to_owned(),
        job: "deploy".to_owned(),
        attempt: 1,
        trusted: true,
        counts: TestCounts { passed: 3, failed: 1, flaky: 1, ..TestCounts::default() },
        partial: false,
        split: false,
        failed: vec![case],
        failed_more: 0,
        flaky: Vec::new(),
        cases: Digest::of(b"cases"),
        files: vec![TestReportFile { path: "junit.xml".to_owned(), digest: Digest::of(b"file"), problem: None }],
        created: at(60),
    }
}

pub fn flaky() -> FlakyTest {
    let by = |run: &str| TestedBy { run: run.parse().expect("a run"), job: "deploy".to_owned(), attempt: 1 };
    FlakyTest {
        project: "shop".parse().expect("a name"),
        id: ID.to_owned(),
        variant: report().variant(),
        file: None,
        line: None,
        commits: 1,
        first: at(60),
        last: at(60),
        evidence: vec![FlakyEvidence {
            commit: commit(BAD),
            failed: by("shop#2"),
            passed: by("shop#1"),
            message: "no".to_owned(),
            at: at(60),
        }],
    }
}
