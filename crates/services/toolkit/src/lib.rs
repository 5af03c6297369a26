//! The services that GitHub's own client libraries call from inside a job.
//!
//! Cache (both protocols), artifacts, identity tokens, signed upload and
//! download addresses, and a part of the REST interface. A job finds them
//! through the variables of [`Toolkit::job_environment`]; its tokens name a
//! [`api::JobGrant`], and end with it.

mod artifacts;
mod auth;
mod blobs;
mod cache_v1;
mod cache_v2;
mod environment;
mod keys;
mod oidc;
mod range;
mod rest;
mod signed;
mod staging;
mod token;
mod twirp;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use api::{Artifact, JobGrant, Record as _};
use axum::{
    Router,
    routing::{any, get, post},
};
use keep::{Artifacts, Caches, Holdings, Trees};
use names::Timestamp;
use repo::Repositories;
use store::{Blobs, Records};

pub use environment::JobEnvironment;
pub use keys::KeyError;
pub use token::{Purpose, RuntimeKey, backend_id_of_job, backend_id_of_run};

/// How often old artifacts, caches and unfinished uploads are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(60 * 60);

/// What the services are told at the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Keys, and uploads on their way in.
    pub folder: PathBuf,
    /// Where jobs reach this server, without a slash at the end, e.g. `http://127.0.0.1:7580`.
    pub url: String,
    /// The host part of `GITHUB_SERVER_URL`: clients take any name but `*.localhost` for a server that lacks these services.
    pub server_url: String,
}

/// Why the services could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the folder `{path}` cannot be used")]
    Folder { path: String, source: std::io::Error },
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// All services for jobs.
pub struct Toolkit {
    config: Config,
    records: Arc<dyn Records>,
    repositories: Repositories,
    holdings: Holdings,
    caches: Caches,
    artifacts: Artifacts,
    staging: staging::Staging,
    runtime_key: RuntimeKey,
    url_key: signed::UrlKey,
    oidc: oidc::Issuer,
}

impl Toolkit {
    /// Opens the services. `blobs` is a home of its own, because what is over its time is deleted there.
    pub fn open(
        config: Config,
        records: Arc<dyn Records>,
        blobs: Arc<dyn Blobs>,
        repositories: Repositories,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder { path: config.folder.display().to_string(), source };
        let holdings = Holdings::new(records.clone(), blobs);
        let trees = Trees::open(config.folder.join("trees")).map_err(failed)?;
        let staging = staging::Staging::open(config.folder.join("uploads")).map_err(failed)?;
        let secret = keys::Secret::open(&config.folder.join("key"))?;
        Ok(Self {
            caches: Caches::new(holdings.clone(), trees),
            artifacts: Artifacts::new(holdings.clone()),
            staging,
            runtime_key: RuntimeKey::new(&secret.derive("runtime token")),
            url_key: signed::UrlKey::new(&secret.derive("signed address")),
            oidc: oidc::Issuer::new(config.folder.join("oidc.key"), format!("{}/oidc", config.url)),
            config,
            records,
            repositories,
            holdings,
        })
    }

    /// The cache entries, for actions that are carried out natively.
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// The artifacts, for actions that are carried out natively.
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// The bytes of both.
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// Where the bytes of an artifact are, for some time and whoever has the address.
    pub fn download_address(&self, artifact: &Artifact, now: Timestamp) -> Option<String> {
        blobs::artifact_address(self, artifact, now)
    }

    /// All routes; who asks comes with the request, as a token of a job or as an extension.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/twirp/{service}/{method}", post(twirp::serve))
            .route("/_apis/artifactcache/{*rest}", any(cache_v1::serve))
            .route("/_blobs/upload/{upload}", any(blobs::upload))
            .route("/_blobs/download/{digest}", any(blobs::download))
            .route("/oidc/token", get(oidc::token))
            .route("/oidc/.well-known/openid-configuration", get(oidc::discovery))
            .route("/oidc/.well-known/jwks", get(oidc::keys))
            .route("/api/v3", any(rest::serve))
            .route("/api/v3/", any(rest::serve))
            .route("/api/v3/{*rest}", any(rest::serve))
            .route("/api/graphql", any(rest::graphql))
            .route("/repos/{*rest}", any(rest::serve))
            .route("/rate_limit", any(rest::serve))
            .route("/meta", any(rest::serve))
            .with_state(self.clone())
    }

    /// Deletes what is over its time, now and every hour, until the process ends.
    pub async fn run(self: Arc<Self>) {
        let mut tick = tokio::time::interval(HOUSEKEEPING);
        loop {
            tick.tick().await;
            self.clean_up().await;
        }
    }

    /// Deletes what is over its time. What cannot be deleted is told and tried again next time.
    pub async fn clean_up(&self) {
        let now = store::now();
        if let Err(error) = self.artifacts.expire(now).await {
            tracing::error!(%error, "old artifacts could not be deleted");
        }
        if let Err(error) = self.caches.evict(now).await {
            tracing::error!(%error, "old cache entries could not be deleted");
        }
        if let Err(error) = self.caches.sweep(SystemTime::now()).await {
            tracing::error!(%error, "old cache trees could not be deleted");
        }
        if let Err(error) = self.staging.sweep().await {
            tracing::error!(%error, "old uploads could not be deleted");
        }
        if let Err(error) = self.forget_grants(now).await {
            tracing::error!(%error, "old grants of jobs could not be deleted");
        }
    }

    /// A job that was lost leaves its grant behind.
    async fn forget_grants(&self, now: Timestamp) -> Result<(), store::TypedError> {
        for grant in store::list::<JobGrant>(&*self.records, "").await? {
            if grant.expires <= now {
                store::remove::<JobGrant>(&*self.records, &grant.key()).await?;
            }
        }
        Ok(())
    }
}
