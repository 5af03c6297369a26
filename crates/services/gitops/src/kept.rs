//! Rendered manifests, kept sealed by the digest of their text.

use std::sync::Arc;

use api::{KeptManifests, ObjectRef};
use identity::{Seal, SealError};
use names::Digest;
use serde_json::Value;
use store::{BlobError, Blobs, Records, TypedError};

/// More than any app renders.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

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
}

/// Objects with their names in the API.
pub type Objects = Vec<(ObjectRef, Value)>;

impl Manifests {
    pub fn new(records: Arc<dyn Records>, blobs: Arc<dyn Blobs>, seal: Seal) -> Self {
        Self { records, blobs, seal }
    }

    pub async fn keep(&self, rendered: Digest, objects: &Objects) -> Result<(), KeptError> {
        if store::find::<KeptManifests>(&*self.records, &rendered.hex()).await?.is_some() {
            return Ok(());
        }
        let sealed = self.seal.seal(&serde_json::to_vec(objects)?)?;
        let blob = store::put_bytes(&*self.blobs, sealed).await?;
        store::put(&*self.records, &KeptManifests { rendered, blob }).await?;
        Ok(())
    }

    pub async fn read(&self, rendered: Digest) -> Result<Objects, KeptError> {
        let kept = store::find::<KeptManifests>(&*self.records, &rendered.hex()).await?.ok_or(KeptError::Gone(rendered))?;
        let sealed = store::get_bytes(&*self.blobs, kept.blob, BYTES_MAX).await?;
        Ok(serde_json::from_slice(&self.seal.unseal(&sealed)?)?)
    }
}
