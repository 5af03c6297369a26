//! Runs workflows: turns pushes into runs, and runs into jobs in the sandbox.
//!
//! What shall happen is decided by [`workflow::Run`], a state machine without
//! I/O. This crate stores it, carries out what it asks, and tells it what
//! happened; so a server that was killed goes on where it stood.

mod actions;
mod approvals;
mod beneath;
mod caches;
mod calls;
mod containers;
mod docker_step;
mod drive;
mod ending;
mod grants;
mod groups;
mod hash_files;
mod intake;
mod job_log;
mod jobs;
mod matchers;
mod native;
mod node;
mod output;
mod place;
mod process;
mod routes;
mod saved;
mod secrets;
mod set_up;
mod spec;
mod steps;
mod strangers;
mod tests;
mod trust;
mod view;

use std::{path::PathBuf, pin::Pin, sync::Arc};

use api::JobGrant;
use axum::Router;
use identity::{Seal, Tokens};
use names::{Digest, ProjectName, RunId};
use repo::Repositories;
use sandbox::Sandbox;
use store::{Blobs, Logs, Records};

pub use actions::ActionSources;
pub use caches::MountedCaches;
pub use containers::JobNetworks;
pub use drive::CiError;
pub use hash_files::hash_files;
pub use intake::{IntakeError, LocalEvent, Started};
pub use trust::refuse_untrusted;
pub use native::{PROGRAM as ACTION_PROGRAM, main_if_asked as native_main_if_asked, repositories as native_actions};

/// A job may start this many processes at once: enough for any build, too few for a fork bomb.
const JOB_PROCESSES_MAX: u64 = 16 * 1024;

/// What the pipeline service works with.
#[derive(Clone)]
pub struct Ci {
    config: Arc<Config>,
    records: Arc<dyn Records>,
    logs: Logs,
    blobs: Arc<dyn Blobs>,
    repositories: Repositories,
    sandbox: Arc<dyn Sandbox>,
    tokens: Tokens,
    seal: Seal,
    actions: actions::Actions,
    forwarders: Arc<containers::AllForwarders>,
    numbers: Arc<intake::Numbers>,
    listeners: Arc<intake::Listeners>,
    mounted: Option<Arc<MountedCaches>>,
}

/// Where the service keeps what it knows.
pub struct Stores {
    pub records: Arc<dyn Records>,
    pub blobs: Arc<dyn Blobs>,
    pub logs: Logs,
    pub repositories: Repositories,
}

/// The variables through which a job reaches caches, artifacts and identity.
#[derive(Clone, Debug, Default)]
pub struct JobServices {
    /// For every step.
    pub for_all: Vec<(String, String)>,
    /// For actions only.
    pub for_actions: Vec<(String, String)>,
    /// What of them must be masked.
    pub secrets: Vec<String>,
}

/// Builds an image of a folder and the name of a Dockerfile in it, for a run, in the eyes of a job;
/// gives its manifest or says why not.
pub type BuildImage = dyn Fn(PathBuf, String, RunId, oci::View) -> Pin<Box<dyn Future<Output = Result<Digest, String>> + Send>> + Send + Sync;

/// What jobs find on this machine.
pub struct Config {
    /// Folders of jobs lie here.
    pub folder: PathBuf,
    /// Where the server answers, e.g. `http://127.0.0.1:5000`.
    pub url: String,
    /// What jobs get as `GITHUB_SERVER_URL`; GitHub's libraries look at its name.
    pub server_url: String,
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
    /// Where actions come from.
    pub actions: ActionSources,
    /// The services of a job; they are told in its environment.
    pub job_services: Box<dyn Fn(&JobGrant) -> JobServices + Send + Sync>,
    /// For `container:`, `services:` and Docker actions.
    pub images: Option<Arc<oci::Images>>,
    /// For `services:`.
    pub networks: Option<JobNetworks>,
    /// For Docker actions that bring a Dockerfile.
    pub build_image: Option<Box<BuildImage>>,
}

impl Ci {
    pub fn new(config: Config, stores: Stores, sandbox: Arc<dyn Sandbox>, tokens: Tokens, seal: Seal) -> Self {
        let Stores { records, blobs, logs, repositories } = stores;
        let actions = actions::Actions::new(&config.folder.join("actions"), config.actions.clone(), repositories.clone());
        Self {
            config: Arc::new(config),
            records,
            logs,
            blobs,
            repositories,
            sandbox,
            tokens,
            seal,
            actions,
            forwarders: Arc::default(),
            numbers: Arc::default(),
            listeners: Arc::default(),
            mounted: None,
        }
    }

    /// Lets `actions/cache` mount what it restores.
    #[must_use]
    pub fn with_mounted_caches(mut self, mounted: MountedCaches) -> Self {
        self.mounted = Some(Arc::new(mounted));
        self
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
        tokio::try_join!(intake::run(self.clone()), tests::forget_old(self.clone()), drive::run(self))?;
        Ok(())
    }

    /// Carries out runs alone: no push, schedule or webhook starts any.
    ///
    /// # Errors
    ///
    /// When the record store is gone.
    pub async fn carry_out(self) -> Result<(), CiError> {
        drive::run(self).await
    }

    /// Starts the workflows that listen to an event which somebody makes up.
    ///
    /// # Errors
    ///
    /// When the repository or the store cannot be read.
    pub async fn start_local(&self, event: LocalEvent) -> Result<Started, IntakeError> {
        intake::start_local(self, event).await
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
