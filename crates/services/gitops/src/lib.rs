//! Makes a cluster follow Git: renders, compares, syncs, heals, and goes back by itself.
//!
//! Each app has an actor of its own whose goal can change at any time: a newer
//! commit replaces a stuck older one. What is decided stands in
//! [`delivery::gitops`]; this crate looks, acts and writes down what happened.

mod actor;
mod compare;
mod deploy;
mod desired;
mod heal;
mod hold;
mod kept;
mod pulse;
mod routes;
mod source;
mod sync;
mod verdict;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use api::{App, Record as _};
use axum::Router;
use identity::Seal;
use objects::{Discovery, KubeApi};
use repo::{Mirrors, Repositories};
use store::{Blobs, Change, Records, Revision};
use tokio::{sync::Notify, task::JoinSet};

pub use source::SourceError;

/// What the service works with.
#[derive(Clone)]
pub struct GitOps {
    records: Arc<dyn Records>,
    repositories: Repositories,
    mirrors: Mirrors,
    cluster: KubeApi,
    discovery: Discovery,
    kept: kept::Manifests,
    pulse: pulse::Pulse,
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
        client: kube::Client,
        seal: Seal,
    ) -> Result<Self, GitOpsError> {
        let mirrors = Mirrors::open(&config.mirrors)?;
        let cluster = KubeApi::new(client);
        let discovery = Discovery::new(cluster.clone());
        let kept = kept::Manifests::new(records.clone(), blobs, seal);
        let pulse = pulse::Pulse::new(cluster.client().clone());
        Ok(Self { records, repositories, mirrors, cluster, discovery, kept, pulse, config: Arc::new(config) })
    }

    /// The service's own routes below `/landfall/v1`.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// Follows all apps until the process ends.
    ///
    /// # Errors
    ///
    /// When the record store is gone.
    pub async fn run(self) -> Result<(), GitOpsError> {
        let mut actors: HashMap<String, Arc<Notify>> = HashMap::new();
        let mut tasks = JoinSet::new();
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
                    change?;
                    // A push is cheap to look at, and an app may read several repositories.
                    actors.values().for_each(|actor| actor.notify_one());
                }
                Some(done) = tasks.join_next() => {
                    if let Ok(name) = done {
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
