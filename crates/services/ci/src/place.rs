//! Where a job runs: its sandboxes, its folders on both sides, its log and what it may know.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use api::JobGrant;
use loglines::Sieve;
use names::RunId;
use sandbox::{Insides, SandboxId};
use tokio::sync::Mutex;
use workflow::{JobKey, Masker, Place, Secrets};

use crate::{containers::Kept, job_log::JobLog, matchers};

pub use api::{COMPLETE_SECTION as COMPLETE, SET_UP_SECTION as SET_UP};

/// Where a job finds Landfall's own tools.
pub const TOOLS: &str = "/opt/landfall";

/// Where a job runs.
#[derive(Clone)]
pub struct JobPlace {
    /// Where steps run.
    pub sandbox: SandboxId,
    /// Where Landfall's own actions run, when steps run in an image that may lack what they need.
    pub companion: Option<SandboxId>,
    pub key: JobKey,
    /// Counts from 1.
    pub attempt: u32,
    /// On this machine: `work`, `temp`, `actions`, `tools`, `scratch`, `steps`.
    pub folder: PathBuf,
    pub place: Place,
    /// What is known of its containers.
    pub kept: Arc<Kept>,
    /// Where steps see fetched actions.
    pub actions: String,
    pub secrets: Secrets,
    /// Those of its environment alone, for jobs of called workflows.
    pub of_environment: Secrets,
    /// What its log hides; steps that run side by side share it.
    pub masks: Arc<RwLock<Masker>>,
    pub token: identity::Secret,
    pub log: Arc<Mutex<JobLog>>,
    /// What steps must know of their run.
    pub run: Arc<RunFacts>,
    pub grant: Arc<JobGrant>,
    /// The way to files that only the job sees.
    pub insides: Option<Arc<dyn Insides>>,
    /// Problem matchers that steps added.
    pub matchers: matchers::Shared,
    /// Whether `::debug::` lines are shown.
    pub debug: Debug,
}

/// Whether the project asks for the words that are meant for whoever looks for a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Debug {
    #[default]
    Hidden,
    Shown,
}

/// What steps must know of their run.
#[derive(Clone, Debug)]
pub struct RunFacts {
    pub id: RunId,
    pub clone_url: String,
}

impl std::fmt::Debug for JobPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobPlace").field("sandbox", &self.sandbox).finish_non_exhaustive()
    }
}

/// Paths inside a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub workspace: String,
    pub temp: String,
    pub actions: String,
    pub tool_cache: String,
    pub home: Option<String>,
}

impl Layout {
    /// As on GitHub's own machines.
    pub fn on_machine(project: &str) -> Self {
        Self {
            workspace: format!("/home/runner/work/{project}/{project}"),
            temp: "/home/runner/work/_temp".to_owned(),
            actions: "/home/runner/work/_actions".to_owned(),
            tool_cache: "/opt/hostedtoolcache".to_owned(),
            home: None,
        }
    }

    /// As in GitHub's job containers.
    pub fn in_container(project: &str) -> Self {
        Self {
            workspace: format!("/__w/{project}/{project}"),
            temp: "/__w/_temp".to_owned(),
            actions: "/__w/_actions".to_owned(),
            tool_cache: "/__t".to_owned(),
            home: Some("/github/home".to_owned()),
        }
    }
}

impl JobPlace {
    pub fn workspace(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// The folder on this machine and the rest of a path as the job sees it.
    pub fn on_host(&self, path: &str) -> Option<(PathBuf, PathBuf)> {
        let home = if self.companion.is_some() { "/github/home" } else { "" };
        let folders = [
            (self.place.temp.as_str(), "temp"),
            (&self.actions, "actions"),
            (&self.place.workspace, "work"),
            (home, "home"),
        ];
        let within = |(root, folder): (&str, &str)| {
            let rest = path.strip_prefix(root).filter(|_| !root.is_empty())?;
            let rest = if rest.is_empty() { "" } else { rest.strip_prefix('/')? };
            Some((self.folder.join(folder), PathBuf::from(rest)))
        };
        folders.into_iter().find_map(within)
    }

    /// A text as the log may show it.
    pub fn mask(&self, text: &str) -> String {
        self.masks.read().unwrap_or_else(PoisonError::into_inner).mask(text)
    }

    /// Tells lines that may hold what must be hidden from all others.
    pub fn sieve(&self) -> Arc<Sieve> {
        self.masks.read().unwrap_or_else(PoisonError::into_inner).sieve()
    }

    /// Hides a value from here on, in this step and those beside it.
    pub fn hide(&self, value: &str) {
        self.masks.write().unwrap_or_else(PoisonError::into_inner).add(value);
    }

    /// The sandbox of Landfall's own actions.
    pub fn own_sandbox(&self) -> &SandboxId {
        self.companion.as_ref().unwrap_or(&self.sandbox)
    }
}
