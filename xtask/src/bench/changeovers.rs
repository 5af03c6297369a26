//! Canaries and blue-green changes under load, and how soon a bad version loses its requests.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{
    Ground,
    figure::{Figure, Samples},
    installation::Installation,
    project::{NAME as IMAGE, Project},
    rollouts::load,
};
use crate::program;

const CANARIES: usize = 20;
const SWITCHES: usize = 50;
const FAILURES: usize = 5;

/// The app, its namespace and its Service.
const NAME: &str = "changes";

/// A changeover that takes longer does not end.
const PATIENCE: Duration = Duration::from_secs(120);

const GLANCE: Duration = Duration::from_millis(20);

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let (installation, _) = Installation::start(&ground.program)?;
    // The demo's pipeline makes the image.
    let project = Project::create(&ground.root, &installation)?;
    let served = project.serve(&installation, 1)?;
    installation.run(&["watch", &served.commit, "--timeout", "120s"])?;
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let image = program::output(installation.kubectl().args(["-n", IMAGE, "get", "deployment", IMAGE, "-o", path]))?;
    let bench = Bench::open(&installation, image)?;
    let mut figures = Vec::new();
    for (what, plan, count) in [("canaries", "canary 20, 60", CANARIES), ("blue-green switches", "blue-green keep=0s", SWITCHES)] {
        let began = Instant::now();
        let during = load(&format!("http://{}/", bench.address()?), || (0..count).try_for_each(|_| bench.change(plan)))?;
        let each = began.elapsed() / u32::try_from(count).unwrap_or(1);
        figures.push(Figure::new(format!("changeovers: failed requests during {count} {what}"), during.failed, "").goal(0.0));
        figures.push(Figure::new(format!("changeovers: requests during {what}"), during.requests, ""));
        figures.push(Figure::time(format!("changeovers: each of the {what}"), each));
    }
    let back = Samples::take(FAILURES, |_| bench.fail())?;
    figures.push(Figure::time("changeovers: bad measurement to requests back", back.p99()).goal(2000.0));
    Ok(figures)
}

struct Bench<'a> {
    installation: &'a Installation<'a>,
    work: PathBuf,
    remote: String,
    image: String,
}

impl<'a> Bench<'a> {
    fn open(installation: &'a Installation<'a>, image: String) -> anyhow::Result<Self> {
        let work = installation.folder().join(NAME);
        fs::create_dir_all(work.join("k8s"))?;
        let remote = format!("{}/{NAME}.git", installation.status.git_url);
        let bench = Self { installation, work, remote, image };
        bench.git(&["init", "--quiet", "--initial-branch=main"])?;
        bench.push("rolling")?;
        let app = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {NAME}}}\nspec:\n  source: {{repoURL: {NAME}, targetRevision: main, path: k8s}}\n  destination: {{name: in-cluster, namespace: {NAME}}}\n  syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true]}}\n"
        );
        let file = bench.work.join("app.yaml");
        fs::write(&file, app)?;
        installation.run(&["app", "apply", "-f", &file.display().to_string()])?;
        let head = bench.git(&["rev-parse", "HEAD"])?;
        bench.until(&format!("{} healthy", head.trim()))?;
        Ok(bench)
    }

    fn address(&self) -> anyhow::Result<String> {
        let path = "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}";
        program::output(self.installation.kubectl().args(["-n", NAME, "get", "service", NAME, "-o", path]))
    }

    /// Changes over once, to the end.
    fn change(&self, plan: &str) -> anyhow::Result<()> {
        let commit = self.push(plan)?;
        self.until(&format!("{commit} healthy"))
    }

    /// A version that is measured as bad: from the answer of the source to all requests being back.
    fn fail(&self) -> anyhow::Result<Duration> {
        let (address, answered) = bad_source()?;
        let plan = format!(
            "{{canary: {{steps: [{{setWeight: 50}}, {{pause: {{}}}}], analysis: {{interval: 1s, prometheus: {{address: \"http://{address}\", query: bad, max: 1}}}}}}}}"
        );
        self.push(&plan)?;
        let at = answered.recv_timeout(PATIENCE).context("the source was not asked")?;
        let path = r"jsonpath={.metadata.annotations.landfall\.dev/traffic}";
        let took = loop {
            let said = program::output(self.installation.kubectl().args(["-n", NAME, "get", "service", NAME, "-o", path]))?;
            if !said.trim().ends_with("=50") {
                break at.elapsed();
            }
            if at.elapsed() > PATIENCE {
                bail!("requests did not go back");
            }
        };
        // The revert is fetched, so that the next version comes after it.
        self.until("back healthy")?;
        self.git(&["fetch", "--quiet", &self.remote, "main"])?;
        self.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"])?;
        Ok(took)
    }

    /// Waits for the commit's (or the brought back) deployment to be healthy and its roll-out to be over.
    fn until(&self, expected: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let app: Value = self.installation.json(&["app", "get", NAME])?;
            let status = &app["status"];
            let last = status["history"].as_array().and_then(|it| it.last()).cloned().unwrap_or_default();
            let seen = status["seen"]["commits"][0].as_str().unwrap_or_default();
            let what = if last["back_to"].is_null() { seen } else { "back" };
            let pending = status["quarantined"].as_array().is_some_and(|it| it.iter().any(|it| it["reverted_by"].is_null()));
            let found = format!("{what} {}", last["state"].as_str().unwrap_or_default());
            if found == expected && status["rollout"].is_null() && !pending {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                bail!("not `{expected}` after {PATIENCE:?} but `{found}`\n{app:#}");
            }
            thread::sleep(GLANCE);
        }
    }

    /// Pushes a version that differs from all before; gives the commit.
    fn push(&self, plan: &str) -> anyhow::Result<String> {
        let number = self.git(&["rev-list", "--count", "--all"])?;
        let (number, image) = (number.trim(), &self.image);
        let quoted = serde_json::to_string(plan)?;
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {NAME}\n  annotations: {{landfall.dev/rollout: {quoted}}}\nspec:\n  replicas: 3\n  selector: {{matchLabels: {{app: {NAME}}}}}\n  template:\n    metadata: {{labels: {{app: {NAME}}}}}\n    spec:\n      containers:\n        - name: main\n          image: '{image}'\n          env: [{{name: NUMBER, value: '{number}'}}, {{name: GREETING, value: hello}}]\n          readinessProbe: {{httpGet: {{path: /healthz, port: 8080}}, periodSeconds: 1}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {NAME}}}\nspec: {{selector: {{app: {NAME}}}, ports: [{{port: 8080}}]}}\n"
        );
        fs::write(self.work.join("k8s/web.yaml"), text)?;
        self.git(&["add", "k8s"])?;
        self.git(&["commit", "--quiet", "--message", &format!("Version {number}")])?;
        self.git(&["push", "--quiet", &self.remote, "main"])?;
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        program::git(&self.work, arguments)
    }
}

/// A Prometheus that says 5 to everything, once; tells when it did.
fn bad_source() -> anyhow::Result<(String, Receiver<Instant>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (sender, answered) = mpsc::channel();
    thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept()
            && answer(stream).is_ok()
        {
            // Nobody may wait for it any more.
            let _ = sender.send(Instant::now());
        }
    });
    Ok((address, answered))
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    let _ = stream.read(&mut asked)?;
    let body = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}"#;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
