//! Apps that follow Git: how soon a push is applied, how soon drift is healed, and what many apps cost.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::{
    Ground,
    figure::{Figure, Samples},
    installation::Installation,
    memory,
    real_cluster::RealCluster,
};
use crate::program;

/// The slowest of a hundred is what the goals speak of; fifty show it well enough.
const PUSHES: usize = 50;

const DRIFTS: usize = 50;

/// Many apps, and the objects of each.
const APPS: usize = 300;
const OBJECTS: usize = 4;

/// What is not there by then does not come.
const PATIENCE: Duration = Duration::from_secs(300);

const GLANCE: Duration = Duration::from_millis(2);

/// How long nothing is done while the cost of rest is measured.
const REST: Duration = Duration::from_secs(10);

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    {
        let (installation, _) = Installation::start(&ground.program)?;
        let bench = Bench::open(&installation)?;
        figures.extend(bench.one()?);
    }
    let (installation, _) = Installation::start(&ground.program)?;
    figures.extend(Bench::open(&installation)?.many()?);
    Ok(figures)
}

/// The first deployment of many apps, and their cost at rest, on a real API server.
pub fn measure_real(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let cluster = RealCluster::start()?;
    let installation = Installation::join(&ground.program, &cluster.kubeconfig)?;
    let (memory, requests) = (cluster.memory()?, cluster.requests()?);
    let mut figures = Bench::open(&installation)?.many()?;
    figures.push(Figure::new("  memory that the control plane takes meanwhile", cluster.memory()? - memory, "MB"));
    figures.push(Figure::new("  requests that the API server answered from the start to the end of rest", cluster.requests()? - requests, ""));
    for figure in &mut figures {
        figure.name = figure.name.replacen("apps:", "apps on a real API server:", 1);
    }
    Ok(figures)
}

struct Bench<'a> {
    installation: &'a Installation<'a>,
    server: SocketAddr,
    token: String,
    work: PathBuf,
    remote: String,
}

impl<'a> Bench<'a> {
    fn open(installation: &'a Installation<'a>) -> anyhow::Result<Self> {
        let url = &installation.status.git_url;
        let (user, rest) = url.split_once("://").and_then(|(_, it)| it.split_once('@')).context("an odd address of Git")?;
        let token = user.split_once(':').context("no token in the address of Git")?.1.to_owned();
        let server = rest.split('/').next().unwrap_or_default().parse().context("an odd address of Git")?;
        let work = installation.folder().join("work");
        fs::create_dir_all(&work)?;
        let bench = Self { installation, server, token, work, remote: format!("{url}/many.git") };
        bench.git(&["init", "--quiet", "--initial-branch=main"])?;
        Ok(bench)
    }

    /// One app: a push, and drift.
    fn one(&self) -> anyhow::Result<Vec<Figure>> {
        self.write("one/0.yaml", &settings("one", 0, "0"))?;
        let floor = self.floor()?;
        self.push("0")?;
        self.follow("one", "{prune: true, selfHeal: true}")?;
        self.until("the first push is applied", || Ok(self.value("one", 0)? == "0"))?;
        let applied = Samples::take(PUSHES, |number| {
            let text = (number + 1).to_string();
            self.write("one/0.yaml", &settings("one", 0, &text))?;
            self.commit(&text)?;
            let began = Instant::now();
            // The push ends when its hooks have told everything; the app does not wait for that.
            thread::scope(|scope| {
                let push = scope.spawn(|| self.git(&["push", "--quiet", &self.remote, "main"]));
                let seen = self.until("the push is applied", || Ok(self.value("one", 0)? == text)).map(|()| began.elapsed());
                push.join().expect("git does not panic")?;
                seen
            })
        })?;
        let healed = Samples::take(DRIFTS, |number| {
            // Who changes the same thing back at once fights, and is kept waiting; that is not what is measured.
            thread::sleep(Duration::from_millis(100));
            let name = format!("heal-{number}");
            self.write(&format!("one/{name}.yaml"), &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{VALUE: right}}\n"))?;
            self.push(&name)?;
            let path = format!("/api/v1/namespaces/one/configmaps/{name}");
            self.until("it is there", || Ok(self.read(&path)?["data"]["VALUE"] == "right"))?;
            self.until("it is healthy", || Ok(self.read("/landfall/v1/apps/one")?["status"]["sync"] == "synced"))?;
            let began = Instant::now();
            self.patch(&path, &json!({"data": {"VALUE": "wrong"}}))?;
            self.until("it is healed", || Ok(self.read(&path)?["data"]["VALUE"] == "right"))?;
            Ok(began.elapsed())
        })?;
        self.follow("one", "{prune: true}")?;
        let seen = Samples::take(DRIFTS, |number| {
            let path = "/api/v1/namespaces/one/configmaps/one-0";
            let is = |word: &str| Ok(self.read("/landfall/v1/apps/one")?["status"]["sync"] == word);
            self.until("it is in sync", || is("synced"))?;
            let right = self.value("one", 0)?;
            let began = Instant::now();
            self.patch(path, &json!({"data": {"VALUE": format!("wrong {number}")}}))?;
            self.until("the drift is seen", || is("out_of_sync"))?;
            let took = began.elapsed();
            self.patch(path, &json!({"data": {"VALUE": right}}))?;
            Ok(took)
        })?;
        Ok(vec![
            Figure::time("apps: push to applied, p50", applied.p50()).floor("git push to a folder", floor),
            Figure::time("apps: push to applied, p99", applied.p99()).floor("git push to a folder", floor).goal(500.0),
            Figure::time("apps: drift to seen, p99", seen.p99()).goal(300.0),
            Figure::time("apps: drift to repaired, p99", healed.p99()).goal(1500.0),
        ])
    }

    /// Many apps of one repository.
    fn many(&self) -> anyhow::Result<Vec<Figure>> {
        let pid = self.installation.status.pid;
        thread::sleep(REST / 2);
        let (memory_before, idle_before) = (memory::of(pid)?, self.rest()?);
        let mut apps = String::new();
        for app in 0..APPS {
            let name = format!("app-{app}");
            for object in 0..OBJECTS {
                self.write(&format!("{name}/{object}.yaml"), &settings(&name, object, "x"))?;
            }
            write!(apps, "{}---\n", application(&name, "{prune: true, selfHeal: true}"))?;
        }
        self.push("many")?;
        let file = self.installation.folder().join("apps.yaml");
        fs::write(&file, apps)?;
        let (began, cpu) = (Instant::now(), cpu(pid)?);
        self.installation.run(&["app", "apply", "-f", file.to_str().context("an odd folder")?])?;
        let is_done = || {
            let told = self.read("/landfall/v1/apps")?;
            let apps = told["items"].as_array().cloned().unwrap_or_default();
            Ok(apps.len() == APPS && apps.iter().all(|it| it["status"]["sync"] == "synced" && it["status"]["history"][0]["state"] == "healthy"))
        };
        self.until_every(Duration::from_millis(100), "all apps are deployed", is_done)?;
        let (took, worked) = (began.elapsed(), self::cpu(pid)? - cpu);
        // The last looks come a while after the last deployment.
        thread::sleep(REST * 2);
        let (memory_after, idle) = (memory::of(pid)?, self.rest()?);
        Ok(vec![
            Figure::time(format!("apps: first deploy of {APPS} with {OBJECTS} objects each"), took),
            Figure::new("  processor time of the server", worked, "s"),
            Figure::new("  memory that it takes", memory_after - memory_before, "MB"),
            Figure::new(format!("apps: writes of {APPS} idle apps in {} s", REST.as_secs()), (idle.writes - idle_before.writes).max(0.0), "").goal(0.0),
            Figure::new("  processor time meanwhile, of one core", idle.share * 100.0, "%"),
            Figure::new("  the same without apps", idle_before.share * 100.0, "%"),
        ])
    }

    /// What happens while nothing is asked for.
    fn rest(&self) -> anyhow::Result<Rest> {
        let pid = self.installation.status.pid;
        let (writes, cpu) = (self.revision()?, cpu(pid)?);
        thread::sleep(REST);
        Ok(Rest { writes: self.revision()? - writes, share: (self::cpu(pid)? - cpu) / REST.as_secs_f64() })
    }

    /// The cluster counts its writes.
    fn revision(&self) -> anyhow::Result<f64> {
        let list = program::output(self.installation.kubectl().args(["get", "--raw", "/api/v1/namespaces"]))?;
        let list: Value = serde_json::from_str(&list).context("an odd list")?;
        let text = list["metadata"]["resourceVersion"].as_str().context("a list without a revision")?;
        text.parse().context("an odd revision")
    }

    fn follow(&self, name: &str, automated: &str) -> anyhow::Result<()> {
        let file = self.installation.folder().join(format!("{name}.yaml"));
        fs::write(&file, application(name, automated))?;
        self.installation.run(&["app", "apply", "-f", file.to_str().context("an odd folder")?]).map(drop)
    }

    fn value(&self, app: &str, object: usize) -> anyhow::Result<String> {
        let found = self.read(&format!("/api/v1/namespaces/{app}/configmaps/{app}-{object}"))?;
        Ok(found["data"]["VALUE"].as_str().unwrap_or_default().to_owned())
    }

    fn until(&self, what: &str, look: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        self.until_every(GLANCE, what, look)
    }

    fn until_every(&self, pause: Duration, what: &str, mut look: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let began = Instant::now();
        while !look()? {
            if began.elapsed() > PATIENCE {
                bail!("not within {PATIENCE:?}: {what}\n{}", self.installation.run(&["app", "list"])?);
            }
            thread::sleep(pause);
        }
        Ok(())
    }

    fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let path = self.work.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        fs::write(path, text).map_err(Into::into)
    }

    fn commit(&self, message: &str) -> anyhow::Result<()> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]).map(drop)
    }

    fn push(&self, message: &str) -> anyhow::Result<()> {
        self.commit(message)?;
        self.git(&["push", "--quiet", &self.remote, "main"]).map(drop)
    }

    /// The same push to a bare repository beside it.
    fn floor(&self) -> anyhow::Result<Duration> {
        let bare = self.installation.folder().join("floor.git");
        let bare = bare.to_str().context("an odd folder")?;
        self.git(&["init", "--quiet", "--bare", bare])?;
        self.commit("floor")?;
        let began = Instant::now();
        self.git(&["push", "--quiet", bare, "main"])?;
        Ok(began.elapsed())
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        program::git(&self.work, arguments)
    }

    fn read(&self, path: &str) -> anyhow::Result<Value> {
        self.ask("GET", path, None)
    }

    fn patch(&self, path: &str, patch: &Value) -> anyhow::Result<()> {
        let answer = self.ask("PATCH", path, Some(patch))?;
        ensure!(answer["kind"] != "Status", "a patch is refused: {answer}");
        Ok(())
    }

    /// One request on a connection of its own; what is not there is an answer, too.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(self.server)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/merge-patch+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.server,
            self.token,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let body = if head.to_lowercase().contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        serde_json::from_str(&body).with_context(|| format!("{method} {path}: {head}"))
    }
}

struct Rest {
    writes: f64,
    share: f64,
}

/// A body that came in pieces, each with its length before it.
fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body, String::new());
    while let Some((length, after)) = rest.split_once("\r\n") {
        let Some(piece) = usize::from_str_radix(length.trim(), 16).ok().filter(|it| *it > 0).and_then(|it| after.get(..it)) else { break };
        whole.push_str(piece);
        rest = after.get(piece.len() + 2..).unwrap_or_default();
    }
    whole
}

fn settings(app: &str, object: usize, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {app}-{object}}}\ndata: {{VALUE: '{value}'}}\n")
}

fn application(name: &str, automated: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n  project: default\n  \
         source: {{repoURL: many, targetRevision: main, path: {name}}}\n  destination: {{name: in-cluster, namespace: {name}}}\n  \
         syncPolicy: {{automated: {automated}, syncOptions: [CreateNamespace=true]}}\n"
    )
}

/// Seconds of processor time that a process has used.
fn cpu(pid: u32) -> anyhow::Result<f64> {
    /// Linux counts in hundredths of a second for all programs.
    const TICKS: f64 = 100.0;
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("cannot see process {pid}"))?;
    let fields: Vec<&str> = text.rsplit_once(')').context("an odd stat")?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|it| it.parse::<f64>().ok()).context("an odd stat");
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_body_are_put_together() {
        assert_eq!(unchunked("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"), "hello, world");
        assert_eq!(unchunked(""), "");
    }
}
