//! The common actions for test reports: the server reads the reports, these give outputs, a summary and a verdict.

use api::{TestCase, TestCounts};
use serde_json::json;
use testreport::{collect::Collected, glob::Globs, junit};

use super::step::{Failed, Phase, Step, failed};
use crate::tests::{FILES_MAX, Root};

/// Reporters of `dorny/test-reporter` whose files are JUnit's XML.
const REPORTERS: [&str; 9] = [
    "java-junit", "jest-junit", "mocha-junit", "python-xunit", "swift-xunit", "phpunit-junit", "go-junit", "rust-junit", "junit",
];

/// So many failures stand in a summary.
const SHOWN_MAX: usize = 50;

/// Of a message so much stands in a summary.
const MESSAGE_CHARS: usize = 400;

/// The patterns of the reports that an action names in its inputs; none for other actions.
pub fn patterns(action: &str, inputs: &[(String, String)]) -> Vec<String> {
    let input = |name: &str| {
        let found = inputs.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).unwrap_or_default()
    };
    // The same action for other systems lies in folders of its own.
    let action = action.strip_suffix("/linux").or_else(|| action.strip_suffix("/composite")).unwrap_or(action);
    let text = match action {
        "dorny/test-reporter" => {
            let folder = input("working-directory").trim_end_matches('/');
            return match folder {
                "" => vec![input("path").to_owned()],
                folder => input("path").split([',', '\n']).map(|it| below(folder, it.trim())).collect(),
            };
        }
        "enricomi/publish-unit-test-result-action" => [input("files"), input("junit_files")].join("\n"),
        "mikepenz/action-junit-report" => input("report_paths").to_owned(),
        "test-summary/action" => input("paths").to_owned(),
        _ => return Vec::new(),
    };
    vec![text]
}

fn below(folder: &str, pattern: &str) -> String {
    match pattern.strip_prefix('!') {
        Some(rest) => format!("!{folder}/{rest}"),
        None if pattern.starts_with('/') => pattern.to_owned(),
        None => format!("{folder}/{pattern}"),
    }
}

/// What the reports say.
struct Found {
    files: usize,
    cases: Vec<TestCase>,
    counts: TestCounts,
    problems: Vec<String>,
}

impl Found {
    fn conclusion(&self) -> &'static str {
        if self.counts.bad() > 0 { "failure" } else { "success" }
    }
}

fn read(step: &Step, action: &str, names: &[&str]) -> Result<Found, Failed> {
    let inputs: Vec<_> = names.iter().map(|name| ((*name).to_owned(), step.input(name).to_owned())).collect();
    let workspace = step.workspace();
    let seen = format!("{}/", workspace.display());
    let text = patterns(action, &inputs).join("\n");
    let globs = Globs::parse(&text, &|path| match path.starts_with('/') {
        true => path.strip_prefix(&seen).map(str::to_owned),
        false => Some(path.to_owned()),
    });
    if globs.is_empty() {
        return Err(Failed(format!("no pattern names test reports; give one as `{}`", names.last().unwrap_or(&"path"))));
    }
    let root = Root::open(&workspace).map_err(failed(workspace.display()))?;
    let mut paths = root.find(&globs).map_err(failed("the reports cannot be looked for"))?;
    let mut problems = Vec::new();
    if paths.len() > FILES_MAX {
        problems.push(format!("{} files are named; only the first {FILES_MAX} are read", paths.len()));
        paths.truncate(FILES_MAX);
    }
    let mut collected = Collected::default();
    for path in &paths {
        match root.read(path, junit::FILE_BYTES_MAX) {
            Ok(bytes) => {
                let parsed = junit::parse(&bytes);
                problems.extend(parsed.problem.as_ref().map(|it| format!("{path}: {it}")));
                collected.add(path, names::Digest::of(&bytes), parsed);
            }
            Err(error) => problems.push(format!("{path}: {error}")),
        }
    }
    let counts = TestCounts::of(&collected.cases);
    Ok(Found { files: paths.len(), cases: collected.cases, counts, problems })
}

/// The title, the counts and the failures as Markdown.
fn summary(title: &str, found: &Found) -> String {
    let plain = |text: &str| {
        let text = testreport::clean::line(text, MESSAGE_CHARS);
        text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|").replace(['`', '[', ']', '*', '_'], "\u{a0}")
    };
    let mut text = format!("### {}\n\n{} in {} reports\n", plain(title), found.counts, found.files);
    let bad: Vec<_> = found.cases.iter().filter(|it| it.outcome.is_bad()).collect();
    if !bad.is_empty() {
        text.push_str("\n| Test | Outcome | Message |\n|---|---|---|\n");
        for case in bad.iter().take(SHOWN_MAX) {
            text.push_str(&format!("| {} | {} | {} |\n", plain(&case.id), case.outcome, plain(&case.message)));
        }
        if bad.len() > SHOWN_MAX {
            text.push_str(&format!("\nand {} more\n", bad.len() - SHOWN_MAX));
        }
    }
    text
}

fn say(step: &Step, found: &Found) {
    step.say(format_args!("Tests: {} in {} reports", found.counts, found.files));
    found.problems.iter().for_each(|it| step.warn(it));
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

/// Whether an input that is not given counts as true.
fn flag(step: &Step, name: &str) -> Result<bool, Failed> {
    if step.input(name).is_empty() { Ok(true) } else { step.flag(name) }
}

/// `dorny/test-reporter`
pub fn dorny(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let reporter = step.input("reporter");
    if !REPORTERS.contains(&reporter) {
        return Err(Failed(format!(
            "the reporter `{reporter}` is not supported: reports must be JUnit's XML ({}); let the tests write that",
            REPORTERS.join(", ")
        )));
    }
    if !step.input("artifact").is_empty() {
        return Err(Failed("`artifact` is not supported: download the artifact first and name its files as `path`".to_owned()));
    }
    let found = read(step, "dorny/test-reporter", &["working-directory", "path"])?;
    say(step, &found);
    let counts = found.counts;
    step.set_output("conclusion", found.conclusion())?;
    step.set_output("passed", &counts.passed.to_string())?;
    step.set_output("failed", &counts.bad().to_string())?;
    step.set_output("skipped", &counts.skipped.to_string())?;
    step.set_output("time", &(counts.micros / 1000).to_string())?;
    let address = address(step);
    step.set_output("url", &address)?;
    step.set_output("url_html", &address)?;
    step.summarise(&summary(or(step.input("report-title"), step.input("name")), &found))?;
    if found.files == 0 && flag(step, "fail-on-empty")? {
        return Err(Failed(format!("No test report files were found by `{}`", step.input("path"))));
    }
    if counts.bad() > 0 && flag(step, "fail-on-error")? {
        return Err(Failed("Failed test were found and 'fail-on-error' option is set to true".to_owned()));
    }
    Ok(())
}

/// The page of the run.
fn address(step: &Step) -> String {
    format!("{}/{}/actions/runs/{}", step.env("GITHUB_SERVER_URL"), step.env("GITHUB_REPOSITORY"), step.env("GITHUB_RUN_ID"))
}

/// `mikepenz/action-junit-report`
pub fn mikepenz(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let found = read(step, "mikepenz/action-junit-report", &["report_paths"])?;
    say(step, &found);
    let counts = found.counts;
    step.set_output("total", &counts.total().to_string())?;
    step.set_output("passed", &counts.passed.to_string())?;
    step.set_output("skipped", &counts.skipped.to_string())?;
    step.set_output("failed", &counts.bad().to_string())?;
    step.set_output("flaky", &counts.flaky.to_string())?;
    step.set_output("time", &(counts.micros / 1_000_000).to_string())?;
    if flag(step, "job_summary")? {
        step.summarise(&summary(or(step.input("check_name"), "JUnit Test Report"), &found))?;
    }
    if counts.total() == 0 && step.flag("require_tests")? {
        return Err(Failed("No test results found".to_owned()));
    }
    if counts.passed == 0 && step.flag("require_passed_tests")? {
        return Err(Failed("No passed test results found".to_owned()));
    }
    if !found.problems.is_empty() && step.flag("fail_on_parse_error")? {
        return Err(Failed("a test report could not be read".to_owned()));
    }
    if counts.bad() > 0 && step.flag("fail_on_failure")? {
        return Err(Failed(format!("Tests reported {} failures", counts.bad())));
    }
    Ok(())
}

/// `EnricoMi/publish-unit-test-result-action`
pub fn enricomi(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    for (name, format) in [("nunit_files", "NUnit"), ("xunit_files", "XUnit"), ("trx_files", "TRX")] {
        if !step.input(name).is_empty() {
            return Err(Failed(format!("`{name}` is not supported: {format} files cannot be read; let the tests write JUnit's XML")));
        }
    }
    let found = read(step, "enricomi/publish-unit-test-result-action", &["files", "junit_files"])?;
    say(step, &found);
    let counts = found.counts;
    let conclusion = match or(step.input("fail_on"), "test failures") {
        _ if found.files == 0 => "neutral",
        "nothing" => "success",
        "errors" if counts.errored > 0 || !found.problems.is_empty() => "failure",
        "errors" => "success",
        _ if counts.bad() > 0 || !found.problems.is_empty() => "failure",
        _ => "success",
    };
    let suites: std::collections::BTreeSet<_> = found.cases.iter().map(|it| (&it.report, &it.suite)).collect();
    let stats = json!({
        "files": found.files, "errors": found.problems.len(), "suites": suites.len(), "duration": counts.micros / 1_000_000,
        "tests": counts.total(), "tests_succ": counts.passed, "tests_skip": counts.skipped,
        "tests_fail": counts.failed, "tests_error": counts.errored,
        "runs": counts.total(), "runs_succ": counts.passed, "runs_skip": counts.skipped,
        "runs_fail": counts.failed, "runs_error": counts.errored, "commit": step.env("GITHUB_SHA"),
    });
    let formatted: serde_json::Map<_, _> = stats
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned))))
        .collect();
    let told = json!({
        "title": counts.to_string(), "summary": counts.to_string(), "conclusion": conclusion,
        "stats": stats, "formatted": {"stats": formatted}, "annotations": counts.bad(),
    });
    step.set_output("json", &told.to_string())?;
    let file = step.input("json_file");
    if !file.is_empty() {
        std::fs::write(step.path(file), told.to_string()).map_err(failed(file))?;
    }
    if flag(step, "job_summary")? {
        step.summarise(&summary(or(step.input("check_name"), "Test Results"), &found))?;
    }
    let fails = conclusion == "failure" && step.flag("action_fail")?;
    let inconclusive = conclusion == "neutral" && step.flag("action_fail_on_inconclusive")?;
    if fails || inconclusive {
        return Err(Failed(format!("the test results are {conclusion}: {counts}")));
    }
    Ok(())
}

/// `test-summary/action`
pub fn test_summary(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let found = read(step, "test-summary/action", &["paths"])?;
    say(step, &found);
    let counts = found.counts;
    step.set_output("passed", &counts.passed.to_string())?;
    step.set_output("failed", &counts.bad().to_string())?;
    step.set_output("skipped", &counts.skipped.to_string())?;
    step.set_output("total", &counts.total().to_string())?;
    let text = summary("Test results", &found);
    match step.input("output") {
        "" => step.summarise(&text),
        "-" => Ok(step.say(text)),
        file => std::fs::write(step.path(file), text).map_err(failed(file)),
    }
}

pub const DORNY: &str = "
name: Test Reporter
inputs:
  artifact: {}
  name: {required: true}
  path: {required: true}
  path-replace-backslashes: {default: 'false'}
  reporter: {required: true}
  only-summary: {default: 'false'}
  use-actions-summary: {default: 'true'}
  badge-title: {default: tests}
  report-title: {}
  list-suites: {default: all}
  list-tests: {default: all}
  max-annotations: {default: '10'}
  fail-on-error: {default: 'true'}
  fail-on-empty: {default: 'true'}
  working-directory: {}
  token: {default: '${{ github.token }}'}
outputs:
  conclusion: {}
  passed: {}
  failed: {}
  skipped: {}
  time: {}
  url: {}
  url_html: {}
runs: {using: native, main: NAME}
";

pub const MIKEPENZ: &str = "
name: JUnit Report Action
inputs:
  token: {default: '${{ github.token }}'}
  github_token: {}
  report_paths: {default: '**/junit-reports/TEST-*.xml'}
  test_files_prefix: {}
  exclude_sources: {default: '/build/,/__pycache__/'}
  suite_regex: {}
  annotate_only: {default: 'false'}
  update_check: {default: 'false'}
  check_name: {default: JUnit Test Report}
  commit: {}
  fail_on_failure: {default: 'false'}
  fail_on_parse_error: {default: 'false'}
  require_tests: {default: 'false'}
  require_passed_tests: {default: 'false'}
  include_passed: {default: 'false'}
  include_skipped: {default: 'true'}
  check_annotations: {default: 'true'}
  check_title_template: {}
  bread_crumb_delimiter: {default: /}
  summary: {}
  check_retries: {default: 'false'}
  transformers: {default: '[]'}
  job_summary: {default: 'true'}
  job_summary_text: {}
  detailed_summary: {default: 'false'}
  flaky_summary: {default: 'false'}
  group_suite: {default: 'false'}
  comment: {default: 'false'}
  updateComment: {default: 'true'}
  annotate_notice: {default: 'false'}
  annotations_limit: {}
  skip_annotations: {default: 'false'}
  truncate_stack_traces: {default: 'true'}
  resolve_ignore_classname: {default: 'false'}
  skip_comment_without_tests: {default: 'false'}
  pr_id: {}
  follow_symlink: {default: 'false'}
  job_name: {default: '${{ github.job }}'}
outputs:
  total: {}
  passed: {}
  skipped: {}
  failed: {}
  flaky: {}
  time: {}
runs: {using: native, main: NAME}
";

pub const ENRICOMI: &str = "
name: Publish Test Results
inputs:
  github_token: {default: '${{ github.token }}'}
  github_token_actor: {}
  github_retries: {default: '10'}
  ssl_verify: {default: 'true'}
  commit: {}
  check_name: {default: Test Results}
  comment_title: {}
  comment_mode: {default: always}
  fail_on: {default: test failures}
  action_fail: {default: 'false'}
  action_fail_on_inconclusive: {default: 'false'}
  files: {}
  junit_files: {}
  nunit_files: {}
  xunit_files: {}
  trx_files: {}
  time_unit: {default: seconds}
  test_file_prefix: {}
  report_individual_runs: {default: 'false'}
  report_suite_logs: {default: none}
  deduplicate_classes_by_file_name: {default: 'false'}
  large_files: {default: 'false'}
  ignore_runs: {default: 'false'}
  check_run: {default: 'true'}
  job_summary: {default: 'true'}
  compare_to_earlier_commit: {default: 'true'}
  pull_request_build: {default: merge}
  event_file: {}
  event_name: {}
  test_changes_limit: {default: '10'}
  check_run_annotations: {}
  check_run_annotations_branch: {}
  seconds_between_github_reads: {default: '0.25'}
  seconds_between_github_writes: {default: '2.0'}
  secondary_rate_limit_wait_seconds: {default: '60'}
  json_file: {}
  json_thousands_separator: {}
  json_suite_details: {default: 'false'}
  json_test_case_results: {default: 'false'}
  search_pull_requests: {default: 'false'}
outputs:
  json: {}
runs: {using: native, main: NAME}
";

pub const TEST_SUMMARY: &str = "
name: Test Summary
inputs:
  paths: {required: true}
  output: {}
  show: {default: fail}
  folded: {default: 'false'}
outputs:
  passed: {}
  failed: {}
  skipped: {}
  total: {}
runs: {using: native, main: NAME}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(action: &str, inputs: &[(&str, &str)], expected: &[&str]) {
        let inputs: Vec<_> = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(patterns(action, &inputs), expected, "{action}");
    }

    #[test]
    fn each_action_names_its_reports() {
        check("dorny/test-reporter", &[("path", "a/*.xml,b.xml")], &["a/*.xml,b.xml"]);
        check("dorny/test-reporter", &[("path", "a/*.xml, b.xml"), ("working-directory", "web/")], &["web/a/*.xml", "web/b.xml"]);
        check("enricomi/publish-unit-test-result-action", &[("files", "r/*.xml\n!r/x.xml")], &["r/*.xml\n!r/x.xml\n"]);
        check("mikepenz/action-junit-report", &[("report_paths", "**/TEST-*.xml")], &["**/TEST-*.xml"]);
        check("actions/checkout", &[("path", "x")], &[]);
    }

    #[test]
    fn a_summary_holds_no_markup_of_the_tests() {
        let case = TestCase {
            id: "a|b <img>".to_owned(),
            outcome: api::TestOutcome::Failed,
            message: "no [x](javascript:y)\nmore".to_owned(),
            ..TestCase::default()
        };
        let counts = TestCounts::of([&case]);
        let found = Found { files: 1, cases: vec![case], counts, problems: Vec::new() };
        let nb = '\u{a0}';
        let expected = format!(
            "### Unit\n\n1 failed in 1 reports\n\n| Test | Outcome | Message |\n|---|---|---|\n| a\\|b &lt;img> | failed | no {nb}x{nb}(javascript:y) more |\n"
        );
        assert_eq!(summary("Unit", &found), expected);
    }
}
