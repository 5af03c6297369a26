//! Rendered manifests, kept sealed by the digest of their text.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use api::{KeptManifests, ObjectRef};
use identity::{Seal, SealError};
use names::Digest;
use serde_json::Value;
use store::{BlobError, Blobs, Records, TypedError};

/// More than any app renders.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// So many are held in memory; more syncs at the same time read theirs again.
const RECENT_MAX: usize = 8;

/// Why manifests could not be kept or read again.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("kept manifests are not readable")]
    Unreadable(#[from] serde_json::Error),
    #[error("the manifests `{0}` are not kept any more")]
    Gone(Digest),
}

/// The manifests of all deployments.
#[derive(Clone)]
pub struct Manifests {
    records: Arc<dyn Records>,
    blobs: Arc<dyn Blobs>,
    seal: Seal,
    /// Those that were read last, the latest at the end.
    recent: Arc<Mutex<Vec<(Digest, Arc<Objects>)>>>,
}

/// Objects with their names in the API.
pub type Objects = Vec<(ObjectRef, Value)>;

impl Manifests {
    pub fn new(records: Arc<dyn Records>, blobs: Arc<dyn Blobs>, seal: Seal) -> Self {
        Self { records, blobs, seal, recent: Arc::default() }
    }

    /// The digests that images had when a rendered state was deployed first; `None` if it never was.
    pub async fn pins(&self, rendered: Digest) -> Result<Option<BTreeMap<String, String>>, TypedError> {
        let kept = store::find::<KeptManifests>(&*self.records, &rendered.hex()).await?;
        Ok(kept.map(|it| it.pinned))
    }

    /// Keeps what a rendered state brings; `pinned` says what its images were named before.
    pub async fn keep(&self, rendered: Digest, objects: &Objects, pinned: &BTreeMap<String, String>) -> Result<(), KeptError> {
        if store::find::<KeptManifests>(&*self.records, &rendered.hex()).await?.is_some() {
            return Ok(());
        }
        let sealed = self.seal.seal(&serde_json::to_vec(objects)?)?;
        let blob = store::put_bytes(&*self.blobs, sealed).await?;
        store::put(&*self.records, &KeptManifests { rendered, blob, pinned: pinned.clone() }).await?;
        Ok(())
    }

    /// Removes manifests; the record first, so that nobody is promised what is gone.
    pub async fn forget(&self, kept: &KeptManifests) -> Result<(), TypedError> {
        store::remove::<KeptManifests>(&*self.records, &kept.rendered.hex()).await?;
        // Sealed twice, the same text is two blobs: no other record names this one.
        if let Err(error) = self.blobs.delete(kept.blob).await {
            tracing::warn!(%error, "a blob of manifests could not be removed");
        }
        Ok(())
    }

    pub async fn read(&self, rendered: Digest) -> Result<Arc<Objects>, KeptError> {
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // A sync asks for the same ones at each of its steps.
        if let Some((_, objects)) = recent().iter().find(|(known, _)| *known == rendered) {
            return Ok(objects.clone());
        }
        let kept = store::find::<KeptManifests>(&*self.records, &rendered.hex()).await?.ok_or(KeptError::Gone(rendered))?;
        let sealed = store::get_bytes(&*self.blobs, kept.blob, BYTES_MAX).await?;
        let objects: Arc<Objects> = Arc::new(serde_json::from_slice(&self.seal.unseal(&sealed)?)?);
        let mut recent = recent();
        if recent.len() >= RECENT_MAX {
            recent.remove(0);
        }
        recent.push((rendered, objects.clone()));
        Ok(objects)
    }
}
