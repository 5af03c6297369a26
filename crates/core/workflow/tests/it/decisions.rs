//! Whether an event starts a workflow, and when a schedule is due.

use serde_json::{Value, json};
use workflow::{Decision, Happening, Schedule, parse};

/// `start`, or why not.
fn decide(on: &str, event: &str, payload: &Value, changed: Option<&[&str]>) -> String {
    let source = format!("on:\n{on}\njobs: {{ a: {{ runs-on: x, steps: [] }} }}\n");
    let parsed = parse(&source, "ci.yml");
    let workflow = parsed
        .workflow
        .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let changed: Option<Vec<String>> =
        changed.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
    let happening = Happening {
        event,
        payload,
        changed: changed.as_deref(),
    };
    match workflow.triggers.decide(&happening) {
        Decision::Start => "start".to_owned(),
        Decision::Skip(why) => why,
    }
}

#[track_caller]
fn check(on: &str, event: &str, payload: Value, changed: Option<&[&str]>, expected: &str) {
    assert_eq!(
        decide(on, event, &payload, changed),
        expected,
        "{on} {event} {payload}"
    );
}

#[test]
fn pull_requests_are_filtered_by_activity_base_and_paths() {
    let payload = |action: &str, base: &str| json!({"action": action, "pull_request": {"base": {"ref": base}}});
    let on = "  pull_request: { branches: [main], paths: ['src/**'] }";
    check(
        on,
        "pull_request",
        payload("opened", "main"),
        Some(&["src/a"]),
        "start",
    );
    check(on, "pull_request", payload("opened", "main"), None, "start");
    check(
        on,
        "pull_request",
        payload("labeled", "main"),
        None,
        "its activity is `labeled`, and only `opened`, `synchronize`, `reopened` count",
    );
    check(
        on,
        "pull_request",
        payload("opened", "dev"),
        None,
        "branch `dev` does not match `branches` (`main`)",
    );
    check(
        on,
        "pull_request",
        payload("opened", "main"),
        Some(&["doc/a"]),
        "none of the 1 changed files matches `paths` (`src/**`)",
    );
    check(
        "  push:",
        "pull_request",
        payload("opened", "main"),
        None,
        "it does not listen to `pull_request`",
    );
    check(
        "  pull_request_target: { types: labeled }",
        "pull_request_target",
        payload("labeled", "x"),
        None,
        "start",
    );
}

#[test]
fn pushes_are_filtered_by_ref_and_message() {
    let payload =
        |git_ref: &str, message: &str| json!({"ref": git_ref, "head_commit": {"message": message}});
    check(
        "  push:",
        "push",
        payload("refs/heads/main", "x"),
        None,
        "start",
    );
    check(
        "  push:",
        "push",
        payload("refs/heads/main", "docs [skip ci]"),
        None,
        "the message of the commit says `[skip ci]`",
    );
    check(
        "  push:",
        "push",
        payload("refs/heads/main", "docs\n\nSkip-Checks: true\n"),
        None,
        "the message of the commit says `skip-checks: true`",
    );
    check(
        "  push: { tags: [v*] }",
        "push",
        payload("refs/tags/v1", "x"),
        Some(&[]),
        "start",
    );
    check(
        "  push: { tags: [v*] }",
        "push",
        payload("refs/heads/v1", "x"),
        None,
        "it listens to pushes of tags only, and `v1` is a branch",
    );
    check(
        "  push:",
        "push",
        json!({"ref": "refs/heads/x", "deleted": true}),
        None,
        "`refs/heads/x` was deleted",
    );
}

#[test]
fn other_events_have_their_own_filters() {
    let run = |name: &str, branch: &str| json!({"action": "completed", "workflow": {"name": name}, "workflow_run": {"head_branch": branch}});
    let on = "  workflow_run: { workflows: [CI], types: [completed], branches-ignore: [tmp/**] }";
    check(on, "workflow_run", run("CI", "main"), None, "start");
    check(
        on,
        "workflow_run",
        run("Docs", "main"),
        None,
        "workflow `Docs` is not among its `workflows`",
    );
    check(
        on,
        "workflow_run",
        run("CI", "tmp/a"),
        None,
        "branch `tmp/a` matches `branches-ignore` (`tmp/**`)",
    );
    let on = "  repository_dispatch: { types: [deploy] }";
    check(
        on,
        "repository_dispatch",
        json!({"action": "deploy"}),
        None,
        "start",
    );
    check(
        on,
        "repository_dispatch",
        json!({"action": "test"}),
        None,
        "its activity is `test`, and only `deploy` count",
    );
    let on = "  schedule: [{ cron: '0 3 * * *' }]";
    check(
        on,
        "schedule",
        json!({"schedule": "0 3 * * *"}),
        None,
        "start",
    );
    check(
        on,
        "schedule",
        json!({"schedule": "1 3 * * *"}),
        None,
        "it has no schedule `1 3 * * *`",
    );
    check(
        "  issues: { types: [opened] }",
        "issues",
        json!({"action": "opened"}),
        None,
        "start",
    );
    check(
        "  release:",
        "release",
        json!({"action": "created"}),
        None,
        "start",
    );
}

#[test]
fn inputs_of_a_dispatch_are_typed() {
    let on = "  workflow_dispatch: { inputs: { level: { type: choice, options: [low, high], default: low }, count: { type: number }, sure: { type: boolean }, why: { required: true } } }";
    let check = |inputs: Value, expected: &str| {
        check(
            on,
            "workflow_dispatch",
            json!({"inputs": inputs}),
            None,
            expected,
        )
    };
    check(json!({"why": "x"}), "start");
    check(
        json!({"why": "x", "level": "mid"}),
        "input `level`: expected one of low, high, found `mid`",
    );
    check(
        json!({"why": "x", "count": "a"}),
        "input `count`: expected a number, found `a`",
    );
    check(
        json!({"why": "x", "sure": "yes"}),
        "input `sure`: expected true or false, found `yes`",
    );
    check(json!({"why": ""}), "input `why` is required");
    check(json!({"why": "x", "other": 1}), "it has no input `other`");
    let source = format!("on:\n{on}\njobs: {{ a: {{ runs-on: x, steps: [] }} }}\n");
    let triggers = parse(&source, "ci.yml").workflow.expect("valid").triggers;
    let given = json!({"WHY": "x", "count": "0x10", "sure": "true"});
    let given = given.as_object().expect("an object");
    assert_eq!(
        triggers.on_dispatch(given),
        Ok(json!({"level": "low", "count": 16, "sure": true, "why": "x"}))
    );
}

#[test]
fn schedules_name_the_next_time() {
    #[track_caller]
    fn check(cron: &str, zone: Option<&str>, after: &str, expected: &str) {
        let schedule = Schedule {
            cron: cron.parse().expect("a schedule"),
            zone: zone.map(str::to_owned),
        };
        let next = schedule.next_after(after.parse().expect("a time"));
        assert_eq!(
            next.map_or("never".to_owned(), |it| it.to_string()),
            expected,
            "{cron}"
        );
    }
    check(
        "*/15 * * * *",
        None,
        "2026-03-01T10:15:00Z",
        "2026-03-01T10:30:00Z",
    );
    check(
        "7 2-4/2 * * *",
        None,
        "2026-03-01T02:07:01Z",
        "2026-03-01T04:07:00Z",
    );
    check(
        "0 0 29 feb *",
        None,
        "2026-03-01T00:00:00Z",
        "2028-02-29T00:00:00Z",
    );
    check("0 0 30 2 *", None, "2026-03-01T00:00:00Z", "never");
    // Either field of the day is enough when both are given.
    check(
        "0 0 13 * FRI",
        None,
        "2026-03-01T00:00:00Z",
        "2026-03-06T00:00:00Z",
    );
    check(
        "0 0 * * 0,6",
        None,
        "2026-03-02T00:00:00Z",
        "2026-03-07T00:00:00Z",
    );
    check(
        "30 9 * * *",
        Some("Europe/Zurich"),
        "2026-01-01T00:00:00Z",
        "2026-01-01T08:30:00Z",
    );
    // The clocks go forward over 02:30, and backward over it in October.
    check(
        "30 2 * * *",
        Some("Europe/Zurich"),
        "2026-03-28T12:00:00Z",
        "2026-03-29T01:30:00Z",
    );
    check(
        "30 2 * * *",
        Some("Europe/Zurich"),
        "2026-10-24T12:00:00Z",
        "2026-10-25T00:30:00Z",
    );
}

#[test]
fn schedules_that_are_none_say_why() {
    #[track_caller]
    fn check(cron: &str, expected: &str) {
        let error = cron.parse::<workflow::Cron>().expect_err("no schedule");
        assert_eq!(error.to_string(), expected);
    }
    check(
        "* * * *",
        "expected 5 fields (minute, hour, day, month, weekday), found 4",
    );
    check(
        " 0 0 * * *",
        "expected 5 fields (minute, hour, day, month, weekday), found 6",
    );
    check("60 * * * *", "`60` is no minute: expected 0 to 59");
    check("* * * * 7", "`7` is no day of the week: expected 0 to 6");
    check(
        "* * 5-1 * *",
        "`5-1` is no day of the month: expected 1 to 31",
    );
    check("*/0 * * * *", "`*/0` is no minute: expected 0 to 59");
    check("* jan * * *", "`jan` is no hour: expected 0 to 23");
    check("1,,2 * * * *", "`1,,2` is no minute: expected 0 to 59");
}
