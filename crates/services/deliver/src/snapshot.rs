//! Objects as they were, kept as blobs; Secrets sealed.

use std::sync::Arc;

use api::ObjectRef;
use identity::{Seal, SealError};
use names::Digest;
use serde_json::Value;
use store::{BlobError, Blobs};


/// An object of the API is at most 1.5 MiB; sealing adds little.
const OBJECT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why an object could not be kept or read again.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("a kept object is not readable")]
    Unreadable(#[from] serde_json::Error),
}

/// Keeps objects as they were.
#[derive(Clone)]
pub struct Snapshots {
    blobs: Arc<dyn Blobs>,
    seal: Seal,
}

impl Snapshots {
    pub fn new(blobs: Arc<dyn Blobs>, seal: Seal) -> Self {
        Self { blobs, seal }
    }

    /// Keeps what the author of the object wrote; equal objects have equal digests, Secrets aside.
    pub async fn keep(&self, object: &ObjectRef, value: &Value) -> Result<Digest, SnapshotError> {
        let bytes = serde_json::to_vec(&delivery::kept(value))?;
        let bytes = if is_secret(object) { self.seal.seal(&bytes)? } else { bytes };
        Ok(store::put_bytes(&*self.blobs, bytes).await?)
    }

    pub async fn read(&self, object: &ObjectRef, digest: Digest) -> Result<Value, SnapshotError> {
        let bytes = store::get_bytes(&*self.blobs, digest, OBJECT_BYTES_MAX).await?;
        if is_secret(object) {
            return Ok(serde_json::from_slice(&self.seal.unseal(&bytes)?)?);
        }
        Ok(serde_json::from_slice(&bytes)?)
    }
}

fn is_secret(object: &ObjectRef) -> bool {
    object.kind == "Secret"
}
