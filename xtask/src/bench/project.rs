//! The demo's app as a repository, committed and pushed as a person does it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{http, installation::Installation};
use crate::program;

/// The name of the project, its namespace and its Service.
pub const NAME: &str = "bench";

const PORT: u16 = 8080;

/// A push on a slow machine is served after this time, or never.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often the app is asked for its version: below what is worth telling.
const GLANCE: Duration = Duration::from_millis(2);

/// A working copy of the app.
pub struct Project {
    folder: PathBuf,
    template: PathBuf,
}

/// A commit that was pushed and is served.
pub struct Served {
    pub commit: String,
    pub address: SocketAddr,
    /// From the start of the push to the first answer of the new version.
    pub took: Duration,
}

impl Project {
    pub fn create(root: &Path, installation: &Installation<'_>) -> anyhow::Result<Self> {
        let folder = installation.folder().join(NAME);
        fs::create_dir_all(&folder)?;
        let project = Self { folder, template: root.join("crates/landfall/demo-app") };
        project.git(&["init", "--quiet", "--initial-branch=main"])?;
        let remote = format!("{}/{NAME}.git", installation.status.git_url);
        project.git(&["remote", "add", "landfall", &remote])?;
        Ok(project)
    }

    /// Commits the app at a version, pushes it, and asks until that version answers.
    pub fn serve(&self, installation: &Installation<'_>, version: usize) -> anyhow::Result<Served> {
        self.write(&self.template.clone(), Path::new(""), version)?;
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", &format!("Version {version}")])?;
        let commit = self.git(&["rev-parse", "HEAD"])?.trim().to_owned();
        let known = address(installation);
        let mark = format!("\"version\":{version},");
        let began = Instant::now();
        // The push shows the run's progress and ends with it; the app answers before that.
        let (pushed, answered) = thread::scope(|scope| {
            let push = scope.spawn(|| self.git(&["push", "--quiet", "landfall", "main"]));
            let answered = loop {
                if let Some(address) = known.or_else(|| address(installation))
                    && http::get(address).is_ok_and(|answer| answer.contains(&mark))
                {
                    break Some((address, began.elapsed()));
                }
                if began.elapsed() > PATIENCE {
                    break None;
                }
                thread::sleep(GLANCE);
            };
            (push.join().expect("git does not panic"), answered)
        });
        pushed?;
        if let Some((address, took)) = answered {
            return Ok(Served { commit, address, took });
        }
        let told = installation.run(&["explain", &commit]).unwrap_or_else(|error| format!("{error:#}"));
        let last = known.or_else(|| address(installation)).map_or_else(
            || "there is no Service".to_owned(),
            |address| http::get(address).unwrap_or_else(|error| format!("{address}: {error}")),
        );
        bail!("version {version} is not served after {PATIENCE:?}\n{told}\nlast answer: {last}")
    }

    /// Fills the gaps of the template's files.
    fn write(&self, from: &Path, below: &Path, version: usize) -> anyhow::Result<()> {
        fs::create_dir_all(self.folder.join(below))?;
        for entry in fs::read_dir(from).with_context(|| format!("no app in `{}`", from.display()))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.write(&entry.path(), &path, version)?;
                continue;
            }
            let text = fs::read_to_string(entry.path())?;
            let text = text.replace("{{name}}", NAME).replace("{{port}}", &PORT.to_string());
            let text = text.replace("{{replicas}}", "3").replace("{{version}}", &version.to_string());
            let text = text.replace("{{greeting}}", "hello").replace("{{stock_file}}", "NULL");
            fs::write(self.folder.join(path), text)?;
        }
        Ok(())
    }

    /// What the pipeline must do in any case, done by hand: test, compile.
    pub fn floor(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let script = "cc -O1 -o http_test http_test.c http.c && ./http_test && cc -O1 -static -o server server.c http.c && rm http_test server";
        program::output(Command::new("sh").args(["-ec", script]).current_dir(&self.folder))?;
        Ok(began.elapsed())
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        program::git(&self.folder, arguments)
    }
}

/// Where the Service answers, if there is one.
fn address(installation: &Installation<'_>) -> Option<SocketAddr> {
    let mut kubectl = installation.kubectl();
    let text = program::output(kubectl.args(["-n", NAME, "get", "service", NAME, "-o", "jsonpath={.spec.clusterIP}"])).ok()?;
    Some(SocketAddr::new(text.parse().ok()?, PORT))
}
