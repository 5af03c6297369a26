//! Starting, approving and repeating runs, and the values that they use, by command.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    installation::{Installation, curl},
    program::{Ran, run},
    wait::until_ok,
};

const RELEASE: &str = "name: release
on:
  workflow_dispatch:
    inputs:
      version: {required: true}
jobs:
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: echo \"${{ inputs.version }} to ${{ vars.REGION }} with $TOKEN\"
        env:
          TOKEN: ${{ secrets.TOKEN }}
";

/// Runs a command of the program with a value on its standard input.
fn with_input(landfall: &Installation, input: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", "printf '%s\\n' \"$INPUT\" | \"$0\" \"$@\"", env!("CARGO_BIN_EXE_landfall")]).args(arguments);
    run(command.env("INPUT", input).env("LANDFALL_DATA", landfall.data()))
}

/// The run as `landfall runs` lists it, once `is_there` holds.
fn wait_for(landfall: &Installation, is_there: impl Fn(&Value) -> bool) -> Value {
    until_ok("the run", || {
        let runs = landfall.landfall(&["runs", "--output", "json"]).json();
        let found = runs["items"].as_array().and_then(|all| all.iter().find(|it| it["id"] == "shop#1")).cloned();
        found.filter(&is_there).ok_or_else(|| runs.to_string())
    })
}

#[test]
fn a_release_is_dispatched_approved_and_repeated() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("shop");
    repository.write(".github/workflows/release.yml", RELEASE).push();

    with_input(&landfall, "hunter2hunter2", &["secret", "set", "shop", "token"]).ended_with(0).told("TOKEN");
    with_input(&landfall, "eu", &["variable", "set", "shop", "REGION"]).ended_with(0);
    let secrets = landfall.landfall(&["secret", "list", "shop"]).succeeded();
    assert!(secrets.contains("TOKEN") && !secrets.contains("hunter2"), "{secrets}");
    landfall.landfall(&["variable", "list", "shop"]).ended_with(0).told("REGION  eu");

    let rules = format!("{}landfall/v1/projects/shop/environments/production", landfall.told("web_url"));
    let bearer = format!("Authorization: Bearer {}", landfall.token());
    let put = ["--request", "PUT", "--header", &bearer, "--json", r#"{"needs_approval": true}"#, &rules];
    assert_eq!(curl(&put).succeeded(), "");

    landfall.landfall(&["dispatch", "shop", "none.yml"]).ended_with(1).told("there is no workflow `none.yml`");
    landfall.landfall(&["dispatch", "shop", "release.yml"]).ended_with(1).told("input `version` is required");
    let input = ["dispatch", "shop", "release.yml", "--input", "version=1.2", "--output", "json"];
    assert_eq!(landfall.landfall(&input).json()["id"], "shop#1");

    wait_for(&landfall, |run| run["jobs"][0]["reason"].as_str().is_some_and(|it| it.contains("approval")));
    landfall.landfall(&["approve", "shop#1", "staging"]).ended_with(5);
    landfall.landfall(&["approve", "shop#1", "production"]).ended_with(0).told("`production` approved");
    let over = |attempt: u64| move |run: &Value| run["attempt"] == attempt && run["status"] == "completed";
    assert_eq!(wait_for(&landfall, over(1))["conclusion"], json!("success"));
    let logs = landfall.logs("shop#1");
    assert!(logs.contains("1.2 to eu with ***") && !logs.contains("hunter2"), "{logs}");

    landfall.landfall(&["rerun", "shop#1", "--failed"]).ended_with(6).told("nothing failed");
    landfall.landfall(&["rerun", "shop#1"]).ended_with(0).told("attempt 2");
    wait_for(&landfall, |run| run["jobs"][0]["reason"].as_str().is_some_and(|it| it.contains("approval")));
    landfall.landfall(&["approve", "shop#1", "--reject"]).ended_with(0);
    assert_eq!(wait_for(&landfall, over(2))["conclusion"], json!("failure"));

    landfall.landfall(&["secret", "delete", "shop", "TOKEN"]).ended_with(0);
    landfall.landfall(&["secret", "delete", "shop", "TOKEN"]).ended_with(5);
}
