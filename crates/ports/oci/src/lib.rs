//! Images on this machine: kept as blobs and records, unpacked as folders that overlayfs mounts,
//! fetched from and sent to other registries.
//!
//! The blobs are the truth; an unpacked layer is a cache that can be made again at any time.
//! The crate knows nothing of Dockerfiles, pods or HTTP routes.

mod archive;
mod blob_io;
mod extract;
mod images;
mod import;
mod keychain;
mod layer_tar;
mod layers;
mod overlay;
mod remote;
mod xattr;

pub use archive::ReadError as ArchiveError;
pub use extract::ExtractError;
pub use images::{
    ByDigest, CommitError, ImageError, Images, OpenError, Origin, Presence, PutError, RemoteFinding, Resolution, ResolveError,
    StoredImage, TagError, View, is_immutable, put_tag,
};
pub use import::{ImportError, Imported, Progress, Report, Shape};
pub use keychain::{Credentials, Keychain, ParseKeychainError};
pub use layer_tar::LayerError;
pub use layers::{Layer, UnpackError};
pub use remote::{Artifact, Client, Part, Place, PullError, PushError, Pushed, RemoteError, artifact_tags};
