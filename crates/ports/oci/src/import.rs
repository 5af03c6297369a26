//! Taking in images from files: root file systems, OCI layouts, docker archives.
//!
//! What a source is, its content says: names and endings are never asked.

mod bundle;
mod detect;
mod rootfs;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use names::{Digest, ImageRef};
use store::BlobError;

use crate::{
    archive::ReadError,
    images::{ImageError, Images, Origin, PutError, TagError},
    layer_tar::LayerError,
    layers::{UnpackError, blocking},
};

/// What a source turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A folder that is a root file system.
    RootFolder,
    /// A tar of a root file system.
    RootTar,
    OciLayoutFolder,
    OciLayoutTar,
    /// What `docker save` writes.
    DockerArchive,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Recognised(Shape),
    /// Bytes taken in so far.
    Copied(u64),
    Unpacking { layers: usize },
}

/// Is told how far an import is; called from other threads.
pub type Report = Arc<dyn Fn(Progress) + Send + Sync>;

/// An imported image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    pub digest: Digest,
    pub shape: Shape,
    pub layers: usize,
    /// The size of all layer blobs.
    pub size_bytes: u64,
}

/// Why nothing could be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("`{path}` could not be read: {source}")]
    Source { path: PathBuf, source: io::Error },
    #[error(
        "`{path}` is nothing to import: looked for a folder (root file system, or OCI layout with `index.json`) and for a tar, plain or compressed with gzip or zstd (root file system, OCI layout, docker archive); {reason}"
    )]
    Unrecognised { path: PathBuf, reason: String },
    #[error("`{path}` is {shape}, but {reason}")]
    Broken { path: PathBuf, shape: Shape, reason: String },
    #[error("`{path}` holds several images and none is called `{name}`; it has {found}")]
    Several { path: PathBuf, name: String, found: String },
    #[error("`{path}` could not be read to its end: {source}")]
    Archive { path: PathBuf, source: ReadError },
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("the image could not be stored")]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Put(#[from] PutError),
    #[error(transparent)]
    Tag(#[from] TagError),
}

impl Images {
    /// Imports what lies at `source` and lets `name` mean it.
    ///
    /// The image is unpacked before it is named, so a broken one never gets a name.
    pub async fn import(
        &self,
        source: &Path,
        name: &ImageRef,
        by: &Origin,
        report: Report,
    ) -> Result<Imported, ImportError> {
        let place = source.to_owned();
        let shape = blocking(move || detect::shape(&place)).await?;
        report(Progress::Recognised(shape));
        let digest = match shape {
            Shape::RootFolder => self.import_folder(source).await?,
            Shape::RootTar => self.import_tar(source, &report).await?,
            Shape::OciLayoutFolder | Shape::OciLayoutTar => self.import_layout(source, shape, name, &report).await?,
            Shape::DockerArchive => self.import_docker(source, name, &report).await?,
        };
        let image = self.image(digest).await?;
        report(Progress::Unpacking { layers: image.layers.len() });
        self.lower_dirs(&image).await?;
        self.tag(name, digest, by).await?;
        let size_bytes = image.layers.iter().map(|layer| layer.size).sum();
        Ok(Imported { digest, shape, layers: image.layers.len(), size_bytes })
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RootFolder => "a folder with a root file system",
            Self::RootTar => "a tar of a root file system",
            Self::OciLayoutFolder => "an OCI layout",
            Self::OciLayoutTar => "a tar of an OCI layout",
            Self::DockerArchive => "a docker archive",
        })
    }
}
