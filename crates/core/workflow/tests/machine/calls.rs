//! Reusable workflows: what goes in, what comes out, who may do what.

use workflow::{JobKey, Permissions};

use crate::stage::{Stage, check};

const CALLER: &str = "
on: push
env: { OUTER: x }
permissions: { contents: write, issues: read }
jobs:
  first: { runs-on: x, outputs: { tag: v1 }, steps: [{ name: first, run: x }] }
  call:
    needs: first
    name: Call it
    uses: ./.github/workflows/inner.yml
    with: { who: '${{ needs.first.outputs.tag }}', deep: true, count: 3 }
    secrets: { KEY: '${{ secrets.TOKEN }}' }
  last: { needs: call, runs-on: x, steps: [{ name: last, run: 'x ${{ needs.call.result }} ${{ needs.call.outputs.made }}' }] }
";

const INNER: &str = "
on:
  workflow_call:
    inputs:
      who: { type: string, required: true }
      deep: { type: boolean }
      count: { type: number }
      other: { type: string, default: 'd-${{ github.ref }}' }
    secrets: { KEY: { required: true } }
    outputs:
      made: { value: '${{ jobs.build.outputs.made }}' }
      leak: { value: '${{ format(''s3cret-{0}'', ''value'') }}' }
jobs:
  build:
    runs-on: x
    permissions: { contents: read, issues: write, id-token: write }
    outputs: { made: '${{ steps.s.outputs.v }}' }
    steps:
      - { id: s, name: make, run: 'x ${{ inputs.who }} ${{ inputs.deep && inputs.count == 3 }} ${{ inputs.other }} ${{ secrets.KEY }}|${{ secrets.TOKEN }}|${{ env.OUTER }}|${{ github.workflow }} ${{ job.workflow_file_path }}' }
  test: { needs: build, runs-on: x, steps: [{ name: test, run: x }] }
";

const PATH: &str = "./.github/workflows/inner.yml";

#[test]
fn a_called_workflow_runs_inside_the_run() {
    let played = Stage::new(CALLER)
        .workflow(PATH, INNER)
        .writes("make", "v=made\n")
        .play();
    check(
        &played.told(),
        "
job first
first
end first success
load ./.github/workflows/inner.yml for call from o/r@abc
job Call it / build
make
end call.build success
job Call it / test
test
end call success
job last
end call.test success
last
end last success
finish success
",
    );
    check(
        &played.result(),
        "
first success
Call it / build success
Call it / test success
Call it success
  note: output `leak` is dropped: it may contain a secret
last success
",
    );
    assert_eq!(
        played.script("make"),
        "x v1 true d-refs/heads/main s3cret-value|||CI .github/workflows/inner.yml"
    );
    assert_eq!(played.script("last"), "x success made");
    let scopes = [
        ("contents", "read"),
        ("issues", "read"),
        ("id-token", "none"),
    ];
    let scopes = scopes.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    assert_eq!(
        played.jobs["Call it / build"].permissions,
        Permissions::Scopes(scopes)
    );
}

#[test]
fn a_call_that_cannot_be_says_why() {
    for (with, inner, expected) in [
        (
            "who: a",
            "on: push\njobs: { a: { runs-on: x, steps: [{ run: x }] } }",
            "it cannot be called: it does not listen to `workflow_call`",
        ),
        ("deep: true", INNER, "input `who` is required"),
        (
            "who: a, deep: '${{ 1 }}'",
            INNER,
            "input `deep`: expected true or false, found `1`",
        ),
        (
            "who: a, nope: 1",
            INNER,
            "the called workflow has no input `nope`",
        ),
    ] {
        let source = format!(
            "on: push\njobs: {{ call: {{ uses: {PATH}, with: {{ {with} }}, secrets: inherit }}, next: {{ needs: call, runs-on: x, steps: [{{ run: x }}] }} }}"
        );
        let played = Stage::new(&source).workflow(PATH, inner).play();
        check(
            &played.result(),
            &format!(
                "call failure: `{PATH}`: {expected}\nnext skipped: it needs `call`, which failed\n"
            ),
        );
    }
    let source = format!("on: push\njobs: {{ call: {{ uses: {PATH}, with: {{ who: a }} }} }}");
    let played = Stage::new(&source).workflow(PATH, INNER).play();
    check(
        &played.result(),
        &format!("call failure: `{PATH}`: secret `KEY` is required\n"),
    );
    let missing = Stage::new(&source).play();
    check(
        &missing.result(),
        &format!("call failure: `{PATH}`: no file `{PATH}`\n"),
    );
}

#[test]
fn a_false_condition_skips_all_that_is_called() {
    let source =
        format!("on: push\njobs: {{ call: {{ if: false, uses: {PATH}, with: {{ who: a }} }} }}");
    let played = Stage::new(&source).workflow(PATH, INNER).play();
    check(&played.told(), "finish skipped\n");
    check(
        &played.result(),
        "call skipped: its condition `false` does not hold: false\n",
    );
}

#[test]
fn a_call_may_have_a_matrix_and_fail_in_part() {
    let source = format!(
        "
on: push
jobs:
  call:
    strategy: {{ fail-fast: false, matrix: {{ v: [1, 2] }} }}
    uses: {PATH}
    with: {{ v: '${{{{ matrix.v }}}}' }}
    secrets: inherit
  last: {{ needs: call, if: always(), runs-on: x, steps: [{{ name: last, run: 'x ${{{{ needs.call.result }}}}' }}] }}
"
    );
    let inner = "
on: { workflow_call: { inputs: { v: { type: string } } } }
jobs: { b: { runs-on: x, steps: [{ name: 'make ${{ inputs.v }}', run: 'x ${{ secrets.TOKEN }}' }] } }
";
    let played = Stage::new(&source)
        .workflow(PATH, inner)
        .ends("make 2", 1)
        .play();
    check(
        &played.result(),
        "
call (1) / b success
call (2) / b failure: step `make 2`: process completed with exit code 1
last success
",
    );
    assert_eq!(played.script("last"), "x failure");
    assert_eq!(played.script("make 1"), "x s3cret-value");
    assert!(
        played.told().contains("end call.1.b failure\n"),
        "{}",
        played.told()
    );
}

#[test]
fn workflows_of_other_repositories_bring_their_own_place() {
    let source =
        "on: push\njobs: { call: { uses: u/lib/.github/workflows/a.yml@v1, secrets: inherit } }";
    let a = "
on: workflow_call
jobs:
  inner: { uses: ./.github/workflows/b.yml }
  own: { runs-on: x, steps: [{ name: own, run: 'x ${{ job.workflow_repository }} ${{ job.workflow_sha }} ${{ github.repository }}' }] }
";
    let b = "on: workflow_call\njobs: { x: { runs-on: x, steps: [{ name: deep, run: 'x${{ secrets.TOKEN }} ${{ github.token }}' }] } }";
    let played = Stage::new(source)
        .workflow("u/lib/.github/workflows/a.yml@v1", a)
        .workflow("./.github/workflows/b.yml", b)
        .play();
    assert!(
        played
            .told()
            .contains("load ./.github/workflows/b.yml for call.inner from u/lib@def\n"),
        "{}",
        played.told()
    );
    assert_eq!(played.script("own"), "x u/lib def o/r");
    assert_eq!(
        played.script("deep"),
        "x tok-123456",
        "inherit reaches one hop"
    );
    check(
        &played.result(),
        "call / inner / x success\ncall / own success\n",
    );
}

#[test]
fn workflows_call_one_another_ten_deep() {
    let chain = |levels: usize| {
        let mut stage = Stage::new("on: push\njobs: { j: { uses: ./.github/workflows/w2.yml } }");
        for level in 2..=levels {
            let inner = match level == levels {
                true => {
                    "on: workflow_call\njobs: { j: { runs-on: x, steps: [{ run: x }] } }".to_owned()
                }
                false => format!(
                    "on: workflow_call\njobs: {{ j: {{ uses: ./.github/workflows/w{}.yml }} }}",
                    level + 1
                ),
            };
            stage = stage.workflow(&format!("./.github/workflows/w{level}.yml"), &inner);
        }
        stage.play().result()
    };
    assert!(chain(10).ends_with("success\n"), "{}", chain(10));
    assert!(
        chain(11).ends_with("workflows call one another 11 deep, expected at most 10\n"),
        "{}",
        chain(11)
    );
    let own = Stage::new("on: push\njobs: { j: { uses: ./.github/workflows/w.yml } }")
        .workflow(
            "./.github/workflows/w.yml",
            "on: workflow_call\njobs: { j: { uses: ./.github/workflows/w.yml } }",
        )
        .play();
    assert!(
        own.result().ends_with("it calls itself\n"),
        "{}",
        own.result()
    );
}

#[test]
fn a_cancelled_run_takes_called_jobs_along() {
    let stage = Stage::new(CALLER).workflow(PATH, INNER).endless("make");
    let mut played = stage.begin();
    played.play(0, true);
    played
        .tell(workflow::Event::CancelRun {
            reason: "by hand".into(),
        })
        .play(0, true);
    check(
        &played.result(),
        "
first success
Call it / build cancelled: by hand
Call it / test skipped: the run was cancelled: by hand
Call it cancelled: by hand
  note: output `leak` is dropped: it may contain a secret
last skipped: the run was cancelled: by hand
",
    );
    let mut one = stage.begin();
    one.play(0, true);
    let job = JobKey {
        id: "call.build".into(),
        leg: 0,
    };
    one.tell(workflow::Event::CancelJob {
        job,
        reason: "enough".into(),
    })
    .play(0, true);
    check(
        &one.result(),
        "
first success
Call it / build cancelled: enough
Call it / test skipped: it needs `build`, which was cancelled
Call it cancelled: its job `build` was cancelled
  note: output `leak` is dropped: it may contain a secret
last skipped: it needs `call`, which was cancelled
",
    );
}
