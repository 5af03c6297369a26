//! Runs one test binary: its output into a file, a limit on its time.

use std::{
    fs::File,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{
    build::Binary,
    leftovers, real_cluster,
    verdict::{Ending, Verdict},
};
use crate::workspace::Layer;

/// A test binary of a library is over long before this; one that is not hangs.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The programs' tests start servers, build images and kill them a hundred times. Two such
/// binaries that hang still leave continuous integration the time to say so.
const LIMIT_OF_PROGRAMS: Duration = Duration::from_secs(25 * 60);

/// At how many moments of a run the crash test kills the server here.
const CRASH_MOMENTS: &str = "40";

/// How often a running binary is looked at: well below what a person notices.
const GLANCE: Duration = Duration::from_millis(20);

/// What a run of one binary gave.
pub struct Ran {
    pub verdict: Verdict,
    pub took: Duration,
    pub output: String,
}

/// Runs `binary` in the given environment and keeps its output in `log`.
///
/// Tests that fail run once more, alone and one after another: what passes then depends on more
/// than the code, which the verdict tells apart from what the code does wrong.
pub fn run(binary: &Binary, filter: Option<&str>, environment: &Environment, log: &Path) -> anyhow::Result<Ran> {
    let filter: Vec<_> = filter.into_iter().collect();
    let mut ran = run_once(binary, &filter, environment, log)?;
    if ran.verdict.names_its_failures() {
        let failed: Vec<_> = ran.verdict.failed.iter().map(String::as_str).collect();
        let alone = [&["--exact", "--test-threads=1"][..], &failed].concat();
        let second = run_once(binary, &alone, environment, &log.with_extension("again.log"))?;
        ran.verdict.take_second_try(&second.verdict);
        ran.took += second.took;
    }
    Ok(ran)
}

fn run_once(binary: &Binary, arguments: &[&str], environment: &Environment, log: &Path) -> anyhow::Result<Ran> {
    let file = File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
    let mut command = Command::new(&binary.file);
    command.arg("--show-output").args(arguments).current_dir(&binary.folder);
    command.env("CARGO_MANIFEST_DIR", &binary.folder).env("CARGO_PKG_NAME", &binary.package);
    environment.apply(&mut command);
    // One file for both streams keeps their order; a group of its own can be stopped as one.
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", binary.file.display()))?;
    let limit = if binary.layer == Layer::Program { LIMIT_OF_PROGRAMS } else { LIMIT };
    let ending = wait(&mut child, started + limit)?;
    let took = started.elapsed();
    let output = std::fs::read(log).with_context(|| format!("cannot read `{}`", log.display()))?;
    let output = String::from_utf8_lossy(&output).into_owned();
    Ok(Ran { verdict: Verdict::read(&output, ending), took, output })
}

fn wait(child: &mut Child, deadline: Instant) -> anyhow::Result<Ending> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(match status.signal() {
                Some(_) => Ending::Crashed,
                None if status.success() => Ending::Succeeded,
                None => Ending::Failed,
            });
        }
        if Instant::now() >= deadline {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
                // It may have ended in this moment, which is as good.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            child.wait()?;
            return Ok(Ending::TimedOut);
        }
        thread::sleep(GLANCE);
    }
}

/// What tests find around them.
pub struct Environment {
    pub path: std::ffi::OsString,
    /// The fetched programs, which tests look up by version.
    pub tools: std::path::PathBuf,
    pub npm: std::path::PathBuf,
    /// Marks what this run of the tests starts.
    pub run: String,
    /// The control plane of a real Kubernetes, where it was built.
    pub real_cluster: Option<std::path::PathBuf>,
}

impl Environment {
    fn apply(&self, command: &mut Command) {
        command.env("PATH", &self.path).env("LANDFALL_TOOLS", &self.tools).env("LANDFALL_NPM", &self.npm).env(leftovers::MARK, &self.run);
        // All hundred take as long as everything else together; `LANDFALL_CRASH_MOMENTS` says otherwise.
        if std::env::var_os("LANDFALL_CRASH_MOMENTS").is_none() {
            command.env("LANDFALL_CRASH_MOMENTS", CRASH_MOMENTS);
        }
        command.env_remove(real_cluster::VARIABLE).envs(self.real_cluster.iter().map(|program| (real_cluster::VARIABLE, program)));
        // An installation of the person who runs the tests is none of their business.
        command.env_remove("LANDFALL_DATA").env_remove("KUBECONFIG").env_remove("RUST_LOG");
    }
}
