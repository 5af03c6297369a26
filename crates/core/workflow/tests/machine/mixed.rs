//! Everything at once, in many orders, with a crash after every event.

use crate::stage::Stage;

const SOURCE: &str = "
on: push
concurrency: all
jobs:
  plan: { runs-on: x, outputs: { m: '[1, 2, 3]' }, steps: [{ name: plan, run: x }] }
  test:
    needs: plan
    runs-on: x
    concurrency: 'test-${{ matrix.v }}'
    strategy: { max-parallel: 2, fail-fast: false, matrix: { v: '${{ fromJSON(needs.plan.outputs.m) }}' } }
    outputs: { v: '${{ steps.c.outputs.v }}' }
    steps:
      - { id: b, name: 'bg ${{ matrix.v }}', run: x, background: true }
      - { id: c, name: 'comp ${{ matrix.v }}', uses: o/comp@v1, with: { v: '${{ matrix.v }}' } }
      - { id: n, name: 'node ${{ matrix.v }}', uses: o/node@v1 }
      - parallel: [{ name: 'p1 ${{ matrix.v }}', run: x }, { name: 'p2 ${{ matrix.v }}', uses: o/comp@v1 }]
      - wait: [b]
  call: { needs: plan, uses: ./.github/workflows/in.yml, secrets: inherit, with: { n: 2 } }
  ship: { needs: [test, call], if: '!cancelled()', runs-on: x, environment: prod, steps: [{ name: ship, run: 'x ${{ needs.test.result }} ${{ needs.call.outputs.o }} ${{ secrets.TOKEN }}' }] }
  soft: { needs: ship, runs-on: x, continue-on-error: true, steps: [{ name: soft, run: x }, { name: undo, run: x, if: failure() }] }
  last: { needs: soft, runs-on: x, steps: [{ name: last, run: x }] }
";

const INNER: &str = "
on: { workflow_call: { inputs: { n: { type: number } }, outputs: { o: { value: '${{ jobs.b.outputs.o }}' } } } }
concurrency: inner
jobs:
  a: { runs-on: x, strategy: { matrix: { k: [x, y] } }, steps: [{ name: 'a ${{ matrix.k }}', run: x }] }
  b: { needs: a, runs-on: x, outputs: { o: '${{ steps.s.outputs.o }}' }, steps: [{ id: s, name: inner, run: 'x ${{ inputs.n }}' }] }
";

#[test]
fn every_order_with_crashes_comes_to_the_same() {
    let stage = Stage::new(SOURCE)
        .workflow("./.github/workflows/in.yml", INNER)
        .action("o/comp@v1", "inputs: { v: { default: d } }\noutputs: { v: { value: '${{ steps.i.outputs.v }}' } }\nruns: { using: composite, steps: [{ id: i, name: 'in ${{ inputs.v }}', run: x, shell: sh }, { name: inode, uses: o/node@v1 }] }")
        .action("o/node@v1", "runs: { using: node24, main: m.js, pre: b.js, post: p.js }")
        .writes("in 2", "v=two\n")
        .writes("inner", "o=s3cret-value no, but out\n")
        .ends("bg 3", 1)
        .ends("soft", 1);
    for seed in 1..9_u64 {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let (mut smooth, mut bumpy) = (stage.begin(), stage.begin());
        smooth.play(seed, false);
        bumpy.play(seed, true);
        assert_eq!(bumpy.trace, smooth.trace, "seed {seed}");
        assert_eq!(bumpy.result(), smooth.result(), "seed {seed}");
        assert_eq!(
            smooth.script("ship"),
            "x failure  s3cret-value",
            "seed {seed}"
        );
        assert_eq!(
            smooth.run.outputs("test"),
            [("v".to_owned(), "two".to_owned())],
            "seed {seed}"
        );
        assert_eq!(
            smooth.trace.last().map(String::as_str),
            Some("finish failure"),
            "seed {seed}"
        );
        // Of all its ancestors one failed, though the one it needs is as good as successful.
        let last = smooth.run.jobs().into_iter().find(|it| it.name == "last");
        assert_eq!(
            last.and_then(|it| it.conclusion),
            Some(api::Conclusion::Skipped),
            "seed {seed}"
        );
    }
}
