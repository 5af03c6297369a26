//! Releases: captures what a run deploys, judges it, and goes back when it is bad.
//!
//! A job reaches the cluster through [`Deliver::cluster_router`]. Whatever it
//! applies there becomes part of the release of its environment: images pinned
//! to digests, each object as it was before and as it is after.

mod capture;
mod drill;
mod environments;
mod intents;
mod judge;
mod releases;
mod rollback;
mod routes;
mod snapshot;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::Router;
use identity::Seal;
use names::ProjectName;
use rehearsal::{Nodes, Rehearsal};
use store::{Blobs, Records};

pub use judge::JudgeError;

use objects::{ClusterError, KubeApi};

/// What the deploy service works with.
#[derive(Clone)]
pub struct Deliver {
    records: Arc<dyn Records>,
    cluster: KubeApi,
    images: Arc<oci::Images>,
    snapshots: snapshot::Snapshots,
    rehearsal: Rehearsal,
    node_registry: Option<String>,
    /// Namespaces of projects that are known to be there.
    namespaces: Arc<Mutex<HashSet<ProjectName>>>,
}

impl Deliver {
    /// `client` reaches the cluster with all rights; `seal` guards Secrets at rest.
    pub fn new(
        records: Arc<dyn Records>,
        blobs: Arc<dyn Blobs>,
        client: kube::Client,
        images: Arc<oci::Images>,
        seal: Seal,
        nodes: Nodes,
    ) -> Self {
        let snapshots = snapshot::Snapshots::new(blobs, seal);
        let cluster = KubeApi::new(client);
        let rehearsal = Rehearsal::new(records.clone(), cluster.clone(), images.clone(), nodes);
        Self { records, cluster, images, snapshots, rehearsal, node_registry: None, namespaces: Arc::default() }
    }

    /// Names images by the registry at `prefix`, because the cluster cannot reach our own.
    pub fn with_registry(mut self, prefix: String) -> Self {
        self.node_registry = Some(prefix);
        self
    }

    /// The Kubernetes API as a job sees it: any path, the principal decides.
    pub fn cluster_router(&self) -> Router {
        Router::new().fallback(capture::handle).with_state(self.clone())
    }

    /// Makes the namespace of a project if it is not there.
    async fn ensure_namespace(&self, project: &ProjectName) -> Result<(), ClusterError> {
        let known = || self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(project) {
            return Ok(());
        }
        self.cluster.ensure_namespace(project.as_str(), &[("landfall.dev/project", project.as_str())]).await?;
        known().insert(project.clone());
        Ok(())
    }

    /// The service's own routes below `/landfall/v1`.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// Judges releases until the process ends.
    ///
    /// # Errors
    ///
    /// When the record store is gone.
    pub async fn run(self) -> Result<(), JudgeError> {
        intents::take_up(&self).await?;
        judge::run(self).await
    }
}
