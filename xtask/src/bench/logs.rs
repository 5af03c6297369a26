//! How fast output becomes a log, masked and whole, and how soon a line is seen by one who follows.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail, ensure};

use super::{
    Ground,
    figure::{Figure, Samples},
    installation::Installation,
    pipelines::Pipelines,
};

const MASKS: usize = 200;
const LINES: usize = 1_000_000;

/// Lines whose way to a follower is measured.
const FOLLOWED: usize = 60;

/// Ticks of `/proc/PID/stat` in a second.
const TICKS: f64 = 100.0;

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let (installation, _) = Installation::start(&ground.program)?;
    let pipelines = Pipelines::push(&installation, "logs", &[("flood.yml", flood_file()), ("slow.yml", slow_file())])?;
    for number in 0..MASKS {
        set_secret(ground, &installation, number)?;
    }
    // The first job starts the spawner, which takes part.
    pipelines.run("flood.yml")?;
    let processes = [installation.status.pid, spawner(&installation)?];
    let seconds = || processes.into_iter().map(processor_seconds).sum::<anyhow::Result<f64>>();
    let before = seconds()?;
    let run = pipelines.finished(&pipelines.dispatch("flood.yml")?)?;
    let spent = seconds()? - before;
    let took = run.jobs[0].steps_took()?;
    let told = installation.run(&["logs", &run.id])?;
    // The step also tells its script.
    let kept = told.lines().filter(|line| line.contains(" of a flood of lines") && !line.contains("%09d")).count();
    ensure!(kept == LINES, "{kept} of {LINES} lines are in the log");
    ensure!(!told.contains("secret-number-7-"), "a secret stands in the log");
    let lines = f64::from(u32::try_from(LINES)?);
    let follow = follow(ground, &installation, &pipelines)?;
    Ok(vec![
        Figure::new("logs: lines of 100 bytes with 200 masks, a second of one core (goal at least 500000)", lines / spent, "/s"),
        Figure::new("logs: the same by the clock, with what prints them", lines / took.as_secs_f64(), "/s"),
        Figure::new("logs: lines lost", 0.0, "").goal(0.0),
        Figure::time("logs: from a step to one who follows, p50", follow.p50()).goal(30.0),
        Figure::time("logs: from a step to one who follows, p95", follow.p95()),
    ])
}

fn set_secret(ground: &Ground, installation: &Installation<'_>, number: usize) -> anyhow::Result<()> {
    let mut command = Command::new(&ground.program);
    command.arg("--data").arg(installation.folder().join("data")).args(["secret", "set", "logs"]);
    let mut child = command.arg(format!("SECRET_{number}")).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let value = format!("secret-number-{number}-of-many-{:x}", number * 7919);
    child.stdin.take().context("no input")?.write_all(value.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "a secret could not be set: {status}");
    Ok(())
}

/// The process that takes the output of steps.
fn spawner(installation: &Installation<'_>) -> anyhow::Result<u32> {
    let state = installation.folder().canonicalize()?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let arguments = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        let mut arguments = arguments.split('\0');
        let is_it = arguments.next() == Some("landfall-spawner") && arguments.next().is_some_and(|it| Path::new(it).starts_with(&state));
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).filter(|_| is_it) {
            return Ok(pid);
        }
    }
    bail!("no spawner runs")
}

/// What a process has used, all its threads together.
fn processor_seconds(pid: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(") ").context("an odd stat")?.1;
    let ticks: Vec<f64> = rest.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// Each line says when it was printed, to the nanosecond, by the same clock.
fn follow(ground: &Ground, installation: &Installation<'_>, pipelines: &Pipelines<'_>) -> anyhow::Result<Samples> {
    let id = pipelines.dispatch("slow.yml")?;
    let mut command = Command::new(&ground.program);
    command.arg("--data").arg(installation.folder().join("data")).args(["logs", &id, "--follow"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = BufReader::new(child.stdout.take().context("no output")?);
    let mut times = Vec::new();
    for line in output.lines() {
        let line = line?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let Some((_, printed)) = line.split_once("printed at ") else { continue };
        let Ok(printed) = printed.trim().parse::<u64>() else { continue };
        times.push(now.saturating_sub(Duration::from_nanos(printed)));
    }
    child.wait()?;
    // What was printed before the follower came is no measure.
    ensure!(times.len() == FOLLOWED, "{} of {FOLLOWED} lines came", times.len());
    Ok(Samples::new(times.split_off(FOLLOWED / 4)))
}

fn flood_file() -> String {
    // 100 bytes with the line break.
    let line = "%09d of a flood of lines, each as long as a compiler or a test is wont to print, or a bit more..\\n";
    format!("on: workflow_dispatch\njobs:\n  flood:\n    runs-on: ubuntu-latest\n    steps:\n      - run: seq 1 {LINES} | awk '{{ printf \"{line}\", $1 }}'\n")
}

fn slow_file() -> String {
    format!("on: workflow_dispatch\njobs:\n  slow:\n    runs-on: ubuntu-latest\n    steps:\n      - run: for n in $(seq {FOLLOWED}); do echo \"printed at $(date +%s%N)\"; sleep 0.05; done\n")
}
