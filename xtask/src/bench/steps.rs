//! What a step and a job cost above the processes that they run, beside `act` on the same files.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{
    Ground,
    figure::{Figure, Samples},
    installation::Installation,
    pipelines::{Pipelines, between},
};
use crate::program;

const STEPS: usize = 100;
const CHAIN: usize = 20;
const ROUNDS: usize = 5;

const STEPS_FILE: &str = "steps.yml";
const CHAIN_FILE: &str = "chain.yml";
const WIDE_FILE: &str = "wide.yml";

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let (installation, _) = Installation::start(&ground.program)?;
    let files = [(STEPS_FILE, steps_file()), (CHAIN_FILE, chain_file()), (WIDE_FILE, wide_file())];
    let pipelines = Pipelines::push(&installation, "pipeline", &files)?;
    let shell = shell(installation.folder())?;
    // The first run finds the tools of the machine.
    pipelines.run(CHAIN_FILE)?;
    let (mut overheads, mut jobs, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let run = pipelines.run(STEPS_FILE)?;
        whole.push(began.elapsed());
        let job = &run.jobs[0];
        jobs.push(job.took()?);
        overheads.push((job.steps_took()? / count(STEPS)).saturating_sub(shell));
    }
    let (mut edges, mut chains) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let run = pipelines.run(CHAIN_FILE)?;
        chains.push(began.elapsed());
        for pair in run.jobs.windows(2) {
            let ended = pair[0].steps.last().and_then(|it| it.finished);
            edges.push(between(ended, pair[1].steps.first().and_then(|it| it.started))?);
        }
    }
    let wide = Samples::take(ROUNDS, |_| {
        let began = Instant::now();
        pipelines.run(WIDE_FILE)?;
        Ok(began.elapsed())
    })?;
    let (whole, chains, edges) = (Samples::new(whole), Samples::new(chains), Samples::new(edges));
    let mut figures = vec![
        Figure::time("steps: above a shell, each", Samples::new(overheads).p50()).floor("bash starts and ends", shell).goal(2.0),
        Figure::time(format!("steps: a job of {STEPS} times `true`"), Samples::new(jobs).p50())
            .floor("as many shells", shell * count(STEPS))
            .goal(1000.0),
        Figure::time("steps: from job to job over `needs`, p50", edges.p50()).goal(15.0),
        Figure::time("steps: from job to job over `needs`, p95", edges.p95()),
    ];
    let files = [(STEPS_FILE, "100 steps", whole.p50()), (CHAIN_FILE, "20 jobs in a chain", chains.p50()), (WIDE_FILE, "30 jobs side by side", wide.p50())];
    for (file, what, ours) in files {
        let theirs = Samples::take(2, |_| act(ground, &pipelines.folder, file))?.p50();
        figures.push(Figure::time(format!("steps: {what}, from command to end"), ours).floor("act, on this machine", theirs));
    }
    Ok(figures)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a shell takes with a script of one word, as a step starts it.
fn shell(folder: &Path) -> anyhow::Result<Duration> {
    let script = folder.join("true.sh");
    fs::write(&script, "true")?;
    let samples = Samples::take(STEPS, |_| {
        let began = Instant::now();
        let status = Command::new("bash").arg("-e").arg(&script).stdin(Stdio::null()).status()?;
        ensure!(status.success(), "bash ended with {status}");
        Ok(began.elapsed())
    })?;
    Ok(samples.p50())
}

fn act(ground: &Ground, folder: &Path, file: &str) -> anyhow::Result<Duration> {
    let program = program::find("act").unwrap_or_else(|| ground.root.join("target/tools/bin/act"));
    // It wants its own settings to be there, or asks for them.
    let home = folder.join("home-of-act");
    fs::create_dir_all(&home)?;
    fs::write(home.join(".actrc"), "-P ubuntu-latest=-self-hosted\n")?;
    let mut act = Command::new(program);
    act.current_dir(folder).env("HOME", &home).env("XDG_CONFIG_HOME", &home).env("XDG_CACHE_HOME", home.join("cache"));
    act.args(["workflow_dispatch", "-W"]).arg(Path::new(".github/workflows").join(file));
    let began = Instant::now();
    program::output(act.args(["-P", "ubuntu-latest=-self-hosted"]))?;
    Ok(began.elapsed())
}

fn steps_file() -> String {
    let step = "      - run: 'true'\n";
    format!("on: workflow_dispatch\njobs:\n  steps:\n    runs-on: ubuntu-latest\n    steps:\n{}", step.repeat(STEPS))
}

fn job(name: &str, needs: Option<String>) -> String {
    let needs = needs.map(|it| format!("    needs: {it}\n")).unwrap_or_default();
    format!("  {name}:\n    runs-on: ubuntu-latest\n{needs}    steps:\n      - run: 'true'\n")
}

fn chain_file() -> String {
    let jobs = (0..CHAIN).map(|number| job(&format!("j{number}"), number.checked_sub(1).map(|it| format!("j{it}"))));
    format!("on: workflow_dispatch\njobs:\n{}", jobs.collect::<String>())
}

fn wide_file() -> String {
    let jobs = (0..30).map(|number| job(&format!("j{number}"), None));
    format!("on: workflow_dispatch\njobs:\n{}", jobs.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_the_chain_need_the_one_before() {
        assert!(chain_file().contains("  j1:\n    runs-on: ubuntu-latest\n    needs: j0\n"));
    }
}
