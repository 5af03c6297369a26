//! Why images could not be found, read or made.

use std::{io, path::PathBuf};

use names::Digest;
use store::{BlobError, TypedError};

use crate::{
    layer_tar::LayerError,
    layers::{StoreError, UnpackError},
    remote::PullError,
};

/// Why the image store could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the image store in `{path}` could not be opened: {source}")]
pub struct OpenError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// Why a name means no image.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(
        "no image `{name}`: looked for `{local}` in the local store{remote}; to give it one, run `landfall image import SOURCE {name}`, or `landfall run --image {name}=SOURCE`, with a root file system (folder or tar), an OCI layout or a docker archive"
    )]
    Missing { name: String, local: String, remote: RemoteFinding },
    #[error(transparent)]
    Store(#[from] TypedError),
}

/// What the other registry said about an image that is not here.
#[derive(Debug)]
pub enum RemoteFinding {
    /// The name belongs to this installation, so nobody else was asked.
    NotAsked,
    Failed(Box<PullError>),
}

impl std::fmt::Display for RemoteFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAsked => Ok(()),
            Self::Failed(error) => write!(f, ", then at its registry: {error}"),
        }
    }
}

/// Why an image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("the {what} {digest} is not here or not readable: {source}")]
    Blob { what: &'static str, digest: Digest, source: BlobError },
    #[error("{digest} is no image: {source}")]
    Document { digest: Digest, source: image::ParseDocumentError },
    #[error("the config {digest} is not readable: {source}")]
    Config { digest: Digest, source: serde_json::Error },
    #[error("{digest} has no image for {machine}; it has {offered}")]
    NoPlatform { digest: Digest, machine: String, offered: String },
    #[error("{digest} has {layers} layers, but its config names {diff_ids}")]
    LayerCount { digest: Digest, layers: usize, diff_ids: usize },
    #[error("{0} points to indexes within indexes without end")]
    TooDeep(Digest),
}

/// Why a folder could not be made a layer.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error("the layer could not be stored")]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Layer(error) => Self::Layer(error),
            StoreError::Blob(error) => Self::Blob(error),
        }
    }
}

/// Why an image could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("the image could not be stored")]
    Blob(#[from] BlobError),
}
