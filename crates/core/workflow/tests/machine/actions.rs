//! Actions: what runs before, at and after their step, what they get and what they give.

use workflow::{StepEnd, StepReport, StepWork};

use crate::stage::{Stage, check};

const NODE: &str = "
name: Node
inputs:
  who: { default: 'nobody' }
  with space: { required: true }
  token: { default: '${{ github.token }}' }
outputs: { out: { description: x } }
runs: { using: node20, main: dist/main.js, pre: dist/pre.js, post: dist/post.js, post-if: success() }
";

fn job(steps: &str) -> String {
    format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n{steps}\n")
}

#[test]
fn pre_and_post_parts_run_around_the_steps() {
    let source = job("
      - { uses: o/one@v1, name: one, with: { who: '${{ github.ref }}', other: x } }
      - { run: work, name: work }
      - { uses: o/two@v1, name: two, if: false }
      - { uses: o/three@v1, name: three }
");
    let saved = StepReport {
        state_file: "pid=7\n".into(),
        state: vec![("tok".into(), "s3cret-value".into())],
        ..StepReport::new(StepEnd::Exited(0))
    };
    let played = Stage::new(&source)
        .action("o/one@v1", NODE)
        .action(
            "o/two@v1",
            "runs: { using: node24, main: m.js, post: p.js }",
        )
        .action(
            "o/three@v1",
            "runs: { using: node24, main: m.js, post: p.js }",
        )
        .reports("Pre one", saved)
        .play();
    check(
        &played.told(),
        "
job a
prepare o/one@v1 o/two@v1 o/three@v1
Pre one = node20 /w/_actions/o/one/dist/pre.js
one = node20 /w/_actions/o/one/dist/main.js
work
three = node24 /w/_actions/o/three/m.js
Post three = node24 /w/_actions/o/three/p.js
Post one = node20 /w/_actions/o/one/dist/post.js
end a success
finish success
",
    );
    check(
        &played.result(),
        "
a success
  note: `o/one@v1`: unexpected input `other`, it takes `who`, `with space`, `token`
",
    );
    let env = |name| played.env("Post one", name);
    assert_eq!(
        [
            "INPUT_WHO",
            "INPUT_WITH_SPACE",
            "INPUT_OTHER",
            "INPUT_TOKEN",
            "STATE_pid",
            "STATE_tok",
            "GITHUB_ACTION_REPOSITORY",
            "GITHUB_ACTION_REF",
            "GITHUB_ACTION_PATH"
        ]
        .map(env),
        [
            "refs/heads/main",
            "",
            "x",
            "tok-123456",
            "7",
            "s3cret-value",
            "o/one",
            "v1",
            "-"
        ]
    );
    assert_eq!(played.env("Post three", "STATE_pid"), "-");
}

#[test]
fn post_parts_follow_their_condition_and_a_failed_main() {
    let source = job("
      - { uses: o/one@v1, name: one }
      - { uses: o/two@v1, name: two }
      - { run: work, name: work }
");
    let played = Stage::new(&source)
        .action("o/one@v1", NODE)
        .action(
            "o/two@v1",
            "runs: { using: node24, main: m.js, post: p.js }",
        )
        .ends("two", 1)
        .play();
    check(
        &played.outcome(),
        "
Pre one success
one success
two failure: process completed with exit code 1
work skipped: an earlier step failed
Post two success
Post one skipped: its condition `success()` does not hold: success() [false]
",
    );
}

#[test]
fn a_pre_part_that_fails_fails_the_job() {
    let source = job("
      - { uses: o/one@v1, name: one, with: { with space: 1 } }
");
    let played = Stage::new(&source)
        .action("o/one@v1", NODE)
        .ends("Pre one", 2)
        .play();
    check(
        &played.outcome(),
        "
Pre one failure: process completed with exit code 2
one skipped: an earlier step failed
Post one skipped: its condition `success()` does not hold: success() [false]
",
    );
}

const OUTER: &str = "
inputs: { who: { default: world } }
outputs:
  greeting: { value: '${{ steps.inner.outputs.text }}-${{ inputs.who }}' }
runs:
  using: composite
  steps:
    - { id: inner, name: 'say ${{ inputs.who }}', run: 'echo ${{ inputs.who }} ${{ env.OVER }} ${{ env.GLOBAL }} ${{ github.action_path }}', shell: bash }
    - { name: 'fails', run: x, shell: sh, env: { OWN: '${{ env.OVER }}!' } }
    - { name: 'after failure', run: x, shell: sh, if: failure() }
    - { name: 'never', run: x, shell: sh }
    - { name: deep, uses: o/node@v1, if: always() }
";

#[test]
fn a_composite_action_is_a_small_job_of_its_own() {
    let source = job("
      - { id: before, name: before, run: x }
      - { id: c, name: comp, uses: o/comp@v1, with: { who: you }, env: { OVER: caller }, continue-on-error: true }
      - { name: after, run: 'got ${{ steps.c.outputs.greeting }} ${{ steps.c.outcome }} ${{ steps.inner.outputs.text }} ${{ env.OVER }} ${{ env.GLOBAL }}' }
");
    let inner = StepReport {
        output_file: "text=hi s3cret-value\n".into(),
        env_file: "GLOBAL=set\nOVER=lost\n".into(),
        ..StepReport::new(StepEnd::Exited(0))
    };
    let played = Stage::new(&source)
        .action("o/comp@v1", OUTER)
        .action(
            "o/node@v1",
            "runs: { using: node24, main: m.js, post: p.js }",
        )
        .reports("say you", inner)
        .ends("fails", 3)
        .play();
    check(
        &played.told(),
        "
job a
prepare o/comp@v1
prepare o/node@v1
before
- say you
- fails
- after failure
- deep = node24 /w/_actions/o/node/m.js
after
- Post deep = node24 /w/_actions/o/node/p.js
end a success
finish success
",
    );
    check(
        &played.outcome(),
        "
before success
comp success: `fails`: process completed with exit code 3
- say you success
- fails failure: process completed with exit code 3
- after failure success
- never skipped: an earlier step failed
- deep success
after success
Post comp success
- Post deep success
",
    );
    assert_eq!(
        played.script("say you"),
        "echo you caller  /w/_actions/o/comp"
    );
    assert_eq!(played.env("fails", "OWN"), "caller!");
    assert_eq!(played.env("fails", "GLOBAL"), "set");
    assert_eq!(played.env("deep", "GITHUB_ACTION_REPOSITORY"), "o/node");
    assert_eq!(
        played.script("after"),
        "got hi s3cret-value-you failure  lost set"
    );
}

#[test]
fn a_composite_action_looks_at_its_own_status() {
    let source = job("
      - { name: bad, run: x }
      - { name: comp, uses: ./comp, if: always() }
");
    let comp = "
runs:
  using: composite
  steps:
    - { name: normal, run: 'x ${{ job.status }}', shell: sh }
    - { name: post-like, uses: ./node }
";
    let played = Stage::new(&source)
        .action("./comp", comp)
        .action(
            "./node",
            "runs: { using: node24, main: m.js, pre: x.js, post: p.js, post-if: failure() }",
        )
        .ends("bad", 1)
        .play();
    check(
        &played.told(),
        "
job a
bad
load ./comp
- normal
load ./node
- post-like = node24 /w/_actions/node/m.js
- Post post-like = node24 /w/_actions/node/p.js
end a failure
finish failure
",
    );
    assert_eq!(played.script("normal"), "x failure");
    check(
        &played.result(),
        "
a failure: step `bad`: process completed with exit code 1
  note: `uses: ./node`: its `pre` is left out, it is known too late
",
    );
}

#[test]
fn local_actions_are_known_only_when_they_are_reached() {
    let source = job("
      - { name: first, uses: ./missing, continue-on-error: true }
      - { name: second, uses: ./comp }
      - { name: third, uses: ./broken }
");
    let played = Stage::new(&source)
        .action(
            "./comp",
            "runs: { using: composite, steps: [{ uses: o/late@v1, name: late }] }",
        )
        .action("./broken", "runs: { using: perl, main: x }")
        .action(
            "o/late@v1",
            "runs: { using: node16, main: m.js, pre: p.js }",
        )
        .play();
    check(
        &played.told(),
        "
job a
load ./missing
load ./comp
prepare o/late@v1
- late = node16 /w/_actions/o/late/m.js
load ./broken
end a failure
finish failure
",
    );
    check(
        &played.outcome(),
        "
first success: `uses: ./missing`: there is no action.yml
second success
- late success
third failure: `uses: ./broken`: ./broken/action.yml:1:16: error[LF-W0102]: unknown `using: perl`: expected node20, node24, docker or composite
",
    );
}

#[test]
fn an_action_that_cannot_be_had_fails_the_job_before_its_steps() {
    let source = job("
      - { name: first, run: x }
      - { name: second, uses: o/none@v9 }
");
    let played = Stage::new(&source).play();
    check(
        &played.told(),
        "job a\nprepare o/none@v9\nend a failure\nfinish failure\n",
    );
    check(
        &played.result(),
        "a failure: `uses: o/none@v9`: not found\n",
    );
}

#[test]
fn pre_parts_inside_composite_actions_run_first_too() {
    let source = job("
      - { name: first, run: x }
      - { name: comp, uses: o/comp@v1 }
");
    let saved = StepReport {
        state_file: "a=1\n".into(),
        ..StepReport::new(StepEnd::Exited(0))
    };
    let played = Stage::new(&source)
        .action("o/comp@v1", "runs: { using: composite, steps: [{ uses: o/n@v1, name: n }, { run: y, shell: sh, name: y }] }")
        .action("o/n@v1", "runs: { using: node24, main: m.js, pre: pre.js, post: post.js }")
        .reports("Pre n", saved)
        .play();
    check(
        &played.told(),
        "
job a
prepare o/comp@v1
prepare o/n@v1
- Pre n = node24 /w/_actions/o/n/pre.js
first
- n = node24 /w/_actions/o/n/m.js
- y
- Post n = node24 /w/_actions/o/n/post.js
end a success
finish success
",
    );
    assert_eq!(
        (played.env("n", "STATE_a"), played.env("Post n", "STATE_a")),
        ("1", "1")
    );
}

#[test]
fn composite_actions_nest_nine_deep() {
    let source = job("
      - { name: start, uses: o/c1@v1 }
");
    let mut stage = Stage::new(&source);
    for level in 1..=9 {
        let inner = format!(
            "runs: {{ using: composite, steps: [{{ name: l{level}, uses: o/c{}@v1 }}] }}",
            level + 1
        );
        stage = stage.action(&format!("o/c{level}@v1"), &inner);
    }
    let nine = stage
        .clone()
        .action("o/c10@v1", "runs: { using: node24, main: m.js }")
        .play();
    check(&nine.result(), "a success\n");
    let ten = stage
        .action(
            "o/c10@v1",
            "runs: { using: composite, steps: [{ run: x, shell: sh }] }",
        )
        .play();
    let result = ten.result();
    assert!(
        result
            .ends_with("composite actions stand inside one another 10 deep, expected at most 9\n"),
        "{result}"
    );
    let own = Stage::new(&source)
        .action(
            "o/c1@v1",
            "runs: { using: composite, steps: [{ uses: o/c1@v1 }] }",
        )
        .play();
    assert!(
        own.result().contains("10 deep"),
        "an action that uses itself: {}",
        own.result()
    );
}

#[test]
fn docker_actions_see_their_own_folders() {
    let source = job("
      - { name: built, uses: o/docker@v1, with: { who: me, args-like: 'x' }, env: { MANIFEST: mine, W: '${{ github.workspace }}/sub' } }
      - { name: image, uses: 'docker://alpine:3', with: { entrypoint: /bin/echo, args: \"a 'b c' ${{ github.workspace }}\" } }
");
    let docker = "
inputs: { who: {}, args-like: {} }
runs:
  using: docker
  image: sub/Dockerfile
  entrypoint: /main.sh
  pre-entrypoint: /pre.sh
  post-entrypoint: /post.sh
  args: ['hello', '${{ inputs.who }}']
  env: { MANIFEST: theirs, OTHER: '${{ inputs.who }}' }
";
    let played = Stage::new(&source).action("o/docker@v1", docker).play();
    let built = r#"Dockerfile { file: "/w/_actions/o/docker/sub/Dockerfile", context: "/w/_actions/o/docker/sub" }"#;
    check(
        &played.told(),
        &format!(
            "
job a
prepare o/docker@v1
Pre built = {built} Some(\"/pre.sh\") hello,me
built = {built} Some(\"/main.sh\") hello,me
image = Reference(\"alpine:3\") Some(\"/bin/echo\") a,b c,/github/workspace
Post built = {built} Some(\"/post.sh\") hello,me
end a success
finish success
"
        ),
    );
    let env = |name| played.env("built", name);
    assert_eq!(
        [
            "MANIFEST",
            "OTHER",
            "W",
            "HOME",
            "PATH",
            "GITHUB_WORKSPACE",
            "GITHUB_EVENT_PATH",
            "RUNNER_TEMP",
            "INPUT_ARGS-LIKE"
        ]
        .map(env),
        [
            "mine",
            "me",
            "/github/workspace/sub",
            "/github/home",
            "-",
            "/github/workspace",
            "/github/workflow/event.json",
            "/github/runner_temp",
            "x"
        ]
    );
    assert!(env("GITHUB_OUTPUT").starts_with("/github/file_commands/"));
}

#[test]
fn native_actions_declare_what_they_take() {
    let source = job("
      - { id: n, name: cache, uses: actions/cache@v4, with: { KEY: k, wrong: 1 } }
      - { name: after, run: 'x ${{ steps.n.outputs.hit }}' }
");
    let report = StepReport {
        outputs: vec![("hit".into(), "true".into())],
        state: vec![("key".into(), "k".into())],
        ..StepReport::new(StepEnd::Exited(0))
    };
    let played = Stage::new(&source)
        .native("actions/cache@v4", "inputs: { key: {}, path: { default: p } }\nruns: { using: native, main: restore, post: save, post-if: success() }")
        .reports("cache", report)
        .play();
    let StepWork::Builtin(post) = &played.step("Post cache").work else {
        panic!("built in")
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(post.entry, "save");
    assert_eq!(
        post.inputs,
        [pair("key", "k"), pair("wrong", "1"), pair("path", "p")]
    );
    assert_eq!(post.state, [pair("key", "k")]);
    assert_eq!(played.script("after"), "x true");
    let foreign = Stage::new(&source)
        .action("actions/cache@v4", "runs: { using: native, main: restore }")
        .play();
    assert!(
        foreign.result().contains("unknown `using: native`"),
        "{}",
        foreign.result()
    );
}

#[test]
fn a_composite_step_over_its_time_stops_what_runs_inside() {
    let source = job("
      - { name: comp, uses: o/comp@v1, timeout-minutes: 1 }
      - { name: after, run: x, if: failure() }
");
    let stage = Stage::new(&source)
        .action("o/comp@v1", "runs: { using: composite, steps: [{ name: slow, run: x, shell: sh }, { name: next, run: y, shell: sh, if: always() }] }")
        .endless("slow");
    let mut played = stage.begin();
    played.play(0, false).later(60).play(0, true);
    check(
        &played.outcome(),
        "
comp failure: timed out after 1 minute
- slow failure: its action is over its time
- next skipped: its action is over its time
after success
",
    );
}
