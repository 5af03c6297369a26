//! How fast runs are planned, carried out and written down where no process has to run.

use std::{fs, process::Command, time::Instant};

use super::{
    Ground,
    figure::{Figure, Samples},
    installation::Installation,
    pipelines::Pipelines,
};
use crate::program;

/// A null job is planned, waits for the one it needs, is decided by its condition and stored, and runs no process.
const NULL_JOBS: usize = 300;
const RUNS: usize = 8;

/// GitHub starts no larger file.
const LARGE_BYTES: usize = 500 * 1024;

const ROUNDS: usize = 9;

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let mut figures = plans(ground)?;
    let (installation, _) = Installation::start(&ground.program)?;
    let pipelines = Pipelines::push(&installation, "null", &[("null.yml", null_file())])?;
    let warm = pipelines.dispatch("null.yml")?;
    pipelines.finished(&warm)?;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(pipelines.dispatch("null.yml")?);
    }
    let runs = runs.iter().map(|id| pipelines.finished(id)).collect::<anyhow::Result<Vec<_>>>()?;
    // Dispatching from a command line is slower than carrying out, so only the time in which runs were at work counts.
    let mut spans: Vec<_> = runs.iter().filter_map(|run| Some((run.created, run.finished?))).collect();
    spans.sort();
    let mut busy = std::time::Duration::ZERO;
    let mut until = None;
    for (from, to) in spans {
        let from = until.map_or(from, |until| from.max(until));
        if to > from {
            busy += to.since(from);
            until = Some(to);
        }
    }
    let jobs: usize = runs.iter().map(|run| run.jobs.len()).sum();
    let per_second = f64::from(u32::try_from(jobs)?) / busy.as_secs_f64();
    figures.push(Figure::new("runs: null jobs, planned to finished (goal at least 1500)", per_second, "/s"));
    Ok(figures)
}

/// Reading and planning a file of the largest size, and one of the widest matrix, above the same for a small one.
fn plans(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let plan = |name: &str, text: &str| -> anyhow::Result<Samples> {
        let workflows = folder.path().join(name).join(".github/workflows");
        fs::create_dir_all(&workflows)?;
        fs::write(workflows.join("file.yml"), text)?;
        Samples::take(ROUNDS, |_| {
            let began = Instant::now();
            program::output(Command::new(&ground.program).arg("plan").arg(folder.path().join(name)))?;
            Ok(began.elapsed())
        })
    };
    let small = plan("small", "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n")?.p50();
    let (large, matrix) = (plan("large", &large_file())?.p50(), plan("matrix", &matrix_file())?.p50());
    let what = "a file of one job";
    Ok(vec![
        Figure::time("runs: parse and plan 500 KB", large.saturating_sub(small)).floor(what, small).goal(30.0),
        Figure::time("runs: plan a matrix of 256 legs", matrix.saturating_sub(small)).floor(what, small).goal(5.0),
    ])
}

fn null_file() -> String {
    let job = |number: usize| {
        let needs = number.checked_sub(1).map(|it| format!("    needs: j{}\n", it / 2)).unwrap_or_default();
        format!("  j{number}:\n    runs-on: ubuntu-latest\n{needs}    if: github.event_name == 'push' || always() && failure()\n    steps:\n      - run: make\n")
    };
    format!("on: workflow_dispatch\njobs:\n{}", (0..NULL_JOBS).map(job).collect::<String>())
}

/// Jobs like those that people write, until the file is full.
fn large_file() -> String {
    let mut file = String::from("name: large\non: [push, pull_request]\nenv:\n  REGISTRY: ghcr.io\njobs:\n");
    let mut job = 0;
    loop {
        let mut text = format!("  job-{job}:\n    runs-on: ${{{{ matrix.os }}}}\n    timeout-minutes: 30\n");
        if job > 0 {
            text += &format!("    needs: [job-{}]\n", job / 2);
        }
        text += "    if: github.ref == 'refs/heads/main' && !cancelled()\n    strategy:\n      matrix:\n        os: [ubuntu-latest, ubuntu-24.04]\n";
        text += "    env:\n      TOKEN: ${{ secrets.TOKEN }}\n      NAME: ${{ github.repository }}-${{ matrix.os }}\n    steps:\n      - uses: actions/checkout@v4\n";
        for step in 0..6 {
            text += &format!(
                "      - name: Step {step} of ${{{{ github.job }}}}\n        id: step-{step}\n        if: ${{{{ success() && env.NAME != '' }}}}\n        run: |\n          echo \"building {step}\"\n          make target-{step} VERSION=${{{{ github.sha }}}} OUT=\"$RUNNER_TEMP/out\"\n          echo \"value=$(cat out/{step})\" >> \"$GITHUB_OUTPUT\"\n        env:\n          STEP: ${{{{ toJSON(matrix) }}}}\n"
            );
        }
        if file.len() + text.len() > LARGE_BYTES {
            return file;
        }
        file += &text;
        job += 1;
    }
}

fn matrix_file() -> String {
    let numbers: Vec<_> = (0..16).map(|number| number.to_string()).collect();
    let vector = numbers.join(", ");
    format!("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        a: [{vector}]\n        b: [{vector}]\n    steps:\n      - run: make\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_file_is_as_large_as_may_be() {
        let size = large_file().len();
        assert!(size <= LARGE_BYTES && size > LARGE_BYTES - 4096, "{size}");
    }
}
