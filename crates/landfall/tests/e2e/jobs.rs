//! Jobs: needs, conditions and outputs; cancel and timeout.

use serde_json::Value;

use crate::{installation::Installation, wait::until};

#[test]
fn jobs_follow_their_needs_with_outputs_and_conditions() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("flow");
    repository.workflow(
        r#"  first:
    runs-on: ubuntu-latest
    outputs:
      word: ${{ steps.choose.outputs.word }}
    steps:
      - id: choose
        run: echo "word=blue" >> "$GITHUB_OUTPUT"
  second:
    needs: first
    runs-on: ubuntu-latest
    env:
      WORD: ${{ needs.first.outputs.word }}
    steps:
      - run: echo "it is $WORD"
      - if: needs.first.outputs.word == 'red'
        run: echo never
      - run: exit 3
      - run: echo not reached
      - if: failure()
        run: echo cleaning
  third:
    needs: [first, second]
    runs-on: ubuntu-latest
    steps:
      - run: echo never
  last:
    needs: [second]
    if: always()
    runs-on: ubuntu-latest
    steps:
      - run: echo "second was ${{ needs.second.result }}"
"#,
    );
    let pushed = repository.push();
    landfall.watch(&pushed.commit).ended_with(1);

    let run = landfall.thread(&pushed.commit)["runs"][0].take();
    assert_eq!(conclusions(&run["jobs"], "id"), "first success, second failure, third skipped, last success");
    let second = run["jobs"][1]["steps"].as_array().expect("a job has steps");
    let steps: Vec<_> = second.iter().map(|step| step["conclusion"].as_str().unwrap_or("none")).collect();
    assert_eq!(steps, ["success", "skipped", "failure", "skipped", "success"]);
    let log = landfall.logs("flow#1");
    for line in ["it is blue", "cleaning", "second was failure"] {
        assert!(log.contains(line), "`{line}` is missing:\n{log}");
    }
    assert!(!log.contains("| never") && !log.contains("| not reached"), "{log}");
    landfall.landfall(&["explain", &pushed.commit]).told("exit code 3");
}

#[test]
fn a_cancelled_run_stops_and_says_so() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("slow");
    repository.workflow(
        "  wait:
    runs-on: ubuntu-latest
    steps:
      - run: echo waiting; sleep 600
      - if: always()
        run: echo tidied up
  after:
    needs: wait
    runs-on: ubuntu-latest
    steps:
      - run: echo never
",
    );
    let (commit, _pushing) = repository.begin_push();
    until("the step waits", || landfall.logs("slow#1").lines().any(|line| line.ends_with("waiting")).then_some(()));

    landfall.landfall(&["cancel", "slow#1"]).ended_with(0);

    landfall.watch(&commit).ended_with(1);
    let run = landfall.thread(&commit)["runs"][0].take();
    assert_eq!(run["conclusion"], "cancelled", "{run:#}");
    assert_eq!(run["jobs"][0]["conclusion"], "cancelled", "{run:#}");
    assert!(landfall.logs("slow#1").contains("tidied up"));
    landfall.landfall(&["cancel", "slow#1"]).ended_with(6);
}

#[test]
fn a_job_over_its_time_is_stopped() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("slow");
    repository.workflow(
        "  wait:
    runs-on: ubuntu-latest
    steps:
      - timeout-minutes: 0.02
        run: sleep 600
",
    );
    let pushed = repository.push();
    landfall.watch(&pushed.commit).ended_with(1);
    let run = landfall.thread(&pushed.commit)["runs"][0].take();
    assert_eq!(run["jobs"][0]["conclusion"], "failure", "{run:#}");
    landfall.landfall(&["explain", &pushed.commit]).told("LF-R0112");
}

#[test]
fn a_secret_that_a_step_masks_is_not_in_the_log() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("quiet");
    repository.workflow(
        "  a:
    runs-on: ubuntu-latest
    steps:
      - run: |
          word=\"hush$((40 + 2))\"
          echo \"::add-mask::$word\"
          echo \"the word is $word\"
      - run: ls \"$HOME\"; env | sort
",
    );
    let pushed = repository.push();
    landfall.watch(&pushed.commit).ended_with(0);
    let log = landfall.logs("quiet#1");
    assert!(log.contains("the word is ***"), "{log}");
    assert!(!log.contains("hush42"), "{log}");
    assert!(!log.contains(&landfall.token()), "the owner's token is in the log");
}

/// E.g. `first success, second failure`.
fn conclusions(items: &Value, name: &str) -> String {
    let items = items.as_array().into_iter().flatten();
    let told = items.map(|it| format!("{} {}", it[name].as_str().unwrap_or("?"), it["conclusion"].as_str().unwrap_or("none")));
    told.collect::<Vec<_>>().join(", ")
}
