//! Writes of jobs that are under way: one that a crash cut off still becomes part of its release.

use access::Principal;
use api::{ObjectRef, Record, ReleasedImage};
use names::Digest;
use serde::{Deserialize, Serialize};
use store::TypedError;

use objects::{ClusterError, path_of};
use crate::{
    Deliver,
    releases::{self, Deed},
    snapshot::SnapshotError,
};

/// What a job is about to do to one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    pub principal: Principal,
    pub object: ObjectRef,
    pub before: Option<Digest>,
    pub images: Vec<ReleasedImage>,
}

impl Record for Intent {
    const KIND: &'static str = "deploy-intent";

    fn key(&self) -> String {
        Digest::of(format!("{}\n{}", self.principal, path_of(&self.object)).as_bytes()).hex()
    }
}

/// Why an intent could not be taken up.
#[derive(Debug, thiserror::Error)]
enum TakeUpError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Writes down what was carried out before a crash and not written down.
pub async fn take_up(deliver: &Deliver) -> Result<(), TypedError> {
    for intent in store::list::<Intent>(&*deliver.records, "").await? {
        if let Err(error) = take_up_one(deliver, &intent).await {
            tracing::error!(%error, object = %intent.object, "a deploy that was cut off could not be looked at");
        }
    }
    Ok(())
}

async fn take_up_one(deliver: &Deliver, intent: &Intent) -> Result<(), TakeUpError> {
    let now = deliver.cluster.find(&intent.object).await?;
    let before = match intent.before {
        Some(digest) => Some(deliver.snapshots.read(&intent.object, digest).await?),
        None => None,
    };
    if now.as_ref().map(delivery::kept) != before {
        let after = match &now {
            Some(value) => Some(deliver.snapshots.keep(&intent.object, value).await?),
            None => None,
        };
        let Intent { object, before, images, .. } = intent.clone();
        releases::note(&*deliver.records, &intent.principal, Deed { object, before, after, images }).await?;
    }
    Ok(store::remove::<Intent>(&*deliver.records, &intent.key()).await?)
}
