//! Steps in the background: `background`, `wait`, `wait-all`, `cancel`, `parallel`.

use workflow::{Event, StepEnd, StepReport};

use crate::stage::{Stage, check};

fn job(steps: &str) -> String {
    format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n{steps}\n")
}

fn left(end: i32) -> StepReport {
    StepReport {
        output_file: "v=1\n".into(),
        env_file: "E=set\n".into(),
        path_file: "/added\n".into(),
        ..StepReport::new(StepEnd::Exited(end))
    }
}

#[test]
fn what_a_background_step_gives_shows_after_its_wait() {
    let source = job("
      - { id: b, name: bg, run: x, background: true }
      - { name: early, run: 'x ${{ steps.b.outputs.v }}${{ steps.b.outcome }}${{ env.E }}' }
      - { wait: [b] }
      - { name: late, run: 'x ${{ steps.b.outputs.v }} ${{ steps.b.outcome }} ${{ env.E }}' }
");
    let played = Stage::new(&source).reports("bg", left(0)).play();
    check(
        &played.told(),
        "job a\nbg\nearly\nlate\nend a success\nfinish success\n",
    );
    assert_eq!(
        (played.script("early"), played.script("late")),
        ("x ", "x 1 success set")
    );
    assert_eq!(
        (played.env("early", "PATH"), played.env("late", "PATH")),
        ("/usr/bin", "/added:/usr/bin")
    );
    check(
        &played.outcome(),
        "bg success\nearly success\nWait for b success\nlate success\n",
    );
}

#[test]
fn a_background_step_that_failed_fails_its_wait() {
    let source = job("
      - { id: b, name: bg, run: x, background: true }
      - { id: c, name: soft, run: x, background: true, continue-on-error: true }
      - { name: early, run: x }
      - { name: wait, wait-all: true }
      - { name: late, run: x }
");
    let played = Stage::new(&source).ends("bg", 1).ends("soft", 1).play();
    check(
        &played.outcome(),
        "
bg failure: process completed with exit code 1
soft success: process completed with exit code 1
early success
wait failure: `bg` failed
late skipped: an earlier step failed
",
    );
    check(
        &played.result(),
        "a failure: step `bg`: process completed with exit code 1\n",
    );
}

#[test]
fn what_nobody_waits_for_is_waited_for_before_the_post_parts() {
    let source = job("
      - { name: n, uses: o/n@v1 }
      - { name: bg, run: x, background: true }
      - { name: last, run: x }
");
    let stage = Stage::new(&source)
        .action("o/n@v1", "runs: { using: node24, main: m.js, post: p.js }")
        .endless("bg");
    let mut played = stage.begin();
    played.play(0, true);
    check(
        &played.outcome(),
        "n success\nbg Running\nlast success\nWait for all background steps Running\n",
    );
    let step = played.step("bg").step.clone();
    let report = StepReport::new(StepEnd::Exited(1));
    played
        .tell(Event::StepFinished { step, report })
        .play(0, true);
    check(
        &played.outcome(),
        "
n success
bg failure: process completed with exit code 1
last success
Wait for all background steps failure: `bg` failed
Post n success
",
    );
}

#[test]
fn a_cancelled_background_step_does_not_count() {
    let source = job("
      - { id: b, name: server, run: x, background: true }
      - { name: test, run: x }
      - { cancel: b }
      - { name: after, run: 'x ${{ steps.b.conclusion }}' }
");
    let played = Stage::new(&source).endless("server").play();
    check(
        &played.told(),
        "job a\nserver\ntest\nstop a.0 CancelStep\nafter\nend a success\nfinish success\n",
    );
    assert_eq!(played.script("after"), "x cancelled");
    let failed = Stage::new(&source)
        .ends("server", 1)
        .begin()
        .play(0, true)
        .result();
    check(
        &failed,
        "a failure: step `server`: process completed with exit code 1\n",
    );
}

#[test]
fn parallel_steps_run_side_by_side_and_end_together() {
    let source = job("
      - parallel:
          - { id: one, name: one, run: x }
          - { id: two, name: two, uses: o/c@v1 }
      - { name: after, run: 'x ${{ steps.one.outputs.v }} ${{ steps.two.outcome }}' }
");
    let stage = Stage::new(&source)
        .action("o/c@v1", "runs: { using: composite, steps: [{ name: in, run: x, shell: sh }, { name: in2, run: y, shell: sh }] }")
        .reports("one", left(0));
    let played = stage.clone().play();
    check(
        &played.told(),
        "job a\nprepare o/c@v1\n- one\n- in\n- in2\nafter\nend a success\nfinish success\n",
    );
    assert_eq!(played.script("after"), "x 1 success");
    let failed = stage.ends("in", 1).play();
    check(
        &failed.result(),
        "a failure: step `Run steps side by side`: `two` failed\n",
    );
}

#[test]
fn ten_background_steps_run_at_once() {
    let steps: String = (0..12)
        .map(|it| format!("      - {{ id: s{it}, name: s{it}, run: x, background: true }}\n"))
        .collect();
    let mut stage = Stage::new(&job(&steps));
    for it in 0..12 {
        stage = stage.endless(&format!("s{it}"));
    }
    let mut played = stage.begin();
    played.play(0, true);
    assert_eq!(played.trace.len(), 11, "{}", played.told());
    let step = played.step("s4").step.clone();
    played
        .tell(Event::StepFinished {
            step,
            report: StepReport::new(StepEnd::Exited(0)),
        })
        .play(0, true);
    assert_eq!(played.trace.last().map(String::as_str), Some("s10"));
}

#[test]
fn a_cancelled_job_takes_its_background_steps_along() {
    let source = job("
      - { id: b, name: bg, run: x, background: true }
      - { name: slow, run: x }
      - { name: always, run: x, if: always() }
");
    let stage = Stage::new(&source).endless("bg").endless("slow");
    let mut played = stage.begin();
    played.play(0, true);
    played
        .tell(Event::CancelRun {
            reason: "by hand".into(),
        })
        .play(0, true);
    check(
        &played.told(),
        "job a\nbg\nslow\nstop a.0 Cancelled\nstop a.1 Cancelled\nalways\nend a cancelled\nfinish cancelled\n",
    );
}
