//! Makes workflow files, most of them with something broken.

use super::dice::Dice;

/// A file; two of three have up to three faults.
pub(super) fn file(dice: &mut Dice) -> String {
    let mut file = valid(dice);
    if !dice.once_in(3) {
        for _ in 0..=dice.roll(3) {
            file = broken(dice, &file);
        }
    }
    file
}

fn valid(dice: &mut Dice) -> String {
    let mut out = String::new();
    if dice.once_in(2) {
        out.push_str("name: CI\n");
    }
    if dice.once_in(4) {
        out.push_str("run-name: by ${{ github.actor }} ${{ inputs.level }}\n");
    }
    on(dice, &mut out);
    if dice.once_in(3) {
        out.push_str(dice.pick(&[
            "permissions: read-all\n",
            "permissions:\n  contents: read\n  id-token: write\n",
            "permissions: {}\n",
        ]));
    }
    if dice.once_in(3) {
        out.push_str(dice.pick(&[
            "concurrency: ${{ github.ref }}\n",
            "concurrency:\n  group: deploy-${{ github.ref }}\n  cancel-in-progress: ${{ github.event_name == 'push' }}\n",
            "concurrency: { group: x, queue: max }\n",
        ]));
    }
    if dice.once_in(3) {
        out.push_str("env:\n  A: 1\n  B: ${{ secrets.TOKEN }}\n  C: ${{ vars.X }}-y\n");
    }
    if dice.once_in(4) {
        out.push_str("defaults:\n  run:\n    shell: bash\n    working-directory: src\n");
    }
    out.push_str("jobs:\n");
    let count = 1 + dice.roll(3);
    for position in 0..count {
        job(dice, &mut out, position);
    }
    out
}

fn on(dice: &mut Dice, out: &mut String) {
    let events = [
        "  push:\n    branches: [main, 'release/**']\n    paths-ignore: ['**.md']\n",
        "  pull_request:\n    types: [opened, labeled]\n    branches:\n      - main\n",
        "  workflow_dispatch:\n    inputs:\n      level:\n        description: how loud\n        type: choice\n        options: [info, debug]\n        default: info\n        required: true\n      flag:\n        type: boolean\n        default: false\n",
        "  schedule:\n    - cron: '*/15 2-4 * jan,FEB mon-fri'\n",
        "  workflow_call:\n    inputs:\n      level:\n        type: string\n        default: ${{ github.ref }}\n        required: false\n    outputs:\n      one:\n        description: first\n        value: ${{ jobs.j0.outputs.a }}\n    secrets:\n      token:\n        required: true\n",
        "  workflow_run:\n    workflows: [CI]\n    types: completed\n    branches: main\n",
        "  repository_dispatch:\n    types: [a, b]\n",
        "  release:\n    types: published\n",
        "  issues:\n",
        "  merge_group:\n",
    ];
    match dice.roll(5) {
        0 => out.push_str("on: push\n"),
        1 => out.push_str("on: [push, pull_request, create]\n"),
        _ => {
            out.push_str("on:\n");
            let first = dice.roll(events.len());
            let second = dice.roll(events.len());
            out.push_str(events[first]);
            if second != first {
                out.push_str(events[second]);
            }
        }
    }
}

fn job(dice: &mut Dice, out: &mut String, position: usize) {
    out.push_str(&format!("  j{position}:\n"));
    if position > 0 && dice.once_in(2) {
        out.push_str(dice.pick(&["    needs: j0\n", "    needs: [j0]\n"]));
    }
    if dice.once_in(3) {
        out.push_str(dice.pick(&[
            "    if: github.ref == 'refs/heads/main'\n",
            "    if: ${{ always() && needs.j0.result != 'failure' }}\n",
            "    if: success('j0') || failure()\n",
            "    if: false\n",
        ]));
    }
    if dice.once_in(3) {
        out.push_str(dice.pick(&["    name: build ${{ matrix.os }}\n", "    name: plain\n"]));
    }
    if dice.once_in(3) {
        out.push_str(dice.pick(&[
            "    strategy:\n      matrix:\n        os: [a, b]\n        n: [1, 2.50, true]\n        include:\n          - os: a\n            extra: ${{ github.ref }}\n        exclude:\n          - os: b\n            n: 1\n      fail-fast: false\n      max-parallel: 2\n",
            "    strategy:\n      matrix: ${{ fromJSON(needs.j0.outputs.m) }}\n",
            "    strategy:\n      matrix:\n        ${{ github.event_name }}: [1]\n        include:\n          - ${{ insert }}: { a: 1 }\n            b: ${{ github.ref }}\n",
            "    strategy:\n      fail-fast: ${{ vars.FAST == 'yes' }}\n      matrix:\n        os: ${{ fromJSON('[1]') }}\n",
        ]));
    }
    if dice.once_in(5) {
        out.push_str("    uses: ./.github/workflows/other.yml\n");
        if dice.once_in(2) {
            out.push_str("    with:\n      level: ${{ matrix.os }}\n      count: 3\n");
        }
        out.push_str(dice.pick(&[
            "",
            "    secrets: inherit\n",
            "    secrets:\n      token: ${{ secrets.TOKEN }}\n",
        ]));
        return;
    }
    out.push_str(dice.pick(&[
        "    runs-on: ubuntu-latest\n",
        "    runs-on: [self-hosted, '${{ matrix.os }}']\n",
        "    runs-on: ${{ matrix.os }}\n",
        "    runs-on:\n      group: large\n      labels: [x64]\n",
    ]));
    let parts = [
        "    timeout-minutes: 5\n",
        "    timeout-minutes: ${{ fromJSON(vars.MINUTES) }}\n",
        "    cancel-timeout-minutes: 1\n",
        "    continue-on-error: ${{ matrix.os == 'a' }}\n",
        "    environment: production\n",
        "    environment:\n      name: ${{ github.ref_name }}\n      url: ${{ steps.s0.outputs.url }}\n      deployment: false\n",
        "    container: node:20\n",
        "    container:\n      image: ghcr.io/a/b:${{ matrix.os }}\n      credentials:\n        username: ${{ github.actor }}\n        password: ${{ secrets.TOKEN }}\n      env:\n        K: ${{ vars.K }}\n      ports: [80, 443]\n      volumes: ['/a:/b']\n      options: --cpus 1\n",
        "    services:\n      db:\n        image: postgres:16\n        env:\n          POSTGRES_PASSWORD: x\n        ports:\n          - 5432:5432\n        options: >-\n          --health-cmd pg_isready\n          --health-interval 10s\n      cache: redis\n",
        "    concurrency:\n      group: ${{ matrix.os }}\n      cancel-in-progress: true\n",
        "    permissions:\n      contents: write\n",
        "    env:\n      J: ${{ secrets.A }}\n      M: ${{ matrix.os }}\n",
        "    env:\n      X_${{ matrix.os }}: 1\n      ${{ insert }}: ${{ fromJSON(vars.E) }}\n",
        "    container: ${{ matrix.os }}\n",
        "    services:\n      more:\n        image: ${{ vars.I }}\n        env:\n          ${{ github.ref }}: x\n",
        "    defaults:\n      run:\n        shell: ${{ env.SHELL }}\n",
        "    outputs:\n      a: ${{ steps.s0.outputs.x }}\n      b: ${{ runner.os }}\n",
        "    snapshot: image\n",
    ];
    let mut seen: Vec<&str> = Vec::new();
    for _ in 0..dice.roll(5) {
        let part = dice.pick(&parts);
        let key = part.split(':').next().unwrap_or_default();
        if !seen.contains(&key) {
            seen.push(key);
            out.push_str(part);
        }
    }
    out.push_str("    steps:\n");
    for step in 0..=dice.roll(4) {
        self::step(dice, out, step);
    }
    if dice.once_in(6) {
        out.push_str("      - id: bg\n        run: sleep 1\n        background: true\n      - wait: bg\n      - parallel:\n          - run: a\n          - uses: actions/cache@v4\n      - wait-all:\n");
    }
}

fn step(dice: &mut Dice, out: &mut String, position: usize) {
    if dice.once_in(2) {
        out.push_str(dice.pick(&[
            "      - run: make ${{ github.sha }}\n",
            "      - run: |\n          echo one\n          echo ${{ steps.s0.outputs.x }} ${{ env.A }}\n",
            "      - run: >\n          a\n          ${{ hashFiles('**/lock') }}\n\n          b\n",
            "      - run: \"echo \\\"${{ runner.os }}\\\"\"\n",
        ]));
        out.push_str(dice.pick(&[
            "",
            "        shell: bash\n",
            "        working-directory: ${{ matrix.dir }}\n",
        ]));
    } else {
        out.push_str(dice.pick(&[
            "      - uses: actions/checkout@v4\n        with:\n          fetch-depth: 0\n          ref: ${{ github.head_ref }}\n",
            "      - uses: ./local\n",
            "      - uses: docker://alpine:3\n        with:\n          args: x\n",
        ]));
    }
    let parts = [
        "        if: failure() && steps.s0.outcome == 'failure'\n",
        "        if: ${{ hashFiles('x') != '' }}\n",
        "        name: Step ${{ matrix.os }}\n",
        "        env:\n          T: ${{ secrets.T }}\n          U: 1.50\n",
        "        continue-on-error: true\n",
        "        timeout-minutes: ${{ fromJSON(env.M) }}\n",
    ];
    if dice.once_in(3) {
        out.push_str(&format!("        id: s{position}\n"));
    }
    let first = dice.roll(parts.len() + 2);
    if let Some(part) = parts.get(first) {
        out.push_str(part);
    }
}

/// The file with one fault more.
fn broken(dice: &mut Dice, file: &str) -> String {
    let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let at = dice.roll(lines.len());
    let line = lines[at].clone();
    let indent = line.len() - line.trim_start().len();
    let pad = " ".repeat(indent);
    match dice.roll(14) {
        // A key with a letter too many.
        0..3 => {
            if let Some(colon) = line.find(':') {
                let mut line = line;
                line.insert(colon, 'x');
                lines[at] = line;
            }
        }
        // A value of another kind.
        3..6 => {
            if let Some((key, _)) = line.split_once(": ") {
                let value = dice.pick(&[
                    "", "[]", "{}", "yes", "12", "true", "'text'", "''", "[a, b]", "{a: b}",
                    "null", "1e3",
                ]);
                lines[at] = format!("{key}: {value}");
            }
        }
        // A line lost.
        6 => {
            lines.remove(at);
        }
        // A key that is unknown, or known elsewhere.
        7 | 8 => {
            let key = dice.pick(&[
                "foo: bar",
                "run: x",
                "uses: a/b@v1",
                "runs-on: x",
                "if: true",
                "name: y",
                "types: [x]",
                "queue: max",
                "options: [a]",
                "with: {a: b}",
                "needs: j9",
                "env: {A: b}",
                "id: s0",
            ]);
            let indent = if line.trim_start().starts_with("- ") {
                indent + 2
            } else {
                indent
            };
            lines.insert(at + 1, format!("{}{key}", " ".repeat(indent)));
        }
        // An expression that is wrong, or not allowed in its place.
        9..13 => {
            let wrong = dice.pick(&[
                "${{ env.A }}",
                "${{ secrets.S }}",
                "${{ gihub.ref }}",
                "${{ github.ref == }}",
                "${{ success() }}",
                "${{ hashFiles('a') }}",
                "${{ matrix.os }}",
                "${{ foo('x') }}",
                "${{ steps.s0.outputs.x }}",
                "${{ }}",
                "${{ \"x\" }}",
                "${{ github.ref",
                "${{ contains('a') }}",
                "a ${{ runner.os }} b",
                "${{ needs.j0.result }}",
                "${{ 'it''s' }}",
                "${{ jobs.j0.outputs.a }}",
                "${{ strategy.job-index }}",
                "${{ always() }}",
                "${{ format('{0}}}', github.ref) }}",
                "${{ vars.x }} ${{ nothing.y }}",
                "${{ github['ref'].* }}",
            ]);
            if let Some((key, _)) = line.split_once(": ") {
                lines[at] = format!("{key}: {wrong}");
            } else if line.trim_start().starts_with("- ") {
                lines[at] = format!("{pad}- {wrong}");
            }
        }
        // The same line again.
        _ => lines.insert(at, line),
    }
    let mut file = lines.join("\n");
    file.push('\n');
    file
}
