//! Charts and kustomizations from a cold process, many in one process, and large ones, beside
//! the tools that they come from.

mod inprocess;
mod inputs;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{
    Ground,
    figure::{Figure, Samples},
};
use crate::workspace::Workspace;

const TIMES: usize = 15;

/// So many charts and overlays are rendered by one command.
const CHARTS: usize = 100;
const OVERLAYS: usize = 1000;

/// kubectl would take minutes for all overlays: it renders these, and the rest is reckoned.
const OVERLAYS_SAMPLED: usize = 25;

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let workspace = Workspace::load()?;
    let tools = workspace.target.join("tools/bin");
    let folder = tempfile::tempdir()?;
    let (helm, kubectl) = (tools.join("helm4"), tools.join("kubectl-1.37"));
    for tool in [&helm, &kubectl] {
        ensure!(tool.exists(), "`{}` is missing; `cargo xtask test --only tools` fetches it", tool.display());
    }
    let place = |name: &str| -> anyhow::Result<PathBuf> {
        let place = folder.path().join(name);
        fs::create_dir(&place)?;
        Ok(place)
    };
    let chart = inputs::chart(&place("one")?, &helm)?;
    let charts = inputs::charts(&place("many")?, &chart, CHARTS)?;
    let umbrella = inputs::umbrella(&place("large")?, &chart)?;
    let overlays = inputs::overlays(&place("kustomize")?, OVERLAYS)?;
    let tools = Tools { ours: &ground.program, helm: &helm, kubectl: &kubectl };

    let mut figures = tools.cold(&chart, &overlays[0])?;
    figures.extend(tools.many_charts(&charts)?);
    figures.extend(tools.large(&umbrella)?);
    figures.extend(tools.many_overlays(&overlays)?);
    figures.extend(in_one_process(&workspace, &chart)?);
    Ok(figures)
}

struct Tools<'a> {
    ours: &'a Path,
    helm: &'a Path,
    kubectl: &'a Path,
}

impl Tools<'_> {
    fn render(&self, paths: &[PathBuf]) -> Command {
        let mut command = Command::new(self.ours);
        command.arg("render").args(paths);
        command
    }

    fn template(&self, chart: &Path) -> Command {
        let mut command = Command::new(self.helm);
        command.args(["template", "release-name"]).arg(chart);
        command
    }

    fn kustomize(&self, overlay: &Path) -> Command {
        let mut command = Command::new(self.kubectl);
        command.arg("kustomize").arg(overlay);
        command
    }

    fn cold(&self, chart: &Path, overlay: &Path) -> anyhow::Result<Vec<Figure>> {
        let (chart, overlay) = (chart.to_owned(), overlay.to_owned());
        let helm = middle(TIMES, || self.template(&chart))?;
        let kubectl = middle(TIMES, || self.kustomize(&overlay))?;
        let our_chart = middle(TIMES, || self.render(std::slice::from_ref(&chart)))?;
        let our_overlay = middle(TIMES, || self.render(std::slice::from_ref(&overlay)))?;
        Ok(vec![
            Figure::time("render: a chart from a cold process", our_chart).floor("helm 4.3.1", helm).goal(8.0),
            ratio("helm", helm, our_chart, "hoped: 12"),
            Figure::time("render: a kustomization from a cold process", our_overlay).floor("kubectl kustomize 1.37.1", kubectl),
            ratio("kubectl", kubectl, our_overlay, "hoped: 40"),
        ])
    }

    fn many_charts(&self, charts: &[PathBuf]) -> anyhow::Result<Vec<Figure>> {
        let ours = middle(3, || self.render(charts))?;
        let began = Instant::now();
        charts.iter().try_for_each(|chart| once(self.template(chart)).map(drop))?;
        let helm = began.elapsed();
        Ok(vec![
            Figure::time("render: 100 charts in one process", ours).floor("helm 4.3.1, 100 processes", helm),
            ratio("helm", helm, ours, "hoped: 100"),
        ])
    }

    fn large(&self, umbrella: &Path) -> anyhow::Result<Vec<Figure>> {
        let umbrella = umbrella.to_owned();
        let helm = middle(3, || self.template(&umbrella))?;
        let ours = middle(5, || self.render(std::slice::from_ref(&umbrella)))?;
        Ok(vec![
            Figure::time("render: an umbrella chart of 30 charts", ours).floor("helm 4.3.1", helm),
            ratio("helm", helm, ours, "hoped: 12"),
            Figure::new("render: peak memory of the umbrella chart", peak(self.render(&[umbrella]))?, "MB").goal(80.0),
        ])
    }

    fn many_overlays(&self, overlays: &[PathBuf]) -> anyhow::Result<Vec<Figure>> {
        let ours = middle(3, || self.render(overlays))?;
        let step = overlays.len() / OVERLAYS_SAMPLED;
        let began = Instant::now();
        let sample = overlays.iter().step_by(step).take(OVERLAYS_SAMPLED);
        sample.map(|overlay| once(self.kustomize(overlay))).collect::<Result<Vec<_>, _>>()?;
        let kubectl = began.elapsed() * u32::try_from(step)?;
        Ok(vec![
            Figure::time("render: 1,000 overlays of one base", ours).floor("kubectl kustomize, reckoned from 25 of them", kubectl),
            ratio("kubectl", kubectl, ours, "hoped: 40"),
            Figure::new("render: peak memory of 1,000 overlays", peak(self.render(overlays))?, "MB").goal(80.0),
        ])
    }
}

/// What the processor does for one render; where Go's own library cannot be built, ours stands alone.
fn in_one_process(workspace: &Workspace, chart: &Path) -> anyhow::Result<Vec<Figure>> {
    let ours = inprocess::ours(workspace, chart)?;
    let (anew, again) = ("render: one more chart in a process, read anew", "render: the same chart once more");
    match inprocess::theirs(workspace, chart) {
        Ok(go) => Ok(vec![
            Figure::time(anew, ours.anew).floor("helm's library in one process", go.anew),
            ratio("Go", go.anew, ours.anew, "hoped: 10"),
            Figure::time(again, ours.again).floor("helm's library in one process", go.again),
            ratio("Go", go.again, ours.again, "hoped: 10"),
        ]),
        Err(error) => {
            eprintln!("warning: nothing to compare one process with: {error:#}");
            Ok(vec![Figure::time(anew, ours.anew), Figure::time(again, ours.again)])
        }
    }
}

fn ratio(who: &str, theirs: Duration, ours: Duration, hoped: &str) -> Figure {
    Figure::new(format!("  {who} takes so many times as long ({hoped})"), theirs.as_secs_f64() / ours.as_secs_f64(), "")
}

/// The middle of several runs.
fn middle(times: usize, command: impl Fn() -> Command) -> anyhow::Result<Duration> {
    Ok(Samples::take(times, |_| once(command()))?.p50())
}

fn once(mut command: Command) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "a render ended with {status}");
    Ok(began.elapsed())
}

/// The most memory that a command had, in megabytes.
fn peak(mut command: Command) -> anyhow::Result<f64> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let file = format!("/proc/{}/status", child.id());
    let mut most = 0.0_f64;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kilobytes) = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()) {
            most = most.max(kilobytes / 1000.0);
        }
    }
    ensure!(most > 0.0, "it ended before it could be seen");
    Ok(most)
}
