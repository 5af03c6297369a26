//! From a commit to its first answer, with warm caches, and where the time goes.

use std::time::Duration;

use anyhow::Context as _;
use names::Timestamp;
use serde_json::Value;

use super::{
    Ground,
    figure::{Figure, Samples},
    installation::Installation,
    project::Project,
};

const PUSHES: usize = 5;

/// The times of one push.
struct Parts {
    first_line: Duration,
    test: Duration,
    deploy: Duration,
    judged: Duration,
    served: Duration,
}

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let (installation, _) = Installation::start(&ground.program)?;
    let project = Project::create(&ground.root, &installation)?;
    let first = project.serve(&installation, 1)?;
    installation.run(&["watch", &first.commit, "--timeout", "120s"])?;
    let mut parts = Vec::new();
    for version in 2..2 + PUSHES {
        let served = project.serve(&installation, version)?;
        // Its thread is whole only when the release is judged.
        installation.run(&["watch", &served.commit, "--timeout", "120s"])?;
        parts.push(read(&installation, &served.commit, served.took)?);
    }
    let floor = Samples::take(PUSHES, |_| project.floor())?.p50();
    let p50 = |part: fn(&Parts) -> Duration| Samples::new(parts.iter().map(part).collect()).p50();
    Ok(vec![
        Figure::time("serving: commit to first answer, cold", first.took),
        Figure::time("serving: commit to first answer, p50", p50(|it| it.served)).floor("tests and compiler by hand", floor).goal(3000.0),
        Figure::time("  of it: push received to first log line", p50(|it| it.first_line)).goal(120.0),
        Figure::time("  of it: job test", p50(|it| it.test)),
        Figure::time("  of it: job deploy", p50(|it| it.deploy)),
        Figure::time("  of it: release made to judged healthy", p50(|it| it.judged)),
    ])
}

fn read(installation: &Installation<'_>, commit: &str, served: Duration) -> anyhow::Result<Parts> {
    let told: Value = installation.json(&["trace", commit])?;
    let thread = &told["thread"];
    let run = thread["runs"].as_array().and_then(|runs| runs.last()).context("the commit has no run")?;
    let pushed = time(&thread["pushes"][0]["at"])?;
    let job = |name: &str| {
        let job = run["jobs"].as_array().into_iter().flatten().find(|job| job["name"] == name).with_context(|| format!("no job `{name}`"))?;
        span(&job["started"], &job["finished"])
    };
    let release = thread["releases"].as_array().and_then(|all| all.last()).context("the commit has no release")?;
    let id = run["id"].as_str().context("the run has no id")?;
    let first_line = first_line(installation, id)?.since(pushed);
    Ok(Parts { first_line, test: job("test")?, deploy: job("deploy")?, judged: span(&release["created"], &release["finished"])?, served })
}

/// When a run printed its first line.
fn first_line(installation: &Installation<'_>, run: &str) -> anyhow::Result<Timestamp> {
    let text = installation.run(&["logs", run, "--output", "json"])?;
    let times = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter_map(|line| time(&line["at"]).ok());
    times.min().with_context(|| format!("run {run} printed nothing"))
}

fn span(from: &Value, to: &Value) -> anyhow::Result<Duration> {
    Ok(time(to)?.since(time(from)?))
}

fn time(value: &Value) -> anyhow::Result<Timestamp> {
    let text = value.as_str().with_context(|| format!("`{value}` is no time"))?;
    text.parse().map_err(|_| anyhow::anyhow!("`{text}` is no time"))
}
