//! `cargo xtask test`
//!
//! Gets the tools that tests drive, builds all test binaries in one cargo
//! invocation, runs them one after another with a limit on their time, adds
//! `tidy`, and prints the totals alone on the last line. The binaries of `core`
//! touch nothing but memory and run side by side.

mod build;
mod debian;
mod leftovers;
mod npm;
pub mod real_cluster;
mod run;
mod tools;
mod verdict;
mod wheels;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;

use self::{
    build::Binary,
    leftovers::Before,
    run::{Environment, Ran},
    tools::Tools,
};
pub use self::verdict::Verdict;
use crate::{
    tidy,
    workspace::{Layer, Workspace},
};

/// Run every test of the workspace, and `tidy`
#[derive(clap::Args, Debug)]
pub struct TestArgs {
    /// Only this part: a package, or `tidy`
    #[arg(long, value_name = "PART")]
    only: Option<String>,

    /// The delivery suite on a real Kubernetes, too; continuous integration always does that
    #[arg(long)]
    real_cluster: bool,

    /// Only tests with this text in their name
    filter: Option<String>,
}

/// Runs what the arguments ask for; the exit status says whether all of it passed.
pub fn run(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let only = args.only.as_deref();
    let mut report = Report::new(&workspace.target)?;
    if only != Some("tidy") {
        test(&workspace, args, &mut report)?;
    }
    if only.is_none_or(|part| part == "tidy") && args.filter.is_none() {
        let started = Instant::now();
        let verdict = tidy::verdict(&workspace, tidy::Shown::Errors)?;
        report.add("tidy", "", started.elapsed(), verdict);
    }
    Ok(report.finish())
}

fn test(workspace: &Workspace, args: &TestArgs, report: &mut Report) -> anyhow::Result<()> {
    let (only, filter) = (args.only.as_deref(), args.filter.as_deref());
    let started = Instant::now();
    let tools = Tools::prepare(&workspace.target)?;
    let missing = Verdict { failed: tools.missing.clone(), ..Verdict::default() };
    report.add("tools", "", started.elapsed(), missing);

    let started = Instant::now();
    let built = build::build(workspace, only)?;
    let incomplete = (!built.complete).then(|| "(not everything compiles, see above)".to_owned());
    report.add("build", "", started.elapsed(), Verdict { failed: incomplete.into_iter().collect(), ..Verdict::default() });

    let mut binaries = built.binaries;
    let mut real_cluster = None;
    let needs_it = |binary: &Binary| binary.target == real_cluster::TARGET;
    if args.real_cluster && binaries.iter().any(needs_it) {
        let started = Instant::now();
        let provided = real_cluster::provide(workspace, &tools.folder.join("go/bin/go"));
        let failed = provided.as_ref().err().map(|error| format!("{error:#}")).into_iter().collect();
        real_cluster = provided.ok();
        report.add("real cluster", "", started.elapsed(), Verdict { failed, ..Verdict::default() });
    }
    if real_cluster.is_none() {
        binaries.retain(|it| !needs_it(it));
    }

    let run = format!("{}-{}", std::process::id(), epoch_ms());
    let before = Before::look(&run);
    let environment = Environment { path: tools.path(), tools: tools.folder.join("bin"), npm: tools.npm, run, real_cluster };
    let (side_by_side, one_by_one): (Vec<_>, Vec<_>) = binaries.into_iter().partition(|it| it.layer == Layer::Core);
    let lanes = thread::available_parallelism().map_or(1, usize::from);
    let done = run_all(side_by_side, lanes, filter, &environment, report)
        .and_then(|()| run_all(one_by_one, 1, filter, &environment, report));
    before.clean_up();
    done
}

fn epoch_ms() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
}

/// Runs the binaries in order, `lanes` of them at a time.
fn run_all(
    binaries: Vec<Binary>,
    lanes: usize,
    filter: Option<&str>,
    environment: &Environment,
    report: &mut Report,
) -> anyhow::Result<()> {
    let logs = report.logs.clone();
    let queue = Mutex::new(binaries.into_iter());
    let report = Mutex::new(report);
    thread::scope(|scope| {
        let lane = || -> anyhow::Result<()> {
            loop {
                let next = queue.lock().expect("no lane panics").next();
                let Some(binary) = next else { return Ok(()) };
                let log = logs.join(log_name(&binary));
                let ran = run::run(&binary, filter, environment, &log)?;
                report.lock().expect("no lane panics").add_binary(&binary, ran);
            }
        };
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().expect("no lane panics"))
    })
}

fn log_name(binary: &Binary) -> String {
    format!("{}-{}.log", binary.package, binary.target.replace(['/', ' '], "-"))
}

/// What was tested so far, told as it happens.
struct Report {
    logs: PathBuf,
    started: Instant,
    total: Verdict,
}

impl Report {
    fn new(target: &Path) -> anyhow::Result<Self> {
        let logs = target.join("test-logs");
        fs::create_dir_all(&logs).with_context(|| format!("cannot make `{}`", logs.display()))?;
        Ok(Self { logs, started: Instant::now(), total: Verdict::default() })
    }

    fn add_binary(&mut self, binary: &Binary, ran: Ran) {
        if !ran.verdict.failed.is_empty() || !ran.verdict.flaky.is_empty() {
            println!("{}", verdict::evidence(&ran.output));
        }
        if ran.verdict != Verdict::default() {
            self.add(&binary.package, &binary.target, ran.took, ran.verdict);
        }
    }

    /// Tells one part and adds it to the totals.
    fn add(&mut self, part: &str, target: &str, took: Duration, verdict: Verdict) {
        let mark = if verdict.failed.is_empty() { "ok  " } else { "FAIL" };
        let mut line = format!("{mark} {part:<12} {target:<18} {:>4} passed", verdict.passed);
        if !verdict.failed.is_empty() {
            line += &format!(", {} failed", verdict.failed.len());
        }
        if !verdict.skipped.is_empty() {
            line += &format!(", {} skipped", verdict.skipped.len());
        }
        println!("{line}  {:.1} s", took.as_secs_f64());
        for failed in &verdict.failed {
            println!("       failed: {failed}");
        }
        for flaky in &verdict.flaky {
            println!("       passed only when run once more: {flaky}");
        }
        let named = |name: &String| if target.is_empty() { format!("{part}: {name}") } else { format!("{part} {target}: {name}") };
        self.total.add(Verdict {
            passed: verdict.passed,
            failed: verdict.failed.iter().map(named).collect(),
            skipped: verdict.skipped.iter().map(named).collect(),
            flaky: verdict.flaky.iter().map(named).collect(),
        });
    }

    /// Prints what a reader of the end must know; the totals stand alone on the last line.
    fn finish(self) -> ExitCode {
        if !self.total.skipped.is_empty() {
            println!("\nskipped:");
            self.total.skipped.iter().for_each(|name| println!("  {name}"));
        }
        if !self.total.flaky.is_empty() {
            println!("\npassed only when run once more (to be mended):");
            self.total.flaky.iter().for_each(|name| println!("  {name}"));
        }
        if !self.total.failed.is_empty() {
            println!("\nfailed:");
            self.total.failed.iter().for_each(|name| println!("  {name}"));
        }
        println!("\n{:.0} s, whole outputs in {}", self.started.elapsed().as_secs_f64(), self.logs.display());
        println!("{} passed, {} failed, {} skipped", self.total.passed, self.total.failed.len(), self.total.skipped.len());
        if self.total.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
