//! The bytes behind artifacts and caches, deleted with the last entry that needs them.

use std::sync::Arc;

use api::{Artifact, CacheEntry};
use names::Digest;
use store::{BlobError, Blobs, ByteStream, Records, TypedError};
use tokio::sync::Mutex;

/// Why bytes could not be kept, read or given up.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// They were given up by others between their arrival and their entry; sending them again helps.
    #[error("the bytes `{0}` are gone; upload them again")]
    Gone(Digest),
}

/// Records and bytes of what runs keep.
#[derive(Clone)]
pub struct Holdings {
    pub(crate) records: Arc<dyn Records>,
    blobs: Arc<dyn Blobs>,
    /// Held while an entry for a blob is written or a blob is deleted: else a
    /// blob could go away between the look for its entries and its deletion.
    guard: Arc<Mutex<()>>,
}

impl Holdings {
    /// `blobs` must be a home of its own: what no entry needs is deleted there.
    pub fn new(records: Arc<dyn Records>, blobs: Arc<dyn Blobs>) -> Self {
        Self { records, blobs, guard: Arc::default() }
    }

    pub fn records(&self) -> &dyn Records {
        &*self.records
    }

    /// Stores bytes; they stay only if [`Holdings::enter`] follows.
    pub async fn put(&self, bytes: ByteStream) -> Result<(Digest, u64), KeepError> {
        Ok(self.blobs.put(bytes).await?)
    }

    /// The bytes of an entry, in a range or all of them.
    pub async fn get(&self, digest: Digest, range: Option<std::ops::Range<u64>>) -> Result<ByteStream, KeepError> {
        Ok(self.blobs.get(digest, range).await?)
    }

    pub async fn size(&self, digest: Digest) -> Result<Option<u64>, KeepError> {
        Ok(self.blobs.stat(digest).await?)
    }

    /// Where the bytes lie as a file, if they are on this machine.
    pub fn local_path(&self, digest: Digest) -> Option<std::path::PathBuf> {
        self.blobs.local_path(digest)
    }

    /// Runs `write`, which makes an entry for the blob, while nobody can delete it.
    pub(crate) async fn enter<T>(
        &self,
        digest: Digest,
        write: impl Future<Output = Result<T, TypedError>>,
    ) -> Result<T, KeepError> {
        let _guard = self.guard.lock().await;
        if self.blobs.stat(digest).await?.is_none() {
            return Err(KeepError::Gone(digest));
        }
        Ok(write.await?)
    }

    /// Deletes the blob if no entry needs it.
    pub(crate) async fn give_up(&self, digest: Digest) -> Result<(), KeepError> {
        let _guard = self.guard.lock().await;
        let caches = store::list::<CacheEntry>(&*self.records, "").await?;
        let in_cache = caches.iter().any(|entry| entry.content.archive() == Some(digest));
        if in_cache || store::list::<Artifact>(&*self.records, "").await?.iter().any(|it| it.digest() == Some(digest)) {
            return Ok(());
        }
        Ok(self.blobs.delete(digest).await?)
    }
}

/// A fresh name for bytes on their way in; nobody guesses it.
pub fn upload_name() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
