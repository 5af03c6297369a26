//! What is said about workflows beyond the language itself.

use lint::{Tree, sarif};

#[test]
fn properties_that_there_are_not_are_named() {
    check(
        "
on: { workflow_dispatch: { inputs: { level: {} } } }
jobs:
  a:
    runs-on: x
    outputs: { tag: '${{ steps.one.outputs.t }}', bad: '${{ steps.two.outputs.t }}' }
    strategy: { matrix: { os: [a], include: [{ os: a, extra: 1 }] } }
    steps:
      - { run: 'echo ${{ steps.one.outputs.x }}' }
      - { id: one, run: 'echo ${{ steps.one.output }} ${{ matrix.extra }} ${{ matrix.oss }}' }
      - { run: 'echo ${{ steps.one.outcom }} ${{ inputs.levl }} ${{ inputs[''level''] }} ${{ github.reff }}' }
  b:
    needs: a
    runs-on: x
    steps:
      - run: |
          echo one
          echo ${{ needs.a.outputs.tga }} ${{ needs.c.result }} ${{ matrix.os }}
      - { run: x, if: runner.so == 'Linux' && needs.a.result == 'success', env: { A: '${{ job.status }}' } }
",
        &[],
        "\
6:67: warning[LF-W0030]: no step has the id `two`, so this is always empty (known here: one)
9:32: warning[LF-W0030]: step `one` does not stand above, so this is always empty
10:41: warning[LF-W0030]: step `one` does not stand above, so this is always empty
10:86: warning[LF-W0030]: the matrix has no `oss`, so this is always empty (did you mean `os`?)
11:36: warning[LF-W0030]: `a step` has no `outcom`, so this is always empty (did you mean `outcome`?)
11:57: warning[LF-W0030]: the workflow has no input `levl`, so this is always empty (did you mean `level`?)
11:101: warning[LF-W0030]: `github` has no `reff`, so this is always empty (did you mean `ref`?)
18:36: warning[LF-W0030]: job `a` has no output `tga`, so this is always empty (did you mean `tag`?)
18:53: warning[LF-W0016]: `needs.c` is always empty: job `b` does not need `c` (known here: a)
18:76: warning[LF-W0030]: job `b` has no matrix, so this is always empty
19:30: warning[LF-W0030]: `runner` has no `so`, so this is always empty (did you mean `os`?)
",
    );
}

#[test]
fn text_of_strangers_stays_out_of_scripts() {
    check(
        "
on: issues
jobs:
  a:
    runs-on: x
    steps:
      - run: echo \"${{ github.event.issue.title }}\"
      - { run: 'echo \"$TITLE\"', env: { TITLE: '${{ github.event.issue.title }}' } }
      - run: echo ${{ github.event.commits[0].message }} ${{ join(github.event.commits.*.message) }}
      - uses: actions/github-script@v7
        with: { script: 'core.info(\"${{ github.head_ref }}\")' }
",
        &[],
        "\
7:24: warning[LF-W0033]: `github.event.issue.title` is written by strangers and becomes part of the script (put it into `env` of the step, and use the variable in quotes: \"$NAME\")
9:67: warning[LF-W0033]: `github.event.commits.*.message` is written by strangers and becomes part of the script (put it into `env` of the step, and use the variable in quotes: \"$NAME\")
11:41: warning[LF-W0033]: `github.head_ref` is written by strangers and becomes part of the script (put it into `env` of the step, and use the variable in quotes: \"$NAME\")
",
    );
}

#[test]
fn actions_are_fixed_there_and_given_what_they_take() {
    let action = "name: x\ninputs: { level: { required: true }, dry-run: { default: 'no' } }\nruns: { using: composite, steps: [] }\n";
    let called = "on: { workflow_call: { inputs: { tag: { type: string, required: true } }, secrets: { key: { required: true } } } }\njobs: { a: { runs-on: x, steps: [] } }\n";
    check(
        "
on: push
jobs:
  a:
    runs-on: x
    steps:
      - { uses: actions/checkout@v4, with: { fetch-dept: 0, ref: x } }
      - uses: other/thing@v1
      - uses: other/thing@0123456789012345678901234567890123456789
      - { uses: ./.github/actions/build, with: { dryrun: x } }
      - uses: ./nowhere
  b: { uses: ./.github/workflows/called.yml, with: { tga: 1 }, secrets: { key: x, other: y } }
  c: { uses: ./.github/workflows/missing.yml }
  d: { uses: ./.github/workflows/called.yml, with: { tag: 1 }, secrets: inherit }
",
        &[(".github/actions/build/action.yml", action), (".github/workflows/called.yml", called)],
        "\
7:46: warning[LF-W0031]: `actions/checkout` has no input `fetch-dept` (did you mean `fetch-depth`?)
8:15: note[LF-W0034]: `other/thing` is not fixed to a commit: `v1` can change what it does (write the whole commit behind `@`, and the version in a comment)
10:17: warning[LF-W0032]: `./.github/actions/build` requires the input `level`
10:50: warning[LF-W0031]: `./.github/actions/build` has no input `dryrun` (did you mean `dry-run`?)
11:15: warning[LF-W0035]: `./nowhere` has no `action.yml` in this repository
12:14: warning[LF-W0032]: `.github/workflows/called.yml` requires the input `tag`
12:54: warning[LF-W0031]: `.github/workflows/called.yml` has no input `tga` (did you mean `tag`?)
12:83: warning[LF-W0031]: `.github/workflows/called.yml` has no secret `other`
13:14: warning[LF-W0035]: `.github/workflows/missing.yml` is not in this repository
",
    );
}

#[test]
fn schedules_machines_and_old_commands_are_looked_at() {
    check(
        "
on: { schedule: [{ cron: '*/2 * * * *' }, { cron: '0 3 * * *' }] }
jobs:
  a:
    runs-on: [self-hosted, macos-14]
    steps:
      - { run: dir, shell: cmd }
      - run: echo \"::set-output name=a::b\"
",
        &[],
        "\
2:26: warning[LF-W0036]: `*/2 * * * *` comes every 2 minutes, and schedules start at most every 5
5:28: warning[LF-W0037]: no machine for `macos-14`: jobs run on Linux here
7:28: warning[LF-W0022]: shell `cmd` runs on Windows only
8:14: warning[LF-W0038]: the command `set-output` is no longer accepted everywhere (write a line to the file that `$GITHUB_OUTPUT` names)
",
    );
}

#[test]
fn findings_are_told_as_sarif() {
    let tree = tree("on: push\njobs: { a: { run-on: x, steps: [] } }\n", &[]);
    let report = sarif(&lint::check(&tree, &[]), &tree);
    let results = report["runs"][0]["results"].as_array().expect("results");
    assert_eq!(report["version"], "2.1.0");
    assert_eq!(results.len(), 2);
    let first = results.iter().find(|it| it["ruleId"] == "LF-W0003").expect("an unknown key");

    assert_eq!(first["level"], "error");
    let place = &first["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], ".github/workflows/ci.yml");
    let region = serde_json::json!({"startLine": 2, "startColumn": 14, "endLine": 2, "endColumn": 20});
    assert_eq!(place["region"], region);
    let replacement = &first["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(replacement["deletedRegion"], region);
    assert_eq!(replacement["insertedContent"]["text"], "runs-on");
    let rule = &report["runs"][0]["tool"]["driver"]["rules"][usize::try_from(first["ruleIndex"].as_u64().expect("a number")).expect("small")];
    assert_eq!(rule["id"], "LF-W0003");
}

fn tree(workflow: &str, files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    tree.add(".github/workflows/ci.yml", Some(workflow.to_owned()));
    for (path, text) in files {
        tree.add(*path, Some((*text).to_owned()));
    }
    tree
}

/// One line for each finding about the workflow: place, what, and the first help.
#[track_caller]
fn check(workflow: &str, files: &[(&str, &str)], expected: &str) {
    let found = lint::check(&tree(workflow, files), &["actions/checkout"]);
    let lines: String = found
        .iter()
        .filter(|it| it.file == ".github/workflows/ci.yml" && it.code.starts_with("LF-W"))
        .map(|it| {
            let help = it.help.first().map(|it| format!(" ({it})")).unwrap_or_default();
            let line = it.to_string();
            format!("{}{help}\n", line.trim_start_matches(".github/workflows/ci.yml:"))
        })
        .collect();
    assert_eq!(lines, expected);
}
