//! Blobs as files: `sha256/ab/abcdef…`, written beside and renamed when whole.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use names::Digest;
use tokio::{
    fs,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
};

use super::{BlobError, Blobs, ByteStream};

/// Large enough that a system call per chunk does not matter.
const CHUNK_BYTES: usize = 256 * 1024;

/// Keeps blobs in a folder.
pub struct DiskBlobs {
    folder: PathBuf,
    next_upload: AtomicU64,
}

impl DiskBlobs {
    /// Opens or makes the store in `folder`; uploads that a crash left are removed.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        let uploads = folder.join("uploads");
        match std::fs::remove_dir_all(&uploads) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(&uploads)?;
        std::fs::create_dir_all(folder.join("sha256"))?;
        Ok(Self { folder, next_upload: AtomicU64::new(0) })
    }

    /// A path in the store's file system for bytes on their way; hand it to [`DiskBlobs::adopt`].
    pub fn upload_path(&self) -> PathBuf {
        let number = self.next_upload.fetch_add(1, Ordering::Relaxed);
        self.folder.join("uploads").join(number.to_string())
    }

    /// Makes the file at `upload`, whose digest the caller has computed, a blob.
    ///
    /// The file must be whole and lie in the store's file system; it is synced here.
    pub async fn adopt(&self, upload: &Path, digest: Digest) -> io::Result<()> {
        let (upload, target) = (upload.to_owned(), self.path(digest));
        // All of it on one thread of those that may wait for the disk.
        tokio::task::spawn_blocking(move || keep(&upload, &target)).await.map_err(io::Error::other)?
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        let shard: String = hex.chars().take(2).collect();
        self.folder.join("sha256").join(shard).join(hex)
    }

    async fn write(&self, path: &Path, mut bytes: ByteStream) -> io::Result<(Digest, u64)> {
        let mut file = fs::File::create(path).await?;
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        let mut size = 0;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk?;
            hash.update(&chunk);
            size += chunk.len() as u64;
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        let mut digest = [0; 32];
        digest.copy_from_slice(hash.finish().as_ref());
        Ok((Digest::from_bytes(digest), size))
    }
}

/// Moves a whole upload to its place, durably.
fn keep(upload: &Path, target: &Path) -> io::Result<()> {
    if target.try_exists()? {
        return std::fs::remove_file(upload);
    }
    std::fs::File::open(upload)?.sync_all()?;
    let parent = target.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent)?;
    std::fs::rename(upload, target)?;
    // The name is durable only when its folder is.
    std::fs::File::open(parent)?.sync_all()
}

#[async_trait]
impl Blobs for DiskBlobs {
    async fn put(&self, bytes: ByteStream) -> Result<(Digest, u64), BlobError> {
        let upload = self.upload_path();
        let stored = async {
            let (digest, size) = self.write(&upload, bytes).await?;
            self.adopt(&upload, digest).await?;
            Ok((digest, size))
        };
        let stored: io::Result<_> = stored.await;
        if stored.is_err() {
            // Best effort: what stays is removed at the next start.
            let _ = fs::remove_file(&upload).await;
        }
        Ok(stored?)
    }

    async fn get(&self, digest: Digest, range: Option<Range<u64>>) -> Result<ByteStream, BlobError> {
        let mut file = match fs::File::open(self.path(digest)).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BlobError::NotFound(digest));
            }
            Err(error) => return Err(error.into()),
        };
        let range = range.unwrap_or(0..u64::MAX);
        if range.start > 0 {
            file.seek(io::SeekFrom::Start(range.start)).await?;
        }
        let part = file.take(range.end.saturating_sub(range.start));
        Ok(Box::pin(futures_util::stream::unfold(Some(part), |part| async move {
            let mut part = part?;
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            match (&mut part).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await {
                Ok(0) => None,
                Ok(_) => Some((Ok(Bytes::from(chunk)), Some(part))),
                Err(error) => Some((Err(error), None)),
            }
        })))
    }

    async fn stat(&self, digest: Digest) -> Result<Option<u64>, BlobError> {
        match fs::metadata(self.path(digest)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(&self, digest: Digest) -> Result<(), BlobError> {
        match fs::remove_file(self.path(digest)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn local_path(&self, digest: Digest) -> Option<PathBuf> {
        Some(self.path(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = DiskBlobs::open(folder.path()).expect("open");
        crate::contract::blobs::check(&blobs).await;
        let left = std::fs::read_dir(folder.path().join("uploads")).expect("a folder").count();
        assert_eq!(left, 0, "a broken upload leaves nothing");
    }
}
