//! Between the blob store, which streams, and tar and gzip, which block.

use std::{
    fs::File,
    io::{self, Read, Write},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use names::Digest;
use store::{BlobError, Blobs, ByteStream};
use tokio::sync::mpsc;

const CHUNK_BYTES: usize = 256 * 1024;
/// Enough to keep both sides busy, little enough to hold in memory.
const CHUNKS_UNDER_WAY: usize = 8;

/// Hashes what passes.
pub(crate) struct Hash(ring::digest::Context);

impl Hash {
    pub fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        Digest::from_bytes(digest)
    }
}

/// A reader or writer that hashes and counts what passes through it.
pub(crate) struct Hashing<T> {
    inner: T,
    hash: Hash,
    count: u64,
}

impl<T> Hashing<T> {
    pub fn new(inner: T) -> Self {
        Self { inner, hash: Hash::new(), count: 0 }
    }

    pub fn finish(self) -> (T, Digest, u64) {
        (self.inner, self.hash.finish(), self.count)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        self.count += read as u64;
        Ok(read)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hash.update(buffer.get(..written).unwrap_or_default());
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A blob for a thread that may block.
pub(crate) async fn reader(blobs: &Arc<dyn Blobs>, digest: Digest) -> Result<Box<dyn Read + Send>, BlobError> {
    if let Some(path) = blobs.local_path(digest) {
        return match tokio::fs::File::open(path).await {
            Ok(file) => Ok(Box::new(file.into_std().await)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BlobError::NotFound(digest)),
            Err(error) => Err(error.into()),
        };
    }
    let mut stream = blobs.get(digest, None).await?;
    let (sender, chunks) = mpsc::channel(CHUNKS_UNDER_WAY);
    // Ends with the stream, or when the reader is dropped.
    tokio::spawn(async move {
        while let Some(chunk) = stream.next().await {
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
    });
    Ok(Box::new(ChunkReader { chunks, current: Bytes::new() }))
}

/// A file of this machine as a stream.
pub(crate) fn file_stream(mut file: File) -> ByteStream {
    let (sender, stream) = pipe();
    tokio::task::spawn_blocking(move || {
        let mut writer = sender;
        let copied = io::copy(&mut file, &mut writer).map(drop);
        writer.finish(copied);
    });
    stream
}

/// A writer for a thread that may block, and the stream of what is written to it.
pub(crate) fn pipe() -> (ChunkWriter, ByteStream) {
    let (sender, chunks) = mpsc::channel(CHUNKS_UNDER_WAY);
    let stream = futures_util::stream::unfold(chunks, |mut chunks: mpsc::Receiver<io::Result<Bytes>>| async move {
        let chunk = chunks.recv().await?;
        Some((chunk, chunks))
    });
    (ChunkWriter { sender, pending: BytesMut::new(), whole: Whole::No }, Box::pin(stream))
}

#[derive(PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

/// The writing end of [`pipe`]; dropped before [`ChunkWriter::finish`], it breaks the stream.
pub(crate) struct ChunkWriter {
    sender: mpsc::Sender<io::Result<Bytes>>,
    pending: BytesMut,
    whole: Whole,
}

impl ChunkWriter {
    /// Ends the stream, as whole or as failed.
    pub fn finish(mut self, outcome: io::Result<()>) {
        let flushed = match outcome {
            Ok(()) => self.flush(),
            Err(error) => Err(error),
        };
        self.whole = Whole::Yes;
        if let Err(error) = flushed {
            // A reader that is gone needs no reason.
            let _ = self.sender.blocking_send(Err(error));
        }
    }
}

impl Drop for ChunkWriter {
    fn drop(&mut self) {
        if self.whole == Whole::No {
            let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the writer ended early");
            // A reader that is gone or does not read has stopped for a reason of its own.
            let _ = self.sender.try_send(Err(cut));
        }
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(buffer);
        if self.pending.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let chunk = self.pending.split().freeze();
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

struct ChunkReader {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
