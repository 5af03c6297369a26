//! From `kubectl apply` to a running pod, seen by a watch.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{
    Ground,
    figure::{Figure, Samples},
    installation::Installation,
};
use crate::program;

const PODS: usize = 20;
const IMAGE: &str = "bench/tools:1";

/// A pod that does not run after this time never will.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the watch told of a pod, and when.
struct Seen {
    at: Instant,
    name: String,
    phase: String,
}

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let (installation, _) = Installation::start(&ground.program)?;
    import(&installation)?;
    let (mut watch, seen) = watch(&installation)?;
    let floor = Samples::take(PODS, |number| apply(&installation, &config_map(number)));
    let mut from_apply = Vec::new();
    let mut from_creation = Vec::new();
    for number in 0..PODS {
        let name = format!("bench-{number}");
        let began = Instant::now();
        apply(&installation, &pod(&name))?;
        let (created, running) = wait(&seen, &name)?;
        from_apply.push(running.duration_since(began));
        from_creation.push(running.duration_since(created));
    }
    watch.kill().and_then(|()| watch.wait()).context("kubectl cannot be stopped")?;
    let (floor, from_apply, from_creation) = (floor?, Samples::new(from_apply), Samples::new(from_creation));
    let what = "kubectl apply of a ConfigMap";
    Ok(vec![
        Figure::time("pods: kubectl apply starts to pod Running, p50", from_apply.p50()).floor(what, floor.p50()),
        Figure::time("pods: kubectl apply starts to pod Running, p95", from_apply.p95()).floor(what, floor.p95()),
        Figure::time("pods: pod accepted to Running, p50", from_creation.p50()).goal(40.0),
        Figure::time("pods: pod accepted to Running, p95", from_creation.p95()),
    ])
}

/// Makes an image of the machine's static shell.
fn import(installation: &Installation<'_>) -> anyhow::Result<()> {
    let busybox = Path::new("/bin/busybox");
    let busybox = if busybox.is_file() { busybox.to_owned() } else { program::find("busybox").context("no busybox here; install busybox-static")? };
    let folder = installation.folder().join("rootfs");
    std::fs::create_dir_all(folder.join("bin"))?;
    std::fs::copy(busybox, folder.join("bin/busybox"))?;
    let folder = folder.to_str().context("a temporary folder with an odd name")?;
    installation.run(&["image", "import", folder, IMAGE]).map(drop)
}

fn watch(installation: &Installation<'_>) -> anyhow::Result<(Child, Receiver<Seen>)> {
    let mut kubectl = installation.kubectl();
    kubectl.args(["get", "pods", "--watch", "--output-watch-events", "--output=jsonpath={.object.metadata.name} {.object.status.phase}{\"\\n\"}"]);
    let mut child = kubectl.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start kubectl")?;
    let lines = BufReader::new(child.stdout.take().context("kubectl has no output")?);
    let (tell, seen) = channel();
    thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            let (name, phase) = line.split_once(' ').unwrap_or((&line, ""));
            let told = tell.send(Seen { at: Instant::now(), name: name.to_owned(), phase: phase.to_owned() });
            if told.is_err() {
                return;
            }
        }
    });
    Ok((child, seen))
}

/// When the watch first told of the pod, and when it told that it runs.
fn wait(seen: &Receiver<Seen>, name: &str) -> anyhow::Result<(Instant, Instant)> {
    let deadline = Instant::now() + PATIENCE;
    let mut created = None;
    loop {
        let Ok(next) = seen.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
            bail!("pod `{name}` does not run after {PATIENCE:?}");
        };
        if next.name != name {
            continue;
        }
        let created = *created.get_or_insert(next.at);
        if next.phase == "Running" {
            return Ok((created, next.at));
        }
    }
}

fn apply(installation: &Installation<'_>, object: &Value) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut kubectl: Command = installation.kubectl();
    let mut child = kubectl.args(["apply", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("cannot start kubectl")?;
    child.stdin.take().context("kubectl has no input")?.write_all(object.to_string().as_bytes())?;
    let status = child.wait()?;
    if !status.success() {
        bail!("`kubectl apply` ended with {status}");
    }
    Ok(began.elapsed())
}

fn config_map(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("bench-{number}"), "namespace": "default"}})
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": IMAGE, "command": ["/bin/busybox", "sleep", "3600"]}],
        },
    })
}
