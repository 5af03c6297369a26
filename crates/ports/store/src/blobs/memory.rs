//! Blobs in memory: for tests.

use std::{
    collections::HashMap,
    ops::Range,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use names::Digest;

use super::{BlobError, Blobs, ByteStream, one_chunk};

/// Keeps blobs in memory.
#[derive(Default)]
pub struct MemoryBlobs {
    blobs: Mutex<HashMap<Digest, Bytes>>,
}

impl MemoryBlobs {
    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Bytes>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, mut stream: ByteStream) -> Result<(Digest, u64), BlobError> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        let digest = Digest::of(&bytes);
        let size = bytes.len() as u64;
        self.lock().insert(digest, bytes.freeze());
        Ok((digest, size))
    }

    async fn get(&self, digest: Digest, range: Option<Range<u64>>) -> Result<ByteStream, BlobError> {
        let bytes = self.lock().get(&digest).cloned().ok_or(BlobError::NotFound(digest))?;
        let Some(range) = range else {
            return Ok(one_chunk(bytes));
        };
        let cut = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        let (start, end) = (cut(range.start), cut(range.end));
        Ok(one_chunk(bytes.slice(start..end.max(start))))
    }

    async fn stat(&self, digest: Digest) -> Result<Option<u64>, BlobError> {
        Ok(self.lock().get(&digest).map(|bytes| bytes.len() as u64))
    }

    async fn delete(&self, digest: Digest) -> Result<(), BlobError> {
        self.lock().remove(&digest);
        Ok(())
    }

    fn local_path(&self, _: Digest) -> Option<PathBuf> {
        None
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn keeps_the_contract() {
        crate::contract::blobs::check(&super::MemoryBlobs::default()).await;
    }
}
