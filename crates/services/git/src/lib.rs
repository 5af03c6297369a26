//! The Git host: smart HTTP over the system's git; a push becomes a record.
//!
//! Fetches and pushes are answered by `git upload-pack` and `git receive-pack`.
//! The answer to a push is held back until its [`api::Push`] records are
//! durable; then the pusher sees the progress of what it started.

mod guard;
mod orphans;
mod pkt_line;
mod progress;
mod pushes;
mod transport;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use repo::Repositories;
use store::Records;

pub use pushes::RecordError;

/// A pusher watches its run for at most this long; the run goes on without it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A single push may carry this much.
const PUSH_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;

/// What the Git host works with.
#[derive(Clone)]
pub struct Git {
    repositories: Repositories,
    records: Arc<dyn Records>,
    patience: Duration,
}

impl Git {
    pub fn new(repositories: Repositories, records: Arc<dyn Records>) -> Self {
        Self { repositories, records, patience: PATIENCE }
    }

    /// Writes the records of pushes that a crash cut off between Git and the store.
    pub async fn recover(&self) -> Result<(), RecordError> {
        for project in self.repositories.projects().map_err(RecordError::Git)? {
            if let Some(repository) = self.repositories.find(&project) {
                pushes::recover(&*self.records, &project, &repository).await?;
            }
        }
        Ok(())
    }

    /// The routes below `/git`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/git/{repository}/info/refs", get(transport::advertise))
            .route("/git/{repository}/git-upload-pack", post(transport::upload_pack))
            .route("/git/{repository}/git-receive-pack", post(transport::receive_pack))
            .layer(DefaultBodyLimit::max(PUSH_BYTES_MAX))
            .with_state(self.clone())
    }
}
