//! Failures made for real, and what `landfall explain` says of each.

use serde_json::Value;

use crate::shop::{self, GOOD, Shop};

#[test]
fn a_crash_loop_is_told_with_exit_code_and_last_line() {
    let bad = Shop { command: r#"["/bin/sh", "-c", "echo opening; echo the till is locked; exit 3"]"#, ..GOOD };
    check(&bad, "LF-D0102", &["exit code 3", "the till is locked"]);
}

#[test]
fn an_image_that_does_not_exist_is_named() {
    let bad = Shop { image: "example.invalid/no/such:1", ..GOOD };
    check(&bad, "LF-D0101", &["example.invalid/no/such:1"]);
}

#[test]
fn a_probe_that_never_succeeds_is_told_with_its_answer() {
    let bad = Shop { health: "/health", ..GOOD };
    check(&bad, "LF-D0103", &["404"]);
}

#[test]
fn a_missing_configmap_is_named() {
    let bad = Shop { more: "          env:\n            - name: X\n              valueFrom: {configMapKeyRef: {name: prices, key: X}}", ..GOOD };
    check(&bad, "LF-D0106", &["prices"]);
}

#[test]
fn a_missing_program_is_named() {
    let bad = Shop { command: r#"["/bin/not-there"]"#, ..GOOD };
    check(&bad, "LF-D0108", &["/bin/not-there"]);
}

/// Pushes `bad` over a good release: it is rolled back, and its cause has the code and tells the texts.
#[track_caller]
fn check(bad: &Shop, code: &str, texts: &[&str]) {
    let Some((landfall, repository)) = shop::serving("shop") else { return };
    let pushed = bad.push("shop", &repository);
    landfall.watch(&pushed.commit).ended_with(10);
    let explained = landfall.landfall(&["explain", &pushed.commit, "--output", "json"]).json();
    let causes: Vec<&Value> = explained["items"].as_array().into_iter().flatten().collect();
    let [cause] = causes[..] else { panic!("not one cause: {explained:#}") };
    assert_eq!(cause["code"], code, "{explained:#}");
    for text in texts {
        assert!(cause.to_string().contains(text), "`{text}` is not told: {explained:#}");
    }
}
