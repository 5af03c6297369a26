//! The images this machine has: finding, tagging, making and mounting them.

mod error;
mod presence;
mod tags;
mod view;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use api::{ImageManifest, ImageTag};
use bytes::Bytes;
use image::{Config, Descriptor, Document, MAX_MANIFEST_BYTES, Manifest, Platform, media};
use names::{CommitId, Digest, ImageRef, RunId};
use store::{Blobs, Records, TypedError};

use crate::{
    keychain::Keychain,
    layer_tar::Source,
    layers::{Layer, LayerStore, UnpackError},
    remote,
};

pub use error::{CommitError, ImageError, OpenError, PutError, RemoteFinding, ResolveError};
pub use presence::{ByDigest, Presence};
pub use tags::{TagError, is_immutable, put_tag};
pub use view::View;

/// A config has to be held in memory; real ones have some kilobytes.
pub(crate) const MAX_CONFIG_BYTES: u64 = 8 * 1024 * 1024;
/// An index that points to an index that points to … ends here.
const MAX_INDEX_DEPTH: u32 = 4;

/// The images of this machine: one for the process, shared by builder, node and registry.
pub struct Images {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) layers: LayerStore,
    own_hosts: Vec<String>,
    pub(crate) machine: Platform,
    pub(crate) client: remote::Client,
}

/// Who made an image: a job of a run, or nobody in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub run: Option<RunId>,
    pub commit: Option<CommitId>,
}

/// An image that is here with all its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredImage {
    /// The manifest for this machine, even if an index was asked for.
    pub manifest: Digest,
    pub config: Config,
    pub config_digest: Digest,
    /// The lowest first, as in the manifest.
    pub layers: Vec<Layer>,
}

/// What a name means, and how that was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It was here already.
    Local(Digest),
    /// It was fetched from its registry.
    Pulled(Digest),
}

impl Images {
    /// Opens or makes the image store.
    ///
    /// `dir` holds the unpacked layers and should lie in the file system where
    /// sandboxes have their upper folders. `own_hosts` are the `HOST:PORT` by which
    /// this installation's registry is reached, the preferred first.
    pub fn open(
        records: Arc<dyn Records>,
        blobs: Arc<dyn Blobs>,
        dir: PathBuf,
        own_hosts: Vec<String>,
    ) -> Result<Self, OpenError> {
        let layers = LayerStore::open(dir.join("layers"), blobs.clone())
            .map_err(|source| OpenError { path: dir, source })?;
        let machine = Platform::of_machine(std::env::consts::ARCH);
        Ok(Self { records, blobs, layers, own_hosts, machine, client: remote::Client::default() })
    }

    /// The repository under which the local store keeps `name`.
    pub fn repository(&self, name: &ImageRef) -> String {
        image::local_repository(name, &self.own_hosts)
    }

    /// The name by which this installation's registry serves `name`; none without own hosts.
    pub fn served_as(&self, name: &ImageRef) -> Option<ImageRef> {
        image::local_ref(name, &self.own_hosts)
    }

    /// Whether `name` belongs to this installation's own registry.
    pub fn is_own(&self, name: &ImageRef) -> bool {
        self.own_hosts.iter().any(|host| host.eq_ignore_ascii_case(&name.registry))
    }

    /// What `name` means here; `None` if the local store does not know it.
    pub async fn find(&self, name: &ImageRef) -> Result<Option<Digest>, TypedError> {
        self.look_up(&self.repository(name), name).await
    }

    async fn look_up(&self, repository: &str, name: &ImageRef) -> Result<Option<Digest>, TypedError> {
        if let Some(digest) = name.digest {
            let key = ImageManifest::key_of(repository, digest);
            let known = store::find::<ImageManifest>(&*self.records, &key).await?;
            return Ok(known.map(|manifest| manifest.digest));
        }
        let Some(tag) = &name.tag else { return Ok(None) };
        let found = store::find::<ImageTag>(&*self.records, &ImageTag::key_of(repository, tag)).await?;
        Ok(found.map(|tag| tag.digest))
    }

    /// What `name` means: the local store first, then its registry, from which it is pulled.
    ///
    /// # Errors
    ///
    /// [`ResolveError::Missing`] says where was looked and how to import the image.
    pub async fn resolve(&self, name: &ImageRef, keychain: &Keychain) -> Result<Digest, ResolveError> {
        match self.resolve_telling(name, keychain).await? {
            Resolution::Local(digest) | Resolution::Pulled(digest) => Ok(digest),
        }
    }

    /// As [`Images::resolve`], and tells whether it had to be pulled.
    pub async fn resolve_telling(&self, name: &ImageRef, keychain: &Keychain) -> Result<Resolution, ResolveError> {
        if let Some(digest) = self.find(name).await? {
            return Ok(Resolution::Local(digest));
        }
        let missing = |remote| {
            let local = ImageRef { registry: String::new(), repository: self.repository(name), ..name.clone() };
            let local = local.to_string().trim_start_matches('/').to_owned();
            ResolveError::Missing { name: name.familiar(), local, remote }
        };
        if self.is_own(name) {
            return Err(missing(RemoteFinding::NotAsked));
        }
        match self.pull(name, keychain).await {
            Ok(digest) => Ok(Resolution::Pulled(digest)),
            Err(error) => Err(missing(RemoteFinding::Failed(Box::new(error)))),
        }
    }

    /// The image behind a manifest, or behind the entry of an index that fits this machine.
    pub async fn image(&self, manifest: Digest) -> Result<StoredImage, ImageError> {
        let (digest, manifest) = self.manifest(manifest).await?;
        let config_digest = manifest.config.digest;
        let bytes = self.blob(config_digest, "config", MAX_CONFIG_BYTES).await?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|source| ImageError::Config { digest: config_digest, source })?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != manifest.layers.len() {
            let (layers, diff_ids) = (manifest.layers.len(), diff_ids.len());
            return Err(ImageError::LayerCount { digest, layers, diff_ids });
        }
        let layers = manifest.layers.iter().zip(diff_ids);
        let layers = layers.map(|(layer, diff_id)| self.layer_of(layer, *diff_id)).collect();
        Ok(StoredImage { manifest: digest, config, config_digest, layers })
    }

    /// A layer that was made before, for example one that the builder's cache knows.
    pub fn layer(&self, digest: Digest, diff_id: Digest, size: u64) -> Layer {
        self.layer_of(&Descriptor::new(media::OCI_LAYER_GZIP, digest, size), diff_id)
    }

    fn layer_of(&self, descriptor: &Descriptor, diff_id: Digest) -> Layer {
        Layer {
            digest: descriptor.digest,
            diff_id,
            size: descriptor.size,
            media_type: descriptor.media_type.clone(),
            dir: self.layers.dir(diff_id),
        }
    }

    /// The folders to mount for an image, the top first, at least one; unpacks what is not yet unpacked.
    pub async fn lower_dirs(&self, image: &StoredImage) -> Result<Vec<PathBuf>, UnpackError> {
        self.unpack(&image.layers).await
    }

    /// As [`Images::lower_dirs`], for layers that are no image yet; `layers` has the lowest first.
    pub async fn unpack(&self, layers: &[Layer]) -> Result<Vec<PathBuf>, UnpackError> {
        let unpacked = layers.iter().rev().map(|layer| self.layers.unpack(layer));
        let mut folders = futures_util::future::try_join_all(unpacked).await?;
        // A layer without changes may stand in an image twice, but overlayfs takes no folder twice.
        let mut seen = std::collections::HashSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        if folders.is_empty() {
            folders.push(self.layers.empty_dir());
        }
        Ok(folders)
    }

    /// Makes the upper folder of an overlay a layer; the folder becomes the unpacked layer.
    ///
    /// The overlay must not be mounted any more. The folder is gone afterwards,
    /// unless it lies in another file system or the layer existed already.
    pub async fn commit_layer(&self, upper: &Path) -> Result<Layer, CommitError> {
        let layer = self.layers.store(upper, Source::OverlayUpper).await?;
        self.layers.adopt(upper, &layer).await?;
        Ok(layer)
    }

    /// Stores a config and a manifest over `layers`, the lowest first; the config's `rootfs` is set to them.
    pub async fn put_image(&self, config: &Config, layers: &[Layer]) -> Result<Digest, PutError> {
        let mut config = config.clone();
        config.rootfs.diff_ids = layers.iter().map(|layer| layer.diff_id).collect();
        let config = config.to_bytes();
        let size = config.len() as u64;
        let digest = store::put_bytes(&*self.blobs, config).await?;
        let config = Descriptor::new(media::OCI_CONFIG, digest, size);
        let layers = layers.iter().map(|layer| Descriptor::new(&layer.media_type, layer.digest, layer.size));
        let manifest = Manifest::new(config, layers.collect()).to_bytes();
        Ok(store::put_bytes(&*self.blobs, manifest).await?)
    }

    async fn manifest(&self, asked: Digest) -> Result<(Digest, Manifest), ImageError> {
        let mut digest = asked;
        for _ in 0..MAX_INDEX_DEPTH {
            let bytes = self.blob(digest, "manifest", MAX_MANIFEST_BYTES as u64).await?;
            match parse(digest, &bytes)? {
                Document::Manifest(manifest) => return Ok((digest, manifest)),
                Document::Index(index) => match image::select(&index, &self.machine) {
                    Some(chosen) => digest = chosen.digest,
                    None => return Err(no_platform(digest, &index, &self.machine)),
                },
            }
        }
        Err(ImageError::TooDeep(asked))
    }

    pub(crate) async fn blob(&self, digest: Digest, what: &'static str, limit: u64) -> Result<Bytes, ImageError> {
        store::get_bytes(&*self.blobs, digest, limit)
            .await
            .map_err(|source| ImageError::Blob { what, digest, source })
    }
}

pub(crate) fn parse(digest: Digest, bytes: &[u8]) -> Result<Document, ImageError> {
    Document::parse(bytes, None).map_err(|source| ImageError::Document { digest, source })
}

pub(crate) fn no_platform(digest: Digest, index: &image::Index, machine: &Platform) -> ImageError {
    let offered = index.manifests.iter().filter_map(|it| it.platform.as_ref()).map(ToString::to_string);
    let offered = offered.collect::<Vec<_>>().join(", ");
    let offered = if offered.is_empty() { "none that says its platform".to_owned() } else { offered };
    ImageError::NoPlatform { digest, machine: machine.to_string(), offered }
}
