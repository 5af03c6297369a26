//! Uploads on their way in: blocks as files, put in order at the end.

use std::{
    collections::HashMap,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use names::Digest;
use store::ByteStream;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

/// Azure's limit for the blocks of one blob.
const BLOCKS_MAX: usize = 50_000;
/// An upload that nobody finished is forgotten after the longest job.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The file with the names of the blocks in their order.
const ORDER: &str = "order";
/// The block of an upload that comes in one piece, or in pieces that say where they belong.
const WHOLE: &str = "whole";

/// Why a part of an upload was not taken.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    #[error("an upload has at most {limit_bytes} bytes here")]
    TooLarge { limit_bytes: u64 },
    #[error("an upload has at most {BLOCKS_MAX} blocks")]
    TooManyBlocks,
    #[error("there is no block `{0}` in this upload")]
    NoBlock(String),
    #[error("nothing was uploaded")]
    Empty,
    #[error("the upload broke off: {0}")]
    BrokenOff(String),
    #[error("the upload could not be kept")]
    Io(#[from] io::Error),
}

/// All uploads under way, one folder for each.
pub struct Staging {
    folder: PathBuf,
    /// Bytes of each upload so far, so that one upload cannot fill the disk block by block.
    sizes: Mutex<HashMap<String, u64>>,
}

impl Staging {
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, sizes: Mutex::default() })
    }

    fn path(&self, upload: &str) -> PathBuf {
        // Names are ours, but they come back through addresses.
        self.folder.join(Digest::of(upload.as_bytes()).hex())
    }

    /// Takes one block; a block of this name that is there is replaced.
    pub async fn put_block(&self, upload: &str, block: &str, body: Body, limit_bytes: u64) -> Result<(), StagingError> {
        let folder = self.path(upload);
        tokio::fs::create_dir_all(&folder).await?;
        let place = folder.join(block_file(block));
        // Two tries of one block may overlap; each writes a file of its own.
        let draft = folder.join(format!("draft-{}", keep::upload_name()?));
        let mut file = tokio::fs::File::create_new(&draft).await?;
        let written = self.write(upload, &mut file, body, limit_bytes).await;
        if let Err(error) = written {
            tokio::fs::remove_file(&draft).await?;
            return Err(error);
        }
        tokio::fs::rename(&draft, &place).await?;
        Ok(())
    }

    /// Takes the whole upload in one piece.
    pub async fn put_whole(&self, upload: &str, body: Body, limit_bytes: u64) -> Result<(), StagingError> {
        self.put_block(upload, WHOLE, body, limit_bytes).await?;
        self.put_order(upload, &[WHOLE.to_owned()]).await
    }

    /// Takes a piece that begins at `offset`; pieces come in any order.
    pub async fn put_piece(&self, upload: &str, offset: u64, body: Body, limit_bytes: u64) -> Result<(), StagingError> {
        if offset > limit_bytes {
            return Err(StagingError::TooLarge { limit_bytes });
        }
        let folder = self.path(upload);
        tokio::fs::create_dir_all(&folder).await?;
        let mut options = tokio::fs::File::options();
        let mut file = options.create(true).truncate(false).write(true).open(folder.join(block_file(WHOLE))).await?;
        file.seek(SeekFrom::Start(offset)).await?;
        self.write(upload, &mut file, body, limit_bytes).await?;
        self.put_order(upload, &[WHOLE.to_owned()]).await
    }

    async fn write(&self, upload: &str, file: &mut tokio::fs::File, body: Body, limit_bytes: u64) -> Result<(), StagingError> {
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| StagingError::BrokenOff(error.to_string()))?;
            let total = {
                let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
                let total = sizes.entry(upload.to_owned()).or_default();
                *total += chunk.len() as u64;
                *total
            };
            // Blocks that are sent again count twice: room for some of that.
            if total > limit_bytes.saturating_mul(2) {
                return Err(StagingError::TooLarge { limit_bytes });
            }
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        Ok(())
    }

    /// Says of which blocks the upload consists.
    pub async fn put_order(&self, upload: &str, blocks: &[String]) -> Result<(), StagingError> {
        if blocks.len() > BLOCKS_MAX {
            return Err(StagingError::TooManyBlocks);
        }
        let folder = self.path(upload);
        tokio::fs::create_dir_all(&folder).await?;
        let mut order = String::new();
        for block in blocks {
            let file = block_file(block);
            if !tokio::fs::try_exists(folder.join(&file)).await? {
                return Err(StagingError::NoBlock(block.clone()));
            }
            order.push_str(&file);
            order.push('\n');
        }
        let draft = folder.join(format!("draft-{}", keep::upload_name()?));
        tokio::fs::write(&draft, order).await?;
        tokio::fs::rename(&draft, folder.join(ORDER)).await?;
        Ok(())
    }

    /// All bytes of an upload in order, and how many they are.
    pub async fn content(&self, upload: &str, limit_bytes: u64) -> Result<(ByteStream, u64), StagingError> {
        let folder = self.path(upload);
        let order = match tokio::fs::read_to_string(folder.join(ORDER)).await {
            Ok(order) => order,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StagingError::Empty),
            Err(error) => return Err(error.into()),
        };
        let files: Vec<PathBuf> = order.lines().map(|file| folder.join(file)).collect();
        let mut size = 0;
        for file in &files {
            size += tokio::fs::metadata(file).await?.len();
        }
        if size > limit_bytes {
            return Err(StagingError::TooLarge { limit_bytes });
        }
        let opened = stream::iter(files).then(|file| async move { open(&file).await });
        Ok((Box::pin(opened.try_flatten()), size))
    }

    /// Forgets an upload.
    pub async fn discard(&self, upload: &str) -> io::Result<()> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).remove(upload);
        match tokio::fs::remove_dir_all(self.path(upload)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Forgets uploads that nobody finished.
    pub async fn sweep(&self) -> io::Result<()> {
        let mut entries = tokio::fs::read_dir(&self.folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let age = SystemTime::now().duration_since(entry.metadata().await?.modified()?).unwrap_or_default();
            if age > KEPT {
                tokio::fs::remove_dir_all(entry.path()).await?;
            }
        }
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).retain(|upload, _| self.path(upload).exists());
        Ok(())
    }
}

async fn open(file: &Path) -> io::Result<impl futures_util::Stream<Item = io::Result<Bytes>> + Send + use<>> {
    Ok(ReaderStream::with_capacity(tokio::fs::File::open(file).await?, 256 * 1024))
}

/// Clients choose the names of blocks.
fn block_file(block: &str) -> String {
    format!("block-{}", Digest::of(block.as_bytes()).hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn blocks_are_put_in_the_order_that_the_client_says() {
        let (_folder, staging) = stage();
        for (name, text) in [("b", "two"), ("a", "one "), ("a", "ONE ")] {
            staging.put_block("u", name, Body::from(text), 100).await.expect("put");
        }
        staging.put_order("u", &["a".to_owned(), "b".to_owned()]).await.expect("order");
        assert_eq!(content(&staging).await, "ONE two");
        let missing = staging.put_order("u", &["c".to_owned()]).await.expect_err("no such block");
        assert_eq!(missing.to_string(), "there is no block `c` in this upload");
        staging.discard("u").await.expect("discard");
        assert!(matches!(staging.content("u", 100).await, Err(StagingError::Empty)));
    }

    #[tokio::test]
    async fn pieces_come_in_any_order() {
        let (_folder, staging) = stage();
        staging.put_piece("u", 4, Body::from("two"), 100).await.expect("put");
        staging.put_piece("u", 0, Body::from("one "), 100).await.expect("put");
        assert_eq!(content(&staging).await, "one two");
    }

    #[tokio::test]
    async fn an_upload_has_an_end() {
        let (_folder, staging) = stage();
        staging.put_whole("u", Body::from("0123456789"), 9).await.expect("room for repeated blocks");
        let refused = staging.content("u", 9).await.map(|(_, size)| size).expect_err("too large");
        assert_eq!(refused.to_string(), "an upload has at most 9 bytes here");
        let refused = staging.put_block("u", "b", Body::from("0123456789"), 9).await.expect_err("too large");
        assert_eq!(refused.to_string(), "an upload has at most 9 bytes here");
    }

    fn stage() -> (tempfile::TempDir, Staging) {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = Staging::open(folder.path().join("uploads")).expect("open");
        (folder, staging)
    }

    async fn content(staging: &Staging) -> String {
        let (stream, size) = staging.content("u", 100).await.expect("content");
        let chunks: Vec<Bytes> = stream.try_collect().await.expect("bytes");
        let text = String::from_utf8(chunks.concat()).expect("text");
        assert_eq!(text.len() as u64, size);
        text
    }
}
