//! The port for blobs: bytes of any size, named by their digest.

pub(crate) mod disk;
pub(crate) mod memory;

use std::{ops::Range, path::PathBuf, pin::Pin};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use names::Digest;

/// Bytes as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// Why a blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("no blob {0}")]
    NotFound(Digest),
    #[error("expected at most {limit_bytes} bytes in blob {digest}, found {size_bytes}")]
    TooLarge { digest: Digest, size_bytes: u64, limit_bytes: u64 },
    /// The disk or the bucket failed; the same call may succeed later.
    #[error("the blob store could not be reached")]
    Unavailable(#[from] std::io::Error),
}

/// Stores bytes under their digest.
///
/// # Contract
///
/// - A blob is visible only once it is whole, and durable before `put` returns.
/// - `put` of a blob that is already there succeeds and changes nothing.
/// - `get` gives the bytes in `range`, cut at the end of the blob; all without one.
/// - `delete` of a blob that is not there succeeds.
/// - `local_path` names a file with exactly the bytes of the blob if it lies on this machine.
///
/// Every implementation passes the contract test of this module.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    async fn put(&self, bytes: ByteStream) -> Result<(Digest, u64), BlobError>;
    async fn get(&self, digest: Digest, range: Option<Range<u64>>) -> Result<ByteStream, BlobError>;
    /// The size in bytes, if the blob is there.
    async fn stat(&self, digest: Digest) -> Result<Option<u64>, BlobError>;
    async fn delete(&self, digest: Digest) -> Result<(), BlobError>;
    fn local_path(&self, digest: Digest) -> Option<PathBuf>;
}

/// A stream of just these bytes.
pub fn one_chunk(bytes: impl Into<Bytes>) -> ByteStream {
    let bytes = bytes.into();
    Box::pin(futures_util::stream::once(async move { Ok(bytes) }))
}

/// Stores bytes that are in memory.
pub async fn put_bytes(blobs: &dyn Blobs, bytes: impl Into<Bytes> + Send) -> Result<Digest, BlobError> {
    let (digest, _) = blobs.put(one_chunk(bytes)).await?;
    Ok(digest)
}

/// Reads a whole blob of at most `limit_bytes` into memory.
pub async fn get_bytes(
    blobs: &dyn Blobs,
    digest: Digest,
    limit_bytes: u64,
) -> Result<Bytes, BlobError> {
    let size_bytes = blobs.stat(digest).await?.ok_or(BlobError::NotFound(digest))?;
    if size_bytes > limit_bytes {
        return Err(BlobError::TooLarge { digest, size_bytes, limit_bytes });
    }
    let mut stream = blobs.get(digest, None).await?;
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
pub(crate) mod contract {
    use super::*;

    pub(crate) async fn check(blobs: &dyn Blobs) {
        let digest = put_bytes(blobs, "layer").await.expect("put");
        assert_eq!(digest, Digest::of(b"layer"));
        assert_eq!(put_bytes(blobs, "layer").await.expect("put again"), digest);
        assert_eq!(get_bytes(blobs, digest, 5).await.expect("get"), "layer");
        assert!(matches!(get_bytes(blobs, digest, 4).await, Err(BlobError::TooLarge { .. })));
        assert_eq!(blobs.stat(digest).await.expect("stat"), Some(5));

        let mut part = blobs.get(digest, Some(1..100)).await.expect("get part");
        assert_eq!(part.next().await.expect("a chunk").expect("bytes"), "ayer");
        if let Some(path) = blobs.local_path(digest) {
            assert_eq!(std::fs::read(path).expect("read"), b"layer");
        }

        let broken: ByteStream =
            Box::pin(futures_util::stream::iter([Ok("half".into()), Err(std::io::Error::other("cut"))]));
        assert!(blobs.put(broken).await.is_err());
        assert_eq!(blobs.stat(Digest::of(b"half")).await.expect("stat"), None);

        blobs.delete(digest).await.expect("delete");
        blobs.delete(digest).await.expect("delete again");
        let missing = blobs.get(digest, None).await.err();
        assert!(matches!(missing, Some(BlobError::NotFound(it)) if it == digest));
    }
}
