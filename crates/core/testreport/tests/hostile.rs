//! Reports that are broken or meant to do harm.

use testreport::junit;

#[track_caller]
fn check(text: impl AsRef<[u8]>, cases: &str, problem: &str) {
    let parsed = junit::parse(text.as_ref());
    let told: Vec<_> = parsed.cases.iter().map(|it| format!("{} {}", it.id, it.outcome)).collect();
    let found = parsed.problem.map(|it| it.to_string()).unwrap_or_default();
    assert_eq!((told.join(", ").as_str(), found.as_str()), (cases, problem));
}

#[test]
fn entities_and_document_types_are_refused() {
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>"#;
    check(bomb, "", "a document type declaration is refused; a test report needs none");
    check(r#"<testsuite><testcase name="&b;"/></testsuite>"#, "", "the entity `b` is refused; a test report defines none");
    check(r#"<testsuite><testcase name="a"><failure>&xxe;</failure></testcase></testsuite>"#, "a failed", "the entity `xxe` is refused; a test report defines none");
}

#[test]
fn depth_and_count_have_limits() {
    let deep = "<testsuite name='x'>".repeat(junit::DEPTH_MAX + 1);
    check(deep, "", "elements lie more than 64 deep");
    let many = format!("<testsuite>{}</testsuite>", "<testcase name='a'/>".repeat(junit::CASES_MAX + 1));
    let parsed = junit::parse(many.as_bytes());
    assert_eq!((parsed.cases.len(), parsed.problem), (junit::CASES_MAX, Some(junit::ParseError::TooMany)));
}

#[test]
fn what_is_no_report_is_said_so() {
    check("", "", "the file is empty");
    check("<coverage/>", "", "expected `testsuites` or `testsuite` at the top, found `coverage`");
    check("<html>\u{1b}[31m</html>", "", "expected `testsuites` or `testsuite` at the top, found `html`");
}

#[test]
fn a_report_that_was_cut_off_keeps_what_it_has() {
    check("<testsuite><testcase name='a'/><testcase name='b'>", "a passed, b error", "the file ends before `testcase` does");
    check("<testsuite><testcase name='a'/><testcase na", "a passed", "the file ends before `testsuite` does");
}

#[test]
fn nothing_of_a_report_reaches_a_terminal() {
    let text = "<testsuite><testcase name='a&#27;[31mb&#x202e;c' classname='x&#0;y'><failure message='&#27;]0;t&#7;no'/></testcase></testsuite>";
    let parsed = junit::parse(text.as_bytes());
    let case = &parsed.cases[0];
    assert_eq!((case.name.as_str(), case.class.as_str(), case.message.as_str()), ("ab\u{fffd}c", "x\u{fffd}y", "no"));
}

#[test]
fn odd_reports_still_tell_what_they_can() {
    check("<testsuite><testcase/><testcase name='b' status='notrun'/><testcase name='c' status='failed'/></testsuite>", "(no name) passed, b skipped, c failed", "");
    check("<testsuites><testcase name='alone'/></testsuites>", "alone passed", "");
    check("<testsuite name='s'><error message='did not compile'/></testsuite>", "s::(the suite itself) error", "");
    check("<testsuite><testcase name='a'><failure/><skipped/></testcase></testsuite>", "a failed", "");
    check("<testsuite><testcase name='a & b'/></testsuite>", "a & b passed", "");
    check(b"<testsuite><testcase name='\xff'/></testsuite>", "\u{fffd} passed", "");
    check("<testsuite xmlns:x='u'><x:testcase name='a'/></testsuite>", "a passed", "");
}
