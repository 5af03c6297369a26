//! Whole files: what is wrong with them, and what is refused by name.

use workflow::parse;

#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let parsed = parse(source, "ci.yml");
    let found: Vec<_> = parsed
        .diagnostics
        .iter()
        .map(|it| {
            let help = it
                .help
                .first()
                .map(|it| format!(" ({it})"))
                .unwrap_or_default();
            format!("{it}{help}")
        })
        .collect();
    assert_eq!(found, expected, "{source}");
    let broken = found.iter().any(|it| it.contains(": error["));
    assert_eq!(parsed.workflow.is_none(), broken);
}

#[test]
fn a_usual_file_is_accepted() {
    check("
name: CI
on:
  push: { branches: [main, 'release/**'], paths-ignore: ['**.md'] }
  pull_request:
permissions: { contents: read }
env: { A: 1 }
jobs:
  build:
    runs-on: ubuntu-latest
    strategy: { matrix: { node: [18, 20], include: [{ node: 20, extra: x }] } }
    environment: { name: production, url: 'https://${{ steps.a.outputs.u }}' }
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      - { id: a, run: make, env: { K: '${{ secrets.K }}' }, if: \"!cancelled() && hashFiles('x') != ''\" }
", &[]);
}

#[test]
fn unknown_keys_are_named_with_the_nearest_right_word() {
    check(
        "
on: push
job:
  a:
jobs:
  build:
    run-on: ubuntu-latest
    runs-on: x
    steps:
      - run: make
        timeout: 3
        continue_on_error: true
      - name: nothing
      - { run: a, uses: b/c@v1 }
",
        &[
            "ci.yml:3:1: error[LF-W0003]: unknown key `job` in a workflow (did you mean `jobs`?)",
            "ci.yml:7:5: error[LF-W0003]: unknown key `run-on` in a job (did you mean `runs-on`?)",
            "ci.yml:11:9: error[LF-W0003]: unknown key `timeout` in a step with `run` (did you mean `timeout-minutes`?)",
            "ci.yml:12:9: error[LF-W0003]: unknown key `continue_on_error` in a step with `run` (did you mean `continue-on-error`?)",
            "ci.yml:13:9: error[LF-W0005]: a step needs one of `run`, `uses`, `wait`, `wait-all`, `cancel`",
            "ci.yml:14:19: error[LF-W0019]: `uses` cannot stand in a step with `run`",
        ],
    );
}

#[test]
fn the_whole_language_is_accepted() {
    check(
        "
on:
  push: { tags: [v*] }
  pull_request_target: { types: [labeled] }
  schedule: [{ cron: '0 3 * * mon-fri', timezone: Europe/Zurich }]
  workflow_call:
    inputs: { level: { type: number, default: '${{ github.run_number }}' } }
    outputs: { version: { value: '${{ jobs.a.outputs.v }}' } }
    secrets: { token: { required: true } }
  workflow_dispatch: { inputs: { kind: { type: choice, options: [a, b], default: b } } }
concurrency: { group: x, queue: max }
env: ${{ fromJSON(vars.ENV) }}
permissions: { id-token: write, models: read }
jobs:
  a:
    runs-on: { group: large, labels: [x64, '${{ matrix.os }}'] }
    strategy: ${{ fromJSON('{}') }}
    container: { image: node:20, credentials: { username: a, password: '${{ secrets.P }}' }, ports: [80] }
    services:
      db: { image: postgres, options: --health-cmd pg_isready, command: -c fsync=off, entrypoint: /x }
      cache: redis
    environment: { name: production, url: 'https://${{ steps.a.outputs.u }}', deployment: false }
    concurrency: { group: '${{ matrix.os }}', cancel-in-progress: true }
    snapshot: { image-name: base, if: matrix.os == 'a' }
    outputs: { v: '${{ steps.a.outputs.v }}' }
    steps:
      - { id: a, run: x, background: true, shell: python }
      - wait: [a]
      - { cancel: a }
      - parallel: [{ run: x }, { uses: ./local, with: { a: b } }]
      - wait-all:
      - uses: docker://alpine:3
  b:
    uses: octo/flows/.github/workflows/x.yml@v1
    needs: a
    with: { level: 3 }
    secrets: inherit
",
        &[],
    );
}

#[test]
fn background_steps_and_calls_are_checked() {
    check(
        "
on: push
jobs:
  a:
    runs-on: x
    steps:
      - { id: one, run: x, background: true }
      - wait: [oen, one]
      - { id: two, wait: two }
      - { wait-all: false }
      - parallel: [{ run: x, background: true }, { wait: one }]
  b: { uses: ./.github/workflows/x.yml@v1 }
  c: { uses: ./other/x.yml }
  d: { uses: ./.github/workflows/x.yml, steps: [] }
  e: { runs-on: x, container: {}, snapshot: { version: 1 } }
",
        &[
            "ci.yml:8:16: error[LF-W0025]: no step above has the id `oen` (did you mean `one`?)",
            "ci.yml:9:26: error[LF-W0025]: step `two` cannot wait for itself",
            "ci.yml:10:21: error[LF-W0004]: expected `wait-all` without a value or with true, found false",
            "ci.yml:11:30: error[LF-W0026]: `background` cannot stand inside `parallel` (its steps always run side by side, and the group waits for all)",
            "ci.yml:11:52: error[LF-W0026]: `wait` cannot stand inside `parallel` (its steps always run side by side, and the group waits for all)",
            "ci.yml:12:14: error[LF-W0023]: `uses`: a file of this repository takes no version: `./.github/workflows/x.yml@v1`",
            "ci.yml:13:14: error[LF-W0023]: `uses`: workflow files lie in `.github/workflows` and end in `.yml` or `.yaml`: `./other/x.yml`",
            "ci.yml:14:41: error[LF-W0019]: `steps` cannot stand in a job with `uses`",
            "ci.yml:15:31: error[LF-W0005]: required key `image` is missing",
            "ci.yml:15:47: error[LF-W0005]: required key `image-name` is missing",
        ],
    );
}

#[test]
fn events_and_inputs_are_checked() {
    check(
        "
on:
  pull_request: { types: [opend], tags: [x] }
  schedule: [{ cron: '0 24 * * *' }, { cron: '@daily' }, { cron: '0 0 * * *', timezone: Mars/Base }, {}]
  workflow_dispatch:
    inputs:
      a: { type: choice }
      b: { type: boolean, default: maybe }
      c: { options: [x] }
  workflow_call: { inputs: { a: {} } }
jobs: { a: { runs-on: x, steps: [] } }
",
        &[
            "ci.yml:3:27: error[LF-W0006]: `pull_request` has no activity `opend` (did you mean `opened`?)",
            "ci.yml:3:35: error[LF-W0003]: unknown key `tags` in `pull_request` (known here: types, branches, branches-ignore, paths, paths-ignore)",
            "ci.yml:4:22: error[LF-W0027]: `cron`: `24` is no hour: expected 0 to 23",
            "ci.yml:4:46: error[LF-W0027]: `cron`: expected 5 fields (minute, hour, day, month, weekday), found 1",
            "ci.yml:4:89: error[LF-W0027]: unknown time zone `Mars/Base` (time zones have names such as `Europe/Zurich`)",
            "ci.yml:4:102: error[LF-W0005]: required key `cron` is missing",
            "ci.yml:7:12: error[LF-W0028]: input `a` is a choice and has no `options`",
            "ci.yml:8:36: error[LF-W0028]: default of input `b`: expected true or false, found `maybe`",
            "ci.yml:9:12: error[LF-W0028]: input `c` has `options` and is no choice (add `type: choice`)",
            "ci.yml:10:33: error[LF-W0005]: required key `type` is missing",
        ],
    );
}

#[test]
fn keys_that_stand_twice_hide_nothing_else() {
    check(
        "
on: push
jobs:
  a: { runs-on: x, runs-ON: y, steps: [{ rum: x }] }
",
        &[
            "ci.yml:4:20: error[LF-Y0004]: `runs-ON` is already defined (it stands first in line 4; keep one of them)",
            "ci.yml:4:42: error[LF-W0003]: unknown key `rum` in a step (did you mean `run`?)",
            "ci.yml:4:42: error[LF-W0005]: a step needs one of `run`, `uses`, `wait`, `wait-all`, `cancel`, `parallel`",
        ],
    );
}

#[test]
fn expressions_are_checked_where_they_stand() {
    check(
        "
on: push
run-name: ${{ env.X }}
jobs:
  a:
    runs-on: ${{ gihub.ref }}
    if: env.X == 'y'
    env: { A: '${{ env.B }}', B: '${{ steps.x.outputs.y }}' }
    steps:
      - run: |
          echo one
          echo ${{ github.ref == \"x\" }}
      - { run: x, if: \"secrets.A != ''\" }
      - { run: x, if: \"a ${{ true }}\" }
      - { run: \"${{ success() }}\" }
",
        &[
            "ci.yml:3:15: error[LF-W0012]: context `env` is not available here, only `github`, `inputs`, `vars`",
            "ci.yml:6:18: error[LF-W0011]: unknown context `gihub` at position 1 of `gihub.ref` (did you mean `github`?)",
            "ci.yml:7:9: error[LF-W0012]: context `env` is not available here, only `github`, `inputs`, `vars`, `needs`",
            "ci.yml:8:20: error[LF-W0012]: context `env` is not available here, only `github`, `inputs`, `vars`, `needs`, `strategy`, `matrix`, `secrets`",
            "ci.yml:8:39: error[LF-W0012]: context `steps` is not available here, only `github`, `inputs`, `vars`, `needs`, `strategy`, `matrix`, `secrets`",
            "ci.yml:12:34: error[LF-W0011]: text takes single quotes, found `\"x\"` at position 15 of `github.ref == \"x\"`",
            "ci.yml:13:24: error[LF-W0012]: context `secrets` is not available here, only `github`, `inputs`, `vars`, `needs`, `strategy`, `matrix`, `steps`, `job`, `runner`, `env`",
            "ci.yml:14:23: error[LF-W0013]: text around `${{ }}` makes this condition always true (put the whole condition inside one `${{ }}`, or leave `${{ }}` out)",
            "ci.yml:15:21: error[LF-W0012]: function `success` is not available here, only in `if`",
        ],
    );
}

#[test]
fn expressions_as_keys_are_checked_like_others() {
    check(
        "
on: push
env: { '${{ secrets.A }}': x, '${{ env.B }}': y, 'C-${{ github.ref }}': '${{ steps.c }}' }
jobs:
  a:
    runs-on: x
    outputs: { '${{ github.ref }}': x }
    container: { image: y, env: { '${{ insert }}': '${{ fromJSON(vars.E) }}' } }
    steps:
      - { run: x, if: \"${{ true }} \" }
      - { '${{ insert }}': { run: y } }
",
        &[
            "ci.yml:3:36: error[LF-W0012]: context `env` is not available here, only `github`, `inputs`, `vars`, `secrets`",
            "ci.yml:3:78: error[LF-W0012]: context `steps` is not available here, only `github`, `inputs`, `vars`, `secrets`",
            "ci.yml:7:16: error[LF-W0010]: no expression may stand here",
            "ci.yml:10:23: warning[LF-W0039]: a blank beside `${{ }}` makes this condition always true (write `|-` or `>-`, or leave `${{ }}` out)",
            "ci.yml:11:11: error[LF-W0010]: no expression may stand here",
            "ci.yml:11:11: error[LF-W0005]: a step needs one of `run`, `uses`, `wait`, `wait-all`, `cancel`, `parallel`",
        ],
    );
}

#[test]
fn jobs_must_form_no_circle() {
    check(
        "
on: [push, pusj]
jobs:
  a: { runs-on: x, needs: [c], steps: [] }
  b: { runs-on: x, needs: a, steps: [] }
  c: { runs-on: x, needs: b, steps: [] }
",
        &[
            "ci.yml:2:12: error[LF-W0006]: unknown event `pusj` (did you mean `push`?)",
            "ci.yml:4:27: error[LF-W0015]: jobs need one another in a circle: a → c → b → a",
        ],
    );
    check(
        "
on: push
jobs:
  build: { runs-on: x, steps: [] }
  b: { runs-on: x, needs: biuld, steps: [] }
  c: { runs-on: x, if: needs.build.result, steps: [] }
  '1x': { runs-on: x, strategy: { matrix: { a: [], exclude: [] } }, steps: [] }
",
        &[
            "ci.yml:5:27: error[LF-W0014]: job `b` needs `biuld`, which is no job of this file (did you mean `build`?)",
            "ci.yml:7:3: error[LF-W0009]: `1x` is no id of a job: it begins with a letter or `_` and holds letters, digits, `-` and `_` only",
            "ci.yml:7:43: error[LF-W0017]: matrix: `a` has no values",
        ],
    );
}

#[test]
fn filters_and_missing_parts_are_checked() {
    check(
        "
on:
  push: { branches: ['!x', main], branches-ignore: [y], tags: ['v[']}
  workflow_dispatch: { inputs: { a: { type: strng } } }
jobs:
  a: { steps: [] }
",
        &[
            "ci.yml:3:22: error[LF-W0008]: `!x` takes out what no pattern before it let in (put a pattern without `!` before it, such as `'**'`)",
            "ci.yml:3:52: error[LF-W0007]: `branches` and `branches-ignore` cannot stand together (use `branches` with patterns that begin with `!`)",
            "ci.yml:3:64: error[LF-W0008]: `v[` is no pattern",
            "ci.yml:4:45: error[LF-W0004]: expected string, boolean, number, choice or environment, found `strng` (did you mean `string`?)",
            "ci.yml:6:8: error[LF-W0005]: required key `runs-on` is missing",
        ],
    );
    check(
        "",
        &["ci.yml:1:1: error[LF-W0002]: file is empty (a workflow has at least `on` and `jobs`)"],
    );
    check(
        "name: x\n",
        &[
            "ci.yml:1:1: error[LF-W0005]: required key `on` is missing",
            "ci.yml:1:1: error[LF-W0005]: required key `jobs` is missing",
        ],
    );
}
