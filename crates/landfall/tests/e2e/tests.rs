//! Tests as records: reports, flaky tests, re-runs of what failed, shares of a list, jobs that need not run.

use serde_json::Value;

use crate::{installation::Installation, wait::until_ok};

/// Runs the tests that it is given, else all: `a` passes, `b` fails, `c` fails in the first attempt only.
const SCRIPT: &str = r#"mkdir -p out
echo "asked for: [$*]"
tests=${*:-shop::a shop::b shop::c}
code=0
{
  echo '<testsuites><testsuite name="unit">'
  for id in $tests; do
    name=${id#shop::}
    case "$name" in
      a) time=3.0; failure= ;;
      b) time=1.0; failure='<failure message="b says no &lt;3&gt;">shop.txt:2: no</failure>' ;;
      c) time=1.0; failure=; [ "$GITHUB_RUN_ATTEMPT" = 1 ] && failure='<failure message="not yet"/>' ;;
    esac
    [ -n "$failure" ] && code=1
    echo "<testcase classname=\"shop\" name=\"$name\" time=\"$time\">$failure</testcase>"
  done
  echo '</testsuite></testsuites>'
} > out/unit.xml
exit $code
"#;

const WORKFLOW: &str = r#"name: ci
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    env:
      LANDFALL_TEST_REPORTS: "out/*.xml"
    steps:
      - uses: actions/checkout@v4
      - run: sh run.sh $(landfall tests failed)
  share:
    needs: test
    if: always()
    runs-on: ubuntu-latest
    strategy:
      matrix:
        leg: [one, two]
    steps:
      - run: |
          printf 'a\nb\nc\nd\n' | landfall tests split --index ${{ strategy.job-index }} --total ${{ strategy.job-total }} > share
          echo "share of ${{ matrix.leg }}:" $(cat share)
      - run: landfall runs && exit 1 || exit 0
"#;

#[test]
fn tests_are_told_flaky_ones_found_and_failed_ones_run_again() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("shop");
    repository.write("run.sh", SCRIPT).write("shop.txt", "one\ntwo\n").write(".github/workflows/ci.yml", WORKFLOW);
    let pushed = repository.push();
    landfall.watch(&pushed.commit).ended_with(1);

    let told = tests_of(&landfall, "shop#1");
    assert_eq!(told, "test attempt 1: shop::b failed at shop.txt:2, shop::c failed, shop::a passed");
    landfall.landfall(&["tests", "shop#1"]).ended_with(0).told("2 failed, 1 passed").told("b says no <3>");
    landfall.landfall(&["runs"]).told("2 failed of 3");
    landfall.landfall(&["explain", "shop#1"]).told("test failed: shop::b  shop.txt:2").told("--failed-tests");
    let thread = landfall.thread(&pushed.commit);
    let step = &thread["runs"][0]["jobs"][0]["steps"][1];
    assert_eq!(step["annotations"][0]["file"], "shop.txt", "{step:#}");
    assert_eq!(step["annotations"][0]["line"], 2, "{step:#}");
    let log = landfall.logs("shop#1");
    for line in ["asked for: []", "share of one: a", "share of two: b c d", "failed: shop::b (shop.txt:2)"] {
        assert!(log.lines().any(|it| it.ends_with(line)), "`{line}` is missing:\n{log}");
    }

    landfall.landfall(&["rerun", "shop#1", "--failed-tests"]).ended_with(0);
    finished(&landfall, "shop", 1, 2);
    let log = landfall.logs("shop#1");
    assert!(log.lines().any(|it| it.ends_with("asked for: [shop::b shop::c]")), "{log}");
    let told = tests_of(&landfall, "shop#1");
    assert_eq!(told, "test attempt 2 partial: shop::b failed at shop.txt:2, shop::a passed, shop::c passed");

    let flaky = landfall.landfall(&["tests", "--flaky", "--project", "shop", "--output", "json"]).json();
    let flaky = flaky["items"].as_array().expect("a list").clone();
    let [only] = &flaky[..] else { panic!("not one flaky test: {flaky:#?}") };
    assert_eq!(only["id"], "shop::c");
    assert_eq!(only["evidence"][0]["failed"]["attempt"], 1, "{only:#}");
    assert_eq!(only["evidence"][0]["passed"]["attempt"], 2, "{only:#}");
    landfall.landfall(&["tests", "--flaky"]).ended_with(0).told("failed in shop#1/test attempt 1, passed in shop#1/test attempt 2");
}

const REUSING: &str = r#"name: ci
on: [push, workflow_dispatch]
jobs:
  build:
    runs-on: ubuntu-latest
    env:
      LANDFALL_INPUTS: "src/** Makefile"
    outputs:
      sum: ${{ steps.sum.outputs.sum }}
    steps:
      - uses: actions/checkout@v4
      - id: sum
        run: echo "sum=$(cat src/* | cksum | cut -d' ' -f1)" >> "$GITHUB_OUTPUT"
      - run: cp src/a.txt made.txt
      - uses: actions/upload-artifact@v4
        with: {name: made, path: made.txt}
  use:
    needs: build
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {name: made}
      - run: echo "made of $(cat made.txt), sum ${{ needs.build.outputs.sum }}"
"#;

#[test]
fn a_job_whose_inputs_did_not_change_is_reused_with_proof() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("shop");
    repository.write("src/a.txt", "one").write("README.md", "first").write(".github/workflows/ci.yml", REUSING);
    let first = repository.push();
    landfall.watch(&first.commit).ended_with(0);
    let sum = last_of(&landfall, "shop#1", "made of one, sum ");

    let second = repository.write("README.md", "second").push();
    landfall.watch(&second.commit).ended_with(0);
    let run = landfall.thread(&second.commit)["runs"][0].take();
    let reason = run["jobs"][0]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.starts_with("reused from shop#1/build: "), "{run:#}");
    assert!(reason.contains(&first.commit[..7]) && reason.contains("1 input file (src/** Makefile)"), "{reason}");
    assert_eq!(run["jobs"][0]["conclusion"], "success", "{run:#}");
    assert_eq!(last_of(&landfall, "shop#2", "made of one, sum "), sum);
    landfall.landfall(&["explain", "shop#2"]).ended_with(0).told("shop#2 / build did not run: reused from shop#1/build");

    landfall.landfall(&["dispatch", "shop", "ci.yml", "--no-reuse"]).ended_with(0);
    finished(&landfall, "shop", 3, 1);
    assert!(landfall.logs("shop#3").contains("the job runs: it was asked to run everything"));

    landfall.landfall(&["rerun", "shop#2", "--job", "build"]).ended_with(0);
    finished(&landfall, "shop", 2, 2);
    assert!(landfall.logs("shop#2").contains("the job runs: a re-run runs every job that it names"));

    let changed = repository.write("src/a.txt", "two").push();
    landfall.watch(&changed.commit).ended_with(0);
    assert!(landfall.logs("shop#4").contains("`src/a.txt` changed"), "{}", landfall.logs("shop#4"));
    assert_ne!(last_of(&landfall, "shop#4", "made of two, sum "), sum);
}

const REPORTER: &str = r#"name: ci
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: sh run.sh || true
      - id: report
        uses: dorny/test-reporter@v2
        if: always()
        with: {name: Unit tests, path: "out/*.xml", reporter: java-junit, fail-on-error: "false"}
      - run: echo "reported ${{ steps.report.outputs.conclusion }} ${{ steps.report.outputs.failed }} of ${{ steps.report.outputs.passed }}"
"#;

#[test]
fn a_common_action_for_reports_is_answered() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("shop");
    repository.write("run.sh", SCRIPT).write("shop.txt", "one\ntwo\n").write(".github/workflows/ci.yml", REPORTER);
    let pushed = repository.push();
    landfall.watch(&pushed.commit).ended_with(0);
    let log = landfall.logs("shop#1");
    assert!(log.lines().any(|it| it.ends_with("reported failure 2 of 1")), "{log}");
    let told = tests_of(&landfall, "shop#1");
    assert_eq!(told, "test attempt 1: shop::b failed at shop.txt:2, shop::c failed, shop::a passed");
}

/// All tests of a run in one line.
fn tests_of(landfall: &Installation, run: &str) -> String {
    let told = landfall.landfall(&["tests", run, "--output", "json"]).json();
    let jobs = told["jobs"].as_array().into_iter().flatten();
    let job = |job: &Value| {
        let cases = job["cases"].as_array().into_iter().flatten().map(|case| {
            let place = case["file"].as_str().map(|file| format!(" at {file}:{}", case["line"])).unwrap_or_default();
            format!("{} {}{place}", case["id"].as_str().unwrap_or("?"), case["outcome"].as_str().unwrap_or("?"))
        });
        let partial = if job["partial"] == true { " partial" } else { "" };
        let cases: Vec<_> = cases.collect();
        format!("{} attempt {}{partial}: {}", job["job"].as_str().unwrap_or("?"), job["attempt"], cases.join(", "))
    };
    jobs.map(job).collect::<Vec<_>>().join("; ")
}

/// Waits until an attempt at a run is over.
fn finished(landfall: &Installation, project: &str, number: u64, attempt: u64) {
    until_ok(&format!("attempt {attempt} of {project}#{number} is over"), || {
        let told = landfall.landfall(&["runs", "--project", project, "--output", "json"]).json();
        let mut runs = told["items"].as_array().into_iter().flatten();
        let run = runs.find(|it| it["id"] == format!("{project}#{number}"));
        match run {
            Some(run) if run["attempt"] == attempt && run["status"] == "completed" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

/// What follows `head` in the log of a run.
fn last_of(landfall: &Installation, run: &str, head: &str) -> String {
    let log = landfall.logs(run);
    let found = log.lines().filter_map(|line| line.split_once(head)).next_back();
    found.unwrap_or_else(|| panic!("`{head}` is missing:\n{log}")).1.to_owned()
}
