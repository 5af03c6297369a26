//! Prints how long it takes to parse and plan a large file, and to expand a full matrix.
//!
//! `cargo run --profile bench -p workflow --example measure` (add `--json` for one line of JSON).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use workflow::{
    Happening,
    plan::{Surroundings, plan},
};

/// GitHub starts no larger file.
const LARGE_BYTES: usize = 500 * 1024;
const ROUNDS: usize = 15;

fn main() {
    let large = large_file();
    let (parsed, large_time) = median(|| {
        let parsed = workflow::parse(&large, "large.yml");
        let workflow = parsed
            .workflow
            .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        planned(&workflow)
    });
    let small = matrix_file();
    let workflow = workflow::parse(&small, "matrix.yml")
        .workflow
        .expect("a workflow");
    let (legs, matrix_time) = median(|| planned(&workflow));
    if std::env::args().any(|it| it == "--json") {
        let report = json!({
            "workflow_500kb_parse_plan_ms": large_time.as_secs_f64() * 1e3,
            "workflow_matrix_256_plan_ms": matrix_time.as_secs_f64() * 1e3,
        });
        println!("{report}");
        return;
    }
    println!(
        "parse and plan {} KB, {parsed} jobs: {large_time:.2?}",
        large.len() / 1024
    );
    println!("plan a matrix of {legs} legs: {matrix_time:.2?}");
}

/// How many legs a push would start.
fn planned(workflow: &workflow::Workflow) -> usize {
    let payload = json!({"ref": "refs/heads/main", "after": "0".repeat(40)});
    let happening = Happening {
        event: "push",
        payload: &payload,
        changed: None,
    };
    let plan = plan(workflow, &happening, &Surroundings::default());
    let legs = plan.jobs.into_iter().map(|job| match job.legs {
        workflow::plan::Known::Now(legs) => legs.len(),
        workflow::plan::Known::Later(_) | workflow::plan::Known::Broken(_) => 0,
    });
    legs.sum()
}

fn median<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        last = Some(work());
        times.push(start.elapsed());
    }
    times.sort();
    (last.expect("some rounds"), times[ROUNDS / 2])
}

/// Jobs like those that people write, until the file is full.
fn large_file() -> String {
    let mut file =
        String::from("name: large\non: [push, pull_request]\nenv:\n  REGISTRY: ghcr.io\njobs:\n");
    let mut job = 0;
    while file.len() < LARGE_BYTES {
        file.push_str(&format!(
            "  job-{job}:\n    runs-on: ${{{{ matrix.os }}}}\n    timeout-minutes: 30\n"
        ));
        if job > 0 {
            file.push_str(&format!("    needs: [job-{}]\n", job / 2));
        }
        file.push_str("    if: github.ref == 'refs/heads/main' && !cancelled()\n    strategy:\n      matrix:\n        os: [ubuntu-latest, ubuntu-24.04]\n");
        file.push_str("    env:\n      TOKEN: ${{ secrets.TOKEN }}\n      NAME: ${{ github.repository }}-${{ matrix.os }}\n    steps:\n      - uses: actions/checkout@v4\n        with:\n          fetch-depth: 0\n");
        for step in 0..6 {
            file.push_str(&format!(
                "      - name: Step {step} of ${{{{ github.job }}}}\n        id: step-{step}\n        if: ${{{{ success() && env.NAME != '' }}}}\n        run: |\n          echo \"building {step}\"\n          make target-{step} VERSION=${{{{ github.sha }}}} OUT=\"$RUNNER_TEMP/out\"\n          echo \"value=$(cat out/{step})\" >> \"$GITHUB_OUTPUT\"\n        env:\n          STEP: ${{{{ toJSON(matrix) }}}}\n"
            ));
        }
        job += 1;
    }
    file
}

fn matrix_file() -> String {
    let vector: Value = (0..16).collect();
    format!(
        "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        a: {vector}\n        b: {vector}\n        include:\n          - {{a: 3, extra: x}}\n    steps:\n      - run: make\n"
    )
}
