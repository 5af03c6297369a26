//! Makes a cluster follow Git: renders, compares, syncs, heals, and goes back by itself.
//!
//! Each app has an actor of its own whose goal can change at any time: a newer
//! commit replaces a stuck older one. What is decided stands in
//! [`delivery::gitops`]; this crate looks, acts and writes down what happened.

mod actor;
mod adopt;
mod agents;
mod chart;
mod compare;
mod declared;
mod deploy;
mod desired;
mod drill;
mod heal;
mod hold;
mod kept;
mod pace;
mod pins;
mod pulse;
mod rollout;
mod routes;
mod source;
mod sweep;
mod sync;
mod verdict;
mod webhook;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use api::{App, Record as _};
use axum::Router;
use identity::Seal;
use objects::{Discovery, KubeApi};
use rehearsal::Rehearsal;
use repo::{Mirrors, Repositories};
use store::{Blobs, Change, Records, Revision};
use tokio::{sync::Notify, task::JoinSet};

pub use agents::{Assigned, AssignedApp, Report};
pub use pace::Pace;
pub use pulse::Breadth;
pub use rehearsal::Nodes;
pub use rollout::Counters;
pub use source::SourceError;

/// What the service works with.
#[derive(Clone)]
pub struct GitOps {
    records: Arc<dyn Records>,
    repositories: Repositories,
    mirrors: Mirrors,
    trees: source::Trees,
    charts: chart::Known,
    cluster: KubeApi,
    discovery: Discovery,
    kept: kept::Manifests,
    images: Arc<oci::Images>,
    rehearsal: Rehearsal,
    /// The files of repositories are read one after another, so that an older state never comes last.
    files: Arc<tokio::sync::Mutex<()>>,
    follows_files: bool,
    pulse: pulse::Pulse,
    counters: Option<Counters>,
    config: Arc<Config>,
}

/// What the service must be told.
pub struct Config {
    /// Copies of foreign repositories lie here.
    pub mirrors: PathBuf,
    /// What charts draw passwords and the like from; secret, and the same for as long as the installation lives.
    pub render_key: [u8; 32],
    /// The address of a project's repository with the right to push, for commits that take back.
    pub push_url: Box<dyn Fn(&names::ProjectName) -> String + Send + Sync>,
    /// What stands before the names of images for nodes that cannot reach the registry here by its own name.
    pub node_registry: Option<String>,
    pub nodes: Nodes,
    pub breadth: Breadth,
    pub pace: Pace,
}

/// Why the service cannot work.
#[derive(Debug, thiserror::Error)]
pub enum GitOpsError {
    #[error(transparent)]
    Git(#[from] repo::GitError),
    #[error(transparent)]
    Records(#[from] store::RecordsError),
}

impl GitOps {
    /// `client` reaches the cluster with all rights; `seal` guards manifests at rest.
    ///
    /// # Errors
    ///
    /// When the folder of mirrors cannot be made.
    pub fn new(
        config: Config,
        records: Arc<dyn Records>,
        blobs: Arc<dyn Blobs>,
        repositories: Repositories,
        images: Arc<oci::Images>,
        client: kube::Client,
        seal: Seal,
    ) -> Result<Self, GitOpsError> {
        let mirrors = Mirrors::open(&config.mirrors)?;
        let cluster = KubeApi::new(client);
        let discovery = Discovery::new(cluster.clone());
        let kept = kept::Manifests::new(records.clone(), blobs, seal);
        let rehearsal = Rehearsal::new(records.clone(), cluster.clone(), images.clone(), config.nodes);
        let pulse = pulse::Pulse::new(cluster.client().clone(), config.breadth);
        Ok(Self { records, repositories, mirrors, trees: source::Trees::default(), charts: chart::Known::default(), cluster, discovery, kept, images, rehearsal, files: Arc::default(), follows_files: false, pulse, counters: None, config: Arc::new(config) })
    }

    /// Requests of the cluster pass a proxy of this process, which divides and counts them.
    #[must_use]
    pub fn with_counters(mut self, counters: Counters) -> Self {
        self.counters = Some(counters);
        self
    }

    /// Makes the apps that repositories here ask for in their `landfall.yaml`.
    #[must_use]
    pub fn following_files(mut self) -> Self {
        self.follows_files = true;
        self
    }

    /// The service's own routes below `/landfall/v1`.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// The routes by which agents in clusters elsewhere work.
    pub fn agents_router(&self, tokens: identity::Tokens) -> Router {
        agents::router(self.clone(), tokens)
    }

    /// Reads the `landfall.yaml` of the project that was pushed to.
    async fn see_push(&self, change: &Change) {
        let Change::Put(stored) = change else { return };
        let Ok(push) = serde_json::from_slice::<api::Push>(&stored.value) else { return };
        if let Err(error) = self.follow_file(&push.project, Some(&push)).await {
            tracing::warn!(%error, project = %push.project, "a landfall.yaml could not be read");
        }
    }

    /// Follows all apps until the process ends.
    ///
    /// # Errors
    ///
    /// When the record store is gone.
    pub async fn run(self) -> Result<(), GitOpsError> {
        let sweeper = self.rehearsal.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = sweeper.sweep().await {
                tracing::error!(%error, "what a drill left could not be removed");
            }
            String::new()
        });
        let keeper = self.clone();
        tasks.spawn(async move {
            keeper.sweep_manifests().await;
            String::new()
        });
        let reader = self.clone();
        tasks.spawn(async move {
            reader.follow_all_files().await;
            String::new()
        });
        let mut actors: HashMap<String, Arc<Notify>> = HashMap::new();
        let mut apps = self.records.watch(App::KIND, Revision(0)).await?;
        let mut pushes = self.records.watch(api::Push::KIND, Revision::LATEST).await?;
        loop {
            tokio::select! {
                change = apps.next() => match change? {
                    Change::Put(stored) => {
                        let Ok(app) = serde_json::from_slice::<App>(&stored.value) else {
                            tracing::error!(key = stored.key, "an app is not readable");
                            continue;
                        };
                        if app.spec.cluster.is_some() {
                            // Its agent follows it; an actor that is here ends.
                            actors.get(&app.name).inspect(|actor| actor.notify_one());
                            continue;
                        }
                        if let Some(actor) = actors.get(&app.name) {
                            // Only what a person changed is news; the status is the actor's own word.
                            if app.generation > app.status.observed || app.request.is_some() {
                                actor.notify_one();
                            }
                            continue;
                        }
                        let wake = Arc::new(Notify::new());
                        actors.insert(app.name.clone(), wake.clone());
                        let (service, name) = (self.clone(), app.name.clone());
                        tasks.spawn(async move {
                            actor::follow(service, name.clone(), wake).await;
                            name
                        });
                    }
                    Change::Deleted { key, .. } => {
                        if let Some(actor) = actors.get(&key) {
                            actor.notify_one();
                        }
                    }
                },
                change = pushes.next() => {
                    let change = change?;
                    // A push is cheap to look at, and an app may read several repositories.
                    actors.values().for_each(|actor| actor.notify_one());
                    let reader = self.clone();
                    tasks.spawn(async move {
                        reader.see_push(&change).await;
                        String::new()
                    });
                }
                Some(done) = tasks.join_next() => {
                    // Tasks that are no actors have no name.
                    if let Some(name) = done.ok().filter(|it| !it.is_empty()) {
                        actors.remove(&name);
                        // It may have been made again just before its actor ended.
                        if store::find::<App>(&*self.records, &name).await.ok().flatten().is_some() {
                            apps = self.records.watch(App::KIND, Revision(0)).await?;
                        }
                    }
                }
            }
        }
    }
}
