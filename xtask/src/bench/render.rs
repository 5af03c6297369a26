//! One chart and one kustomization from a cold process, beside the tools that they come from.

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
use crate::{program, workspace::Workspace};

const TIMES: usize = 15;

/// Deployments of the chart and of the kustomization; a typical one has a few files of each kind.
const COPIES: usize = 12;

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-NUMBER
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: shop/web:1
        env: [{name: A, value: \"1\"}, {name: B, value: \"2\"}]
        ports: [{containerPort: 8080}]
";

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let tools = Workspace::load()?.target.join("tools/bin");
    let folder = tempfile::tempdir()?;
    let (helm, kubectl) = (tools.join("helm4"), tools.join("kubectl-1.37"));
    for tool in [&helm, &kubectl] {
        ensure!(tool.exists(), "`{}` is missing; `cargo xtask test --only tools` fetches it", tool.display());
    }
    let chart = chart(folder.path(), &helm)?;
    let kustomization = kustomization(folder.path())?;
    let ours = |path: &Path| {
        let mut command = Command::new(&ground.program);
        command.arg("render").arg(path);
        command
    };
    let theirs = |tool: &Path, words: &[&str], path: &Path| {
        let mut command = Command::new(tool);
        command.args(words).arg(path);
        command
    };
    let helm = cold(|| theirs(&helm, &["template", "release-name"], &chart))?;
    let kubectl = cold(|| theirs(&kubectl, &["kustomize"], &kustomization))?;
    let (our_chart, our_kustomization) = (cold(|| ours(&chart))?, cold(|| ours(&kustomization))?);
    let ratio = |theirs: Duration, ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
    Ok(vec![
        Figure::time("render: a chart from a cold process", our_chart).floor("helm 4.3.1", helm).goal(8.0),
        Figure::new("  helm takes so many times as long", ratio(helm, our_chart), ""),
        Figure::time("render: a kustomization from a cold process", our_kustomization).floor("kubectl kustomize 1.37.1", kubectl),
        Figure::new("  kubectl takes so many times as long", ratio(kubectl, our_kustomization), ""),
        Figure::new("render: peak memory of a chart", peak(ours(&chart))?, "MB").goal(80.0),
    ])
}

/// The chart that `helm create` makes, with more templates of the usual kind.
fn chart(folder: &Path, helm: &Path) -> anyhow::Result<PathBuf> {
    program::output(Command::new(helm).args(["create", "shop"]).current_dir(folder))?;
    let chart = folder.join("shop");
    let deployment = fs::read_to_string(chart.join("templates/deployment.yaml"))?;
    for number in 0..COPIES {
        let name = format!("{{{{ include \"shop.fullname\" . }}}}-{number}");
        let copy = deployment.replacen("{{ include \"shop.fullname\" . }}", &name, 1);
        fs::write(chart.join(format!("templates/deployment-{number}.yaml")), copy)?;
    }
    Ok(chart)
}

fn kustomization(folder: &Path) -> anyhow::Result<PathBuf> {
    let (base, overlay) = (folder.join("base"), folder.join("overlay"));
    fs::create_dir_all(&base)?;
    fs::create_dir_all(&overlay)?;
    let names: Vec<_> = (0..COPIES).map(|number| format!("web-{number}.yaml")).collect();
    for (number, name) in names.iter().enumerate() {
        fs::write(base.join(name), DEPLOYMENT.replace("NUMBER", &number.to_string()))?;
    }
    fs::write(base.join("kustomization.yaml"), format!("resources: [{}]\n", names.join(", ")))?;
    let text = "namespace: shop\nnamePrefix: prod-\nresources: [../base]\nimages: [{name: shop/web, newTag: '2'}]\n\
                commonLabels: {team: a}\nconfigMapGenerator: [{name: settings, literals: [a=1]}]\n\
                patches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: replace\n      path: /spec/replicas\n      value: 3\n";
    fs::write(overlay.join("kustomization.yaml"), text)?;
    // The root of what may be read is the repository.
    fs::create_dir_all(folder.join(".git"))?;
    Ok(overlay)
}

/// The middle of several starts.
fn cold(command: impl Fn() -> Command) -> anyhow::Result<Duration> {
    let samples = Samples::take(TIMES, |_| {
        let began = Instant::now();
        let status = command().stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "a render ended with {status}");
        Ok(began.elapsed())
    });
    Ok(samples?.p50())
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
