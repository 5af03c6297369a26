//! Jobs that run again.

use workflow::{Event, JobKey, Rerun, RerunError, Run};

use crate::stage::{Played, Stage, check};

const SOURCE: &str = "
on: push
jobs:
  a: { runs-on: x, outputs: { v: '${{ steps.s.outputs.v }}' }, steps: [{ id: s, name: sa, run: x }] }
  b:
    needs: a
    runs-on: x
    strategy: { fail-fast: false, matrix: { n: [1, 2, 3] } }
    outputs: { last: '${{ steps.s.outputs.l }}' }
    steps: [{ id: s, name: 'b${{ matrix.n }}', run: 'x ${{ needs.a.outputs.v }} ${{ github.run_attempt }}' }]
  c: { needs: b, runs-on: x, steps: [{ name: sc, run: 'x ${{ needs.b.result }} ${{ github.run_attempt }}' }] }
  d: { runs-on: x, steps: [{ name: sd, run: 'x' }] }
";

fn key(id: &str, leg: usize) -> JobKey {
    JobKey { id: id.into(), leg }
}

fn again(stage: &Stage, previous: &Run, what: &Rerun) -> Played {
    let run = Run::rerun(previous, what, names::Timestamp::from_micros(9_000_000))
        .expect("it runs again");
    let mut played = stage.on(run);
    played.play(0, true);
    played
}

#[test]
fn failed_jobs_run_again_with_all_that_need_them() {
    let stage = Stage::new(SOURCE).writes("sa", "v=1\n").ends("b2", 1);
    let first = stage.play();
    check(
        &first.result(),
        "
a success
b (1) success
b (2) failure: step `b2`: process completed with exit code 1
b (3) success
c skipped: it needs `b`, which failed
d success
",
    );
    let second = again(&Stage::new(SOURCE), &first.run, &Rerun::Failed);
    check(
        &second.told(),
        "job b (2)\nb2\nend b.1 success\njob c\nsc\nend c success\nfinish success\n",
    );
    check(
        &second.result(),
        "a success\nb (1) success\nb (2) success\nb (3) success\nc success\nd success\n",
    );
    assert_eq!(
        (second.script("b2"), second.script("sc")),
        ("x 1 2", "x success 2")
    );
    assert_eq!(second.steps["b2"].step.attempt, 2);
    assert_eq!(second.run.attempt(), 2);
    assert_eq!(
        Run::rerun(&second.run, &Rerun::Failed, second.now).err(),
        Some(RerunError::NothingFailed)
    );

    let third = again(&Stage::new(SOURCE), &second.run, &Rerun::Job(key("a", 0)));
    check(
        &third.told(),
        "
job a
sa
end a success
job b (1)
job b (2)
job b (3)
b1
b2
b3
end b success
end b.1 success
end b.2 success
job c
sc
end c success
finish success
",
    );
    let fourth = again(&Stage::new(SOURCE), &third.run, &Rerun::All);
    assert_eq!(fourth.run.attempt(), 4);
    assert!(fourth.steps["sd"].step.attempt > third.steps["sa"].step.attempt);
    check(&fourth.result(), &second.result());
}

#[test]
fn one_job_runs_again_while_others_still_run() {
    let stage = Stage::new(SOURCE).endless("sd").ends("b2", 1);
    let mut played = stage.begin();
    played.play(0, true);
    assert_eq!(
        played.run.run_again(&Rerun::Job(key("d", 0)), played.now),
        Err(RerunError::NotOver("d".into()))
    );
    assert_eq!(
        played
            .run
            .run_again(&Rerun::Job(key("nope", 0)), played.now),
        Err(RerunError::NoJob("nope".into()))
    );
    played.trace.clear();
    played
        .run
        .run_again(&Rerun::Job(key("b", 1)), played.now)
        .expect("it is over");
    played.play(0, true);
    check(&played.told(), "job b (2)\nb2\nend b.1 failure\n");
    let step = played.step("sd").step.clone();
    let report = workflow::StepReport::new(workflow::StepEnd::Exited(0));
    played
        .tell(Event::StepFinished { step, report })
        .play(0, true);
    assert!(
        played.told().ends_with("end d success\nfinish failure\n"),
        "{}",
        played.told()
    );
}

#[test]
fn jobs_of_called_workflows_run_again_alone() {
    let caller = "
on: push
jobs:
  call: { uses: ./.github/workflows/i.yml }
  last: { needs: call, runs-on: x, steps: [{ name: last, run: 'x ${{ needs.call.outputs.o }}' }] }
";
    let inner = "
on: { workflow_call: { outputs: { o: { value: '${{ jobs.y.outputs.o }}' } } } }
concurrency: inner
jobs:
  x: { runs-on: x, steps: [{ name: sx, run: x }] }
  y: { needs: x, runs-on: x, outputs: { o: '${{ steps.s.outputs.o }}' }, steps: [{ id: s, name: sy, run: x }] }
";
    let stage = |code| {
        let stage = Stage::new(caller).workflow("./.github/workflows/i.yml", inner);
        if code == 0 {
            stage.writes("sy", "o=1\n")
        } else {
            stage.ends("sy", code)
        }
    };
    let first = stage(1).play();
    check(
        &first.result(),
        "
call / x success
call / y failure: step `sy`: process completed with exit code 1
last skipped: it needs `call`, which failed
",
    );
    let second = again(&stage(0), &first.run, &Rerun::Failed);
    check(
        &second.told(),
        "
group inner Called(JobKey { id: \"call\", leg: 0 })
job call / y
sy
end call success
job last
end call.y success
last
end last success
finish success
",
    );
    assert_eq!(second.script("last"), "x 1");
}
