//! How long a job waits for a large cache, beside what unpacking the same files takes.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{
    Ground,
    figure::{Figure, Samples},
    installation::Installation,
    pipelines::{Pipelines, between},
};
use crate::program;

const ROUNDS: usize = 5;

/// 20,000 files of 10,750 bytes in 100 folders: 215 MB that no compressor makes small.
const FILL: &str = "mkdir -p DEPS; cd DEPS; head -c 215000000 /dev/urandom | split --suffix-length=5 --numeric-suffixes --bytes=10750 - f; for n in $(seq -w 0 99); do mkdir d$n; mv f???$n d$n; done";

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let (installation, _) = Installation::start(&ground.program)?;
    let pipelines = Pipelines::push(&installation, "caches", &[("save.yml", save_file()), ("restore.yml", restore_file())])?;
    let step = |file: &str, at: usize| -> anyhow::Result<Duration> {
        let run = pipelines.run(file)?;
        let step = run.jobs.first().and_then(|job| job.steps.get(at)).context("a step is missing")?;
        between(step.started, step.finished)
    };
    let saved = step("save.yml", 1)?;
    let restored = Samples::take(ROUNDS, |_| step("restore.yml", 0))?;
    let (packed, unpacked) = archive(installation.folder())?;
    Ok(vec![
        Figure::time("caches: restore 20,000 files, 215 MB", restored.p50()).floor("tar and zstd unpack them", unpacked).goal(50.0),
        Figure::time("caches: save them", saved).floor("tar and zstd pack them", packed),
    ])
}

fn fill(folder: &str) -> String {
    FILL.replace("DEPS", folder)
}

/// The same files with `tar` and `zstd`, to pack and to unpack.
fn archive(folder: &Path) -> anyhow::Result<(Duration, Duration)> {
    let folder = folder.join("archive");
    fs::create_dir_all(folder.join("out"))?;
    let shell = |script: &str| -> anyhow::Result<Duration> {
        let began = Instant::now();
        program::output(Command::new("bash").args(["-ec", script]).current_dir(&folder))?;
        Ok(began.elapsed())
    };
    shell(&fill("deps"))?;
    let files = program::output(Command::new("find").args(["deps", "-type", "f"]).current_dir(&folder))?.lines().count();
    ensure!(files == 20_000, "{files} files were made, not 20,000");
    let packed = shell("tar --use-compress-program 'zstd -T0' -cf deps.tzst deps")?;
    let unpacked = shell("tar --use-compress-program zstd -xf deps.tzst -C out")?;
    Ok((packed, unpacked))
}

fn save_file() -> String {
    let step = "      - uses: actions/cache/save@v4\n        with: {path: deps, key: bench}\n";
    format!("on: workflow_dispatch\njobs:\n  save:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {}\n{step}", fill("deps"))
}

fn restore_file() -> String {
    let step = "      - uses: actions/cache/restore@v4\n        with: {path: deps, key: bench, fail-on-cache-miss: true}\n";
    format!("on: workflow_dispatch\njobs:\n  restore:\n    runs-on: ubuntu-latest\n    steps:\n{step}      - run: test \"$(find deps -type f | wc -l)\" = 20000\n")
}
