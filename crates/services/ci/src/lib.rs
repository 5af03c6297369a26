//! Runs workflows: turns pushes into runs, and runs into jobs in the sandbox.
//!
//! What shall happen is decided by [`workflow::Run`], a state machine without
//! I/O. This crate stores it, carries out what it asks, and tells it what
//! happened; so a server that was killed goes on where it stood.

mod beneath;
mod checkout;
mod drive;
mod hash_files;
mod intake;
mod jobs;
mod output;
mod routes;
mod steps;
mod view;

use std::{path::PathBuf, sync::Arc};

use axum::Router;
use identity::Tokens;
use names::{ProjectName, RunId};
use repo::Repositories;
use sandbox::Sandbox;
use store::{Logs, Records};

pub use drive::CiError;

/// The actions that are carried out here, whatever their version.
pub const BUILT_IN_ACTIONS: [&str; 1] = ["actions/checkout"];

/// A job may start this many processes at once: enough for any build, too few for a fork bomb.
const JOB_PROCESSES_MAX: u64 = 16 * 1024;

/// What the pipeline service works with.
#[derive(Clone)]
pub struct Ci {
    config: Arc<Config>,
    records: Arc<dyn Records>,
    logs: Logs,
    repositories: Repositories,
    sandbox: Arc<dyn Sandbox>,
    tokens: Tokens,
}

/// What jobs find on this machine.
pub struct Config {
    /// Folders of jobs lie here.
    pub folder: PathBuf,
    /// Where the server answers, e.g. `http://127.0.0.1:5000`.
    pub url: String,
    /// Landfall's own program, which answers to the names of tools in jobs.
    pub program: PathBuf,
    /// The names of tools that it answers to.
    pub tools: Vec<String>,
    /// Where jobs find the files of Landfall that must not be seen.
    pub hidden: Vec<PathBuf>,
    /// The owner's home folder, and what of it jobs may see.
    pub home: PathBuf,
    pub shown_home: Vec<sandbox::ShownFolder>,
    /// Environment that every job gets: `PATH`, proxies, certificates.
    pub env: Vec<(String, String)>,
    /// A kubeconfig for the holder of a token, in the namespace of a project.
    pub kubeconfig: Box<dyn Fn(&str, &ProjectName) -> String + Send + Sync>,
}

impl Ci {
    pub fn new(
        config: Config,
        records: Arc<dyn Records>,
        logs: Logs,
        repositories: Repositories,
        sandbox: Arc<dyn Sandbox>,
        tokens: Tokens,
    ) -> Self {
        Self { config: Arc::new(config), records, logs, repositories, sandbox, tokens }
    }

    /// The service's own routes below `/landfall/v1`.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// Turns pushes into runs and carries runs out until the process ends.
    ///
    /// # Errors
    ///
    /// When the record store is gone.
    pub async fn run(self) -> Result<(), CiError> {
        tokio::try_join!(intake::run(self.clone()), drive::run(self))?;
        Ok(())
    }

    /// The name by which workflows know a project: `owner/name`.
    fn repository_name(project: &ProjectName) -> String {
        format!("landfall/{project}")
    }

    /// Where a project can be cloned from.
    fn clone_url(&self, project: &ProjectName) -> String {
        format!("{}/git/{project}.git", self.config.url)
    }
}

/// Names a run in log lines of the server.
fn span(id: &RunId) -> tracing::Span {
    tracing::info_span!("run", %id)
}
