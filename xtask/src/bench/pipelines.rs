//! A repository of workflows alone, pushed to an installation, and the runs of it.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use names::Timestamp;
use serde::Deserialize;

use super::installation::Installation;
use crate::program;

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// How soon the list of runs is asked for again; the longer the wait was, the later.
const GLANCE: Duration = Duration::from_millis(10);

/// The latest: to be asked costs the server time, too.
const GLANCE_MAX: Duration = Duration::from_millis(500);

/// A project whose workflows are started by hand.
pub struct Pipelines<'a> {
    installation: &'a Installation<'a>,
    project: &'static str,
    pub folder: PathBuf,
}

/// A run as `landfall runs --output json` tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    pub id: String,
    pub conclusion: Option<String>,
    pub created: Timestamp,
    pub finished: Option<Timestamp>,
    #[serde(default)]
    pub jobs: Vec<Job>,
}

/// A job and its steps.
#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    #[serde(default)]
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Step {
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Runs {
    items: Vec<Run>,
}

#[derive(Deserialize)]
struct Dispatched {
    id: String,
}

impl<'a> Pipelines<'a> {
    /// Pushes workflows: each a file name and its text.
    pub fn push(installation: &'a Installation<'a>, project: &'static str, files: &[(&str, String)]) -> anyhow::Result<Self> {
        let folder = installation.folder().join(project);
        let workflows = folder.join(".github/workflows");
        fs::create_dir_all(&workflows)?;
        for (name, text) in files {
            fs::write(workflows.join(name), text)?;
        }
        let remote = format!("{}/{project}.git", installation.status.git_url);
        program::git(&folder, &["init", "--quiet", "--initial-branch=main"])?;
        program::git(&folder, &["add", "--all"])?;
        program::git(&folder, &["commit", "--quiet", "--message", "Workflows"])?;
        program::git(&folder, &["push", "--quiet", &remote, "main"])?;
        Ok(Self { installation, project, folder })
    }

    /// Starts a workflow; gives the name of its run.
    pub fn dispatch(&self, workflow: &str) -> anyhow::Result<String> {
        let dispatched: Dispatched = self.installation.json(&["dispatch", self.project, workflow])?;
        Ok(dispatched.id)
    }

    /// Starts a workflow and waits until it is over, as one who looks at it does.
    pub fn run(&self, workflow: &str) -> anyhow::Result<Run> {
        let id = self.dispatch(workflow)?;
        self.installation.run(&["logs", &id, "--follow"])?;
        let run = self.finished(&id)?;
        ensure!(run.conclusion.as_deref() == Some("success"), "{} ended with {:?}", run.id, run.conclusion);
        Ok(run)
    }

    /// Waits until a run is over.
    pub fn finished(&self, id: &str) -> anyhow::Result<Run> {
        let began = Instant::now();
        let mut glance = GLANCE;
        while began.elapsed() < PATIENCE {
            let runs: Runs = self.installation.json(&["runs"])?;
            let run = runs.items.into_iter().find(|run| run.id == id);
            if let Some(run) = run.filter(|run| run.finished.is_some()) {
                return Ok(run);
            }
            std::thread::sleep(glance);
            glance = GLANCE_MAX.min(glance * 2);
        }
        bail!("{id} is not over after {PATIENCE:?}")
    }
}

impl Job {
    /// From its start to its end.
    pub fn took(&self) -> anyhow::Result<Duration> {
        between(self.started, self.finished)
    }

    /// From the start of its first step to the end of its last.
    pub fn steps_took(&self) -> anyhow::Result<Duration> {
        between(self.steps.first().and_then(|it| it.started), self.steps.last().and_then(|it| it.finished))
    }
}

/// The time between two moments that must be known.
pub fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> anyhow::Result<Duration> {
    Ok(to.context("an end is missing")?.since(from.context("a start is missing")?))
}
