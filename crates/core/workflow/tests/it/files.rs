//! Whole files: what is wrong with them, and what is refused by name.

use workflow::parse;

#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let parsed = parse(source, "ci.yml", &["actions/checkout"]);
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
            "ci.yml:7:5: error[LF-W0003]: unknown key `run-on` in job `build` (did you mean `runs-on`?)",
            "ci.yml:11:9: error[LF-W0003]: unknown key `timeout` in a step with `run` (did you mean `timeout-minutes`?)",
            "ci.yml:12:9: error[LF-W0003]: unknown key `continue_on_error` in a step with `run` (did you mean `continue-on-error`?)",
            "ci.yml:13:9: error[LF-W0005]: a step needs `run` or `uses`",
            "ci.yml:14:25: error[LF-W0019]: a step has either `run` or `uses`, not both",
        ],
    );
}

#[test]
fn what_is_not_built_yet_is_refused_by_name() {
    check(
        "
on: push
jobs:
  a:
    runs-on: x
    container: node:20
    services: { db: { image: postgres } }
    steps:
      - uses: actions/setup-node@v4
      - uses: ./local
      - { run: x, background: true }
      - wait: [a]
  b: { uses: ./.github/workflows/x.yml }
  c: { runs-on: windows-latest, steps: [] }
",
        &[
            "ci.yml:6:5: error[LF-W0020]: not supported yet: `container`",
            "ci.yml:7:5: error[LF-W0020]: not supported yet: `services`",
            "ci.yml:9:15: error[LF-W0020]: not supported yet: `uses: actions/setup-node@v4` (built in: `actions/checkout`; what the action does can often be done with `run`)",
            "ci.yml:10:15: error[LF-W0020]: not supported yet: `uses: ./local` (actions from this repository cannot run here yet)",
            "ci.yml:11:19: error[LF-W0020]: not supported yet: `background`",
            "ci.yml:12:9: error[LF-W0020]: not supported yet: `wait`",
            "ci.yml:13:8: error[LF-W0020]: not supported yet: `uses` (a job that calls another workflow file cannot run here yet)",
            "ci.yml:14:17: error[LF-W0020]: not supported yet: `runs-on: windows-latest` (jobs run on Linux)",
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
            "ci.yml:6:18: error[LF-W0011]: unknown context `gihub` at position 1 of `gihub.ref`",
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
            "ci.yml:4:45: error[LF-W0006]: unknown type `strng`: expected string, boolean, number, choice or environment",
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
