//! A run of fifty jobs whose server is killed again and again: every job runs once, in its turn.
//!
//! Steps report to this test over a connection, which no crash takes back. The
//! moments are not times but counts of reports, drawn from a seed, so a slow machine
//! is killed at the same places. `LANDFALL_CRASH_SEED` draws others.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use crate::installation::{Installation, Victims, json, wait_for};

const JOBS: usize = 50;
const KILLS: usize = 5;

/// Each job tells that it begins and that it ends.
const REPORTS: usize = 2 * JOBS;

/// What steps have told, in the order in which it came.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<String>>>);

#[test]
fn fifty_jobs_run_once_each_however_often_the_server_dies() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: sandboxes need root");
        return;
    }
    let seed = std::env::var("LANDFALL_CRASH_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(1);
    let reports = Reports::default();
    let port = reports.listen();
    let installation = Installation::start();
    push(&installation, &workflow(port));
    let run = json(&installation.run(&["dispatch", "fifty", "fifty.yml", "--output", "json"]));
    let run = run["id"].as_str().unwrap_or_else(|| panic!("no run was started: {run:#}")).to_owned();
    for moment in moments(seed) {
        // A run that is stuck never gets there, and says so below.
        let at = || reports.count() >= moment || is_over(&installation, &run);
        wait_for(&format!("{moment} reports of {REPORTS} (seed {seed})"), at);
        installation.kill(Victims::Server);
        installation.up();
    }
    wait_for("the run to end", || is_over(&installation, &run));
    let told = record(&installation, &run);
    if let Err(wrong) = judge(&told, &reports.all()) {
        panic!("seed {seed}: {wrong}\n{told:#}\n{:#?}", reports.all());
    }
}

/// What is wrong with a run that should be flawless.
fn judge(run: &serde_json::Value, reports: &[String]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, report) in reports.iter().enumerate() {
        seen.entry(report).or_default().push(at);
    }
    for job in 0..JOBS {
        let once = |what: &str| match seen.get(&*format!("{what} {job}")).map(Vec::as_slice) {
            Some([at]) => Ok(*at),
            None => Err(format!("job {job} did not {what}")),
            Some(all) => Err(format!("job {job} did {what} {} times", all.len())),
        };
        let (begin, end) = (once("begin")?, once("end")?);
        if begin > end {
            return Err(format!("job {job} ended before it began"));
        }
        if let Some(needed) = needed_by(job)
            && once_of(&seen, &format!("end {needed}")) > Some(begin)
        {
            return Err(format!("job {job} began before job {needed} ended"));
        }
    }
    if reports.len() != REPORTS {
        return Err(format!("expected {REPORTS} reports, found {}", reports.len()));
    }
    let jobs = run["jobs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let flawed = jobs.iter().find(|job| job["conclusion"] != "success" || !job["reason"].is_null());
    if let Some(job) = flawed {
        return Err(format!("a job is not as if nothing had happened: {job:#}"));
    }
    match (jobs.len(), run["conclusion"].as_str()) {
        (JOBS, Some("success")) => Ok(()),
        (count, conclusion) => Err(format!("the run has {count} jobs and ended with {conclusion:?}")),
    }
}

fn once_of(seen: &BTreeMap<&str, Vec<usize>>, report: &str) -> Option<usize> {
    seen.get(report)?.first().copied()
}

/// The jobs are a tree: each needs the one at a third of its number.
fn needed_by(job: usize) -> Option<usize> {
    (job > 2).then_some(job / 3)
}

fn workflow(port: u16) -> String {
    let job = |job: usize| {
        let needs = needed_by(job).map(|it| format!("    needs: j{it}\n")).unwrap_or_default();
        let report = |what: &str| format!("          echo '{what} {job}' > /dev/tcp/127.0.0.1/{port}\n");
        let (begin, end) = (report("begin"), report("end"));
        format!("  j{job}:\n    runs-on: ubuntu-latest\n{needs}    steps:\n      - shell: bash\n        run: |\n{begin}          sleep 0.1\n{end}")
    };
    format!("on: workflow_dispatch\njobs:\n{}", (0..JOBS).map(job).collect::<String>())
}

/// Counts of reports after which the server dies, in order.
fn moments(seed: u64) -> Vec<usize> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut moments: Vec<_> = (0..KILLS)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % (REPORTS as u64)).expect("a small number")
        })
        .collect();
    moments.sort_unstable();
    moments
}

fn record(installation: &Installation, run: &str) -> serde_json::Value {
    let runs = json(&installation.run(&["runs", "--output", "json"]));
    runs["items"].as_array().into_iter().flatten().find(|it| it["id"] == run).cloned().unwrap_or_default()
}

fn is_over(installation: &Installation, run: &str) -> bool {
    record(installation, run)["status"] == "completed"
}

fn push(installation: &Installation, workflow: &str) {
    let folder = installation.place("fifty");
    fs::create_dir_all(folder.join(".github/workflows")).expect("a folder");
    fs::write(folder.join(".github/workflows/fifty.yml"), workflow).expect("write");
    let url = installation.status()["git_url"].as_str().expect("a URL").to_owned();
    git(&folder, &["init", "--quiet", "--initial-branch=main"]);
    git(&folder, &["add", "--all"]);
    git(&folder, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--message", "fifty"]);
    git(&folder, &["push", "--quiet", &format!("{url}/fifty.git"), "main"]);
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Reports {
    /// Takes reports from now on, one line for each connection; gives the port.
    fn listen(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let reports = self.clone();
        // Ends with the test's process: it waits for connections only.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| reports.take(stream)));
        port
    }

    fn take(&self, stream: TcpStream) {
        let mut line = String::new();
        if BufReader::new(stream).read_line(&mut line).is_ok() {
            self.0.lock().expect("nobody panics with it").push(line.trim().to_owned());
        }
    }

    fn count(&self) -> usize {
        self.0.lock().expect("nobody panics with it").len()
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}
