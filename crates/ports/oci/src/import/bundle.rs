//! OCI layouts and docker archives: files that name each other, taken in as blobs.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use image::{Descriptor, Index, MAX_MANIFEST_BYTES, Manifest, media};
use names::{Digest, ImageRef};
use serde::Deserialize;
use store::Blobs;

use super::{ImportError, Progress, Report, Shape};
use crate::{
    archive::{self, Compression, EntryKind, Limits, ReadError, Reader},
    blob_io,
    images::Images,
    layers::blocking,
};

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const IMAGE_NAME: &str = "io.containerd.image.name";

/// The files of a bundle, by path.
#[derive(Default)]
struct Bundle {
    files: BTreeMap<String, Kept>,
    /// `docker save` of old wrote a layer once and linked to it.
    links: BTreeMap<String, String>,
}

/// A file that is now a blob.
#[derive(Clone, Copy)]
struct Kept {
    digest: Digest,
    size: u64,
    compression: Compression,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Images {
    pub(super) async fn import_layout(
        &self,
        source: &Path,
        shape: Shape,
        name: &ImageRef,
        report: &Report,
    ) -> Result<Digest, ImportError> {
        let bundle = match shape {
            Shape::OciLayoutFolder => self.take_folder(source, report).await?,
            Shape::OciLayoutTar | Shape::DockerArchive | Shape::RootFolder | Shape::RootTar => {
                self.take_tar(source, report).await?
            }
        };
        let broken = |reason: String| ImportError::Broken { path: source.to_owned(), shape, reason };
        let index: Index = self.json(&bundle, "index.json").await?.map_err(broken)?;
        let chosen = self.choose(&index, source, name)?;
        self.image(chosen).await?;
        Ok(chosen)
    }

    pub(super) async fn import_docker(
        &self,
        source: &Path,
        name: &ImageRef,
        report: &Report,
    ) -> Result<Digest, ImportError> {
        let bundle = self.take_tar(source, report).await?;
        let broken = |reason: String| ImportError::Broken { path: source.to_owned(), shape: Shape::DockerArchive, reason };
        let found: Vec<DockerImage> = self.json(&bundle, "manifest.json").await?.map_err(broken)?;
        let tags = |image: &DockerImage| image.repo_tags.clone().unwrap_or_default();
        let chosen = match found.as_slice() {
            [only] => only,
            several => {
                let fits = |image: &&DockerImage| tags(image).iter().any(|tag| tag.parse().as_ref() == Ok(name));
                several.iter().find(fits).ok_or_else(|| ImportError::Several {
                    path: source.to_owned(),
                    name: name.familiar(),
                    found: several.iter().flat_map(tags).collect::<Vec<_>>().join(", "),
                })?
            }
        };
        let file = |path: &str| bundle.get(path).ok_or_else(|| broken(format!("it has no `{path}`")));
        let config = file(&chosen.config)?;
        let config = Descriptor::new(media::OCI_CONFIG, config.digest, config.size);
        let layers = chosen.layers.iter().map(|path| {
            let layer = file(path)?;
            let media_type = match layer.compression {
                Compression::Gzip => media::OCI_LAYER_GZIP,
                Compression::Zstd => media::OCI_LAYER_ZSTD,
                Compression::None | Compression::Unsupported(_) => media::OCI_LAYER,
            };
            Ok(Descriptor::new(media_type, layer.digest, layer.size))
        });
        let layers = layers.collect::<Result<Vec<_>, ImportError>>()?;
        Ok(store::put_bytes(&*self.blobs, Manifest::new(config, layers).to_bytes()).await?)
    }

    /// The entry called like the image, else the only one, else the one for this machine.
    fn choose(&self, index: &Index, source: &Path, name: &ImageRef) -> Result<Digest, ImportError> {
        let called = |it: &&Descriptor| {
            let full = it.annotations.get(IMAGE_NAME).or(it.annotations.get(REF_NAME));
            full.is_some_and(|full| {
                full.parse().as_ref() == Ok(name) || name.tag.as_ref().is_some_and(|tag| tag.as_str() == full)
            })
        };
        let chosen = match index.manifests.as_slice() {
            [only] => Some(only),
            several => several.iter().find(called).or_else(|| image::select(index, &self.machine)),
        };
        chosen.map(|it| it.digest).ok_or_else(|| ImportError::Several {
            path: source.to_owned(),
            name: name.familiar(),
            found: match index.manifests.len() {
                0 => "none at all".to_owned(),
                count => format!("{count} for other platforms or with other names"),
            },
        })
    }

    async fn take_folder(&self, source: &Path, report: &Report) -> Result<Bundle, ImportError> {
        let mut bundle = Bundle::default();
        let mut paths = vec![source.join("index.json")];
        let listed = fs::read_dir(source.join("blobs/sha256"));
        let listed = listed.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
        paths.extend(listed.map_err(|error| ImportError::Source { path: source.join("blobs/sha256"), source: error })?);
        let mut copied = 0;
        for path in paths {
            let file = File::open(&path).map_err(|error| ImportError::Source { path: path.clone(), source: error })?;
            let (digest, size) = self.blobs.put(blob_io::file_stream(file)).await?;
            copied += size;
            report(Progress::Copied(copied));
            let name = path.strip_prefix(source).unwrap_or(&path).to_string_lossy().into_owned();
            // What a layer is compressed with, its manifest says.
            bundle.files.insert(name, Kept { digest, size, compression: Compression::None });
        }
        bundle.check(source, Shape::OciLayoutFolder)?;
        Ok(bundle)
    }

    async fn take_tar(&self, source: &Path, report: &Report) -> Result<Bundle, ImportError> {
        let (path, blobs, report) = (source.to_owned(), self.blobs.clone(), report.clone());
        let runtime = tokio::runtime::Handle::current();
        let bundle = blocking(move || take_entries(&path, &blobs, &runtime, &report)).await?;
        bundle.check(source, Shape::OciLayoutTar)?;
        Ok(bundle)
    }

    async fn json<T: serde::de::DeserializeOwned>(
        &self,
        bundle: &Bundle,
        path: &str,
    ) -> Result<Result<T, String>, ImportError> {
        let Some(kept) = bundle.get(path) else {
            return Ok(Err(format!("it has no `{path}`")));
        };
        let bytes = store::get_bytes(&*self.blobs, kept.digest, MAX_MANIFEST_BYTES as u64).await?;
        Ok(serde_json::from_slice(&bytes).map_err(|error| format!("its `{path}` is not readable: {error}")))
    }
}

impl Bundle {
    fn get(&self, path: &str) -> Option<Kept> {
        self.files.get(path).or_else(|| self.files.get(self.links.get(path)?)).copied()
    }

    /// A file that is named by a digest must be what the digest says.
    fn check(&self, source: &Path, shape: Shape) -> Result<(), ImportError> {
        for (path, kept) in &self.files {
            let named = path.strip_prefix("blobs/sha256/").map(|hex| format!("sha256:{hex}"));
            if named.is_some_and(|named| named != kept.digest.to_string()) {
                let reason = format!("`{path}` holds other bytes: they are {}", kept.digest);
                return Err(ImportError::Broken { path: source.to_owned(), shape, reason });
            }
        }
        Ok(())
    }
}

fn take_entries(
    source: &Path,
    blobs: &Arc<dyn Blobs>,
    runtime: &tokio::runtime::Handle,
    report: &Report,
) -> Result<Bundle, ImportError> {
    let failed = |error| ImportError::Source { path: source.to_owned(), source: error };
    let broken = |error| ImportError::Archive { path: source.to_owned(), source: error };
    let (_, plain) = File::open(source).and_then(archive::decompress).map_err(failed)?;
    let mut reader = Reader::new(plain, Limits::IMAGE);
    let mut bundle = Bundle::default();
    let mut copied = 0;
    while let Some(entry) = reader.next_entry().map_err(broken)? {
        let path = String::from_utf8_lossy(&entry.path).trim_start_matches("./").to_owned();
        match entry.kind {
            EntryKind::File => {
                let kept = take_entry(&mut reader, blobs, runtime).map_err(|error| match error {
                    TakeError::Read(error) => broken(ReadError::Io(error)),
                    TakeError::Blob(error) => ImportError::Blob(error),
                })?;
                copied += kept.size;
                report(Progress::Copied(copied));
                bundle.files.insert(path, kept);
            }
            EntryKind::Symlink | EntryKind::Hardlink => {
                let link = String::from_utf8_lossy(&entry.link).into_owned();
                bundle.links.insert(path, link.trim_start_matches("../").trim_start_matches("./").to_owned());
            }
            EntryKind::Directory | EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. } | EntryKind::Fifo => {}
        }
    }
    Ok(bundle)
}

enum TakeError {
    Read(io::Error),
    Blob(store::BlobError),
}

fn take_entry(reader: &mut impl Read, blobs: &Arc<dyn Blobs>, runtime: &tokio::runtime::Handle) -> Result<Kept, TakeError> {
    let mut start = Vec::new();
    reader.by_ref().take(8).read_to_end(&mut start).map_err(TakeError::Read)?;
    let compression = archive::detect(&start);
    let (mut writer, stream) = blob_io::pipe();
    let store = blobs.clone();
    let stored = runtime.spawn(async move { store.put(stream).await });
    let copied = io::copy(&mut start.as_slice().chain(reader), &mut writer).map(drop);
    // The store hears that the copy broke; the reason stays here.
    let outcome = copied.as_ref().map(drop).map_err(|error| io::Error::new(error.kind(), "the archive could not be read"));
    writer.finish(outcome);
    let stored = runtime.block_on(stored).map_err(|error| TakeError::Read(io::Error::other(error)))?;
    copied.map_err(TakeError::Read)?;
    let (digest, size) = stored.map_err(TakeError::Blob)?;
    Ok(Kept { digest, size, compression })
}
