//! Layers on disk: each unpacked once, under its uncompressed digest, in the form overlayfs mounts.
//!
//! An unpacked layer is whole when its mark names the running boot or says that
//! it was synced: what a crash of the machine may have torn is unpacked again.
//! So nobody waits for the disk, and no half folder is ever mounted.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use names::Digest;
use store::{BlobError, Blobs};

use crate::{
    archive,
    blob_io::{self, Hashing},
    extract::{self, ExtractError},
    layer_tar::{self, LayerError},
    overlay::Marks,
};

/// Written instead of the boot's id once everything is on the disk.
const SYNCED: &str = "synced";
/// The folder below an image without layers: overlayfs mounts nothing over nothing.
const EMPTY: &str = "empty";
/// Layers are unpacked on every start of a build: quick to write matters more than small.
pub(crate) const GZIP_LEVEL: u32 = 1;

/// A layer: the blob, what it is uncompressed, and where it lies unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of the (compressed) blob.
    pub digest: Digest,
    /// The digest of the uncompressed tar.
    pub diff_id: Digest,
    /// The size of the blob.
    pub size: u64,
    pub media_type: String,
    /// Where it is once `lower_dirs` or `unpack` has returned.
    pub dir: PathBuf,
}

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("layer {digest} could not be read")]
    Blob { digest: Digest, source: BlobError },
    #[error("layer {digest} could not be unpacked: {source}")]
    Extract { digest: Digest, source: ExtractError },
    #[error("layer {digest} says it unpacks to {expected}, but it unpacks to {found}")]
    WrongContent { digest: Digest, expected: Digest, found: Digest },
    #[error("the folder of layer {digest} could not be made: {source}")]
    Folder { digest: Digest, source: io::Error },
}

pub(crate) struct LayerStore {
    folder: PathBuf,
    blobs: Arc<dyn Blobs>,
    marks: Marks,
    boot: String,
    under_way: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
}

impl LayerStore {
    pub fn open(folder: PathBuf, blobs: Arc<dyn Blobs>) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        fs::create_dir_all(folder.join(EMPTY))?;
        let store = Self { folder, blobs, marks: Marks::of_process(), boot, under_way: Mutex::default() };
        store.remove_leftovers()?;
        Ok(store)
    }

    pub fn dir(&self, diff_id: Digest) -> PathBuf {
        self.folder.join(diff_id.hex())
    }

    pub fn empty_dir(&self) -> PathBuf {
        self.folder.join(EMPTY)
    }

    /// Unpacks the layer unless it is; of several callers one works and all get the result.
    pub async fn unpack(&self, layer: &Layer) -> Result<PathBuf, UnpackError> {
        let dir = self.dir(layer.diff_id);
        if self.is_whole(layer.diff_id) {
            return Ok(dir);
        }
        let turn = self.turn(layer.diff_id);
        let _mine = turn.lock().await;
        if self.is_whole(layer.diff_id) {
            return Ok(dir);
        }
        let digest = layer.digest;
        let reader = blob_io::reader(&self.blobs, digest)
            .await
            .map_err(|source| UnpackError::Blob { digest, source })?;
        let (scratch, marks, expected) = (self.scratch(), self.marks, layer.diff_id);
        let place = scratch.clone();
        let unpacked = blocking(move || unpack_into(reader, &place, marks, digest, expected)).await;
        let kept = unpacked.and_then(|()| {
            self.keep(&scratch, layer.diff_id).map_err(|source| UnpackError::Folder { digest, source })
        });
        if kept.is_err() {
            remove_folder(scratch).await;
        }
        kept.map(|()| dir)
    }

    /// Writes the folder as a layer blob in one pass; the folder stays where it is.
    pub async fn store(&self, folder: &Path, source: layer_tar::Source) -> Result<Layer, StoreError> {
        let (writer, stream) = blob_io::pipe();
        let folder = folder.to_owned();
        let written = blocking(move || {
            let gzip = flate2::GzBuilder::new().mtime(0).operating_system(255);
            let gzip = gzip.write(writer, flate2::Compression::new(GZIP_LEVEL));
            let tar = layer_tar::write(&folder, source, Hashing::new(io::BufWriter::with_capacity(256 * 1024, gzip)))?;
            let (buffer, diff_id, _) = tar.finish();
            let gzip = buffer.into_inner().map_err(|error| LayerError::Write(error.into_error()))?;
            let writer = gzip.finish().map_err(LayerError::Write)?;
            writer.finish(Ok(()));
            Ok::<_, LayerError>(diff_id)
        });
        let (diff_id, stored) = tokio::join!(written, self.blobs.put(stream));
        // The reason stands with the writer; the store only saw the stream break.
        let diff_id = diff_id?;
        let (digest, size) = stored?;
        let media_type = image::media::OCI_LAYER_GZIP.to_owned();
        Ok(Layer { digest, diff_id, size, media_type, dir: self.dir(diff_id) })
    }

    /// Makes `folder`, which holds just what `layer` unpacks to, the unpacked layer.
    ///
    /// A folder in another file system is left for its owner; the layer is then unpacked from its blob.
    pub async fn adopt(&self, folder: &Path, layer: &Layer) -> Result<(), UnpackError> {
        let turn = self.turn(layer.diff_id);
        let _mine = turn.lock().await;
        if self.is_whole(layer.diff_id) {
            return Ok(());
        }
        let failed = |source| UnpackError::Folder { digest: layer.digest, source };
        match self.keep(folder, layer.diff_id) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Ok(()),
            kept => kept.map_err(failed),
        }
    }


    fn is_whole(&self, diff_id: Digest) -> bool {
        let mark = fs::read_to_string(self.mark(diff_id));
        mark.is_ok_and(|mark| mark == SYNCED || mark == self.boot) && self.dir(diff_id).is_dir()
    }

    fn mark(&self, diff_id: Digest) -> PathBuf {
        self.folder.join(format!("{}.whole", diff_id.hex()))
    }

    fn scratch(&self) -> PathBuf {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.folder.join(format!("unpacking-{}-{number}", std::process::id()))
    }

    fn turn(&self, diff_id: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.entry(diff_id).or_default().clone()
    }

    fn keep(&self, folder: &Path, diff_id: Digest) -> io::Result<()> {
        let dir = self.dir(diff_id);
        // A folder without a valid mark is what a crash left.
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(folder, &dir)?;
        write_whole(&self.mark(diff_id), &self.boot)?;
        let (folder, mark) = (self.folder.clone(), self.mark(diff_id));
        // Nobody waits for it: until it is done the mark is good for this boot only.
        tokio::task::spawn_blocking(move || {
            let synced = fs::File::open(&folder).and_then(|folder| {
                rustix::fs::syncfs(&folder)?;
                if mark.exists() { write_whole(&mark, SYNCED) } else { Ok(()) }
            });
            if let Err(error) = synced {
                tracing::debug!(%error, "an unpacked layer could not be synced; it is unpacked again after a crash");
            }
        });
        Ok(())
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name == EMPTY || name.ends_with(".whole") || name.ends_with(".new") {
                continue;
            }
            let whole = format!("sha256:{name}").parse().is_ok_and(|diff_id| self.is_whole(diff_id));
            if !whole && entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Why a folder could not be stored as a layer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(transparent)]
    Blob(#[from] BlobError),
}

fn unpack_into(
    reader: Box<dyn io::Read + Send>,
    scratch: &Path,
    marks: Marks,
    digest: Digest,
    expected: Digest,
) -> Result<(), UnpackError> {
    fs::create_dir(scratch).map_err(|source| UnpackError::Folder { digest, source })?;
    let failed = |source| UnpackError::Extract { digest, source };
    let (_, plain) = archive::decompress(reader).map_err(|error| failed(archive::ReadError::Io(error).into()))?;
    let mut plain = Hashing::new(plain);
    extract::extract(&mut plain, scratch, marks).map_err(failed)?;
    let (_, found, _) = plain.finish();
    if found != expected {
        return Err(UnpackError::WrongContent { digest, expected, found });
    }
    Ok(())
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

async fn remove_folder(folder: PathBuf) {
    blocking(move || {
        if let Err(error) = fs::remove_dir_all(&folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, folder = %folder.display(), "a half unpacked layer stays until the next start");
        }
    })
    .await;
}

/// Runs what blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels a blocking task that nobody aborts.
            Err(_) => std::future::pending().await,
        },
    }
}
