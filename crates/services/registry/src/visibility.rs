//! Which blobs a repository shows.
//!
//! Kept in memory only: what manifests name is read from them again, and a blob
//! that was pushed but is not yet in a manifest is at worst pushed once more.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use api::ImageManifest;
use image::MAX_MANIFEST_BYTES;
use names::Digest;
use serde_json::Value;

use crate::{Registry, answer::Refusal};

#[derive(Default)]
pub struct Visibility {
    repositories: Mutex<HashMap<String, Repository>>,
}

#[derive(Default)]
struct Repository {
    blobs: HashSet<Digest>,
    /// Manifests whose blobs are in `blobs`.
    read: HashSet<Digest>,
}

impl Visibility {
    /// Whether `name` shows the blob.
    pub async fn contains(&self, registry: &Registry, name: &str, blob: Digest) -> Result<bool, Refusal> {
        if self.knows(name, blob) {
            return Ok(true);
        }
        let manifests: Vec<ImageManifest> = store::list(&*registry.records, &format!("{name}@")).await?;
        for manifest in manifests {
            if self.has_read(name, manifest.digest) {
                continue;
            }
            let bytes = store::get_bytes(&*registry.blobs, manifest.digest, MAX_MANIFEST_BYTES as u64).await;
            // A manifest that cannot be read shows nothing; others still do.
            let blobs = bytes.map(|bytes| named_blobs(&bytes)).unwrap_or_default();
            let mut repositories = self.lock();
            let repository = repositories.entry(name.to_owned()).or_default();
            repository.read.insert(manifest.digest);
            repository.blobs.extend(blobs);
        }
        Ok(self.knows(name, blob))
    }

    pub fn show(&self, name: &str, blob: Digest) {
        self.lock().entry(name.to_owned()).or_default().blobs.insert(blob);
    }

    pub fn hide(&self, name: &str, blob: Digest) {
        if let Some(repository) = self.lock().get_mut(name) {
            repository.blobs.remove(&blob);
        }
    }

    fn knows(&self, name: &str, blob: Digest) -> bool {
        self.lock().get(name).is_some_and(|repository| repository.blobs.contains(&blob))
    }

    fn has_read(&self, name: &str, manifest: Digest) -> bool {
        self.lock().get(name).is_some_and(|repository| repository.read.contains(&manifest))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Repository>> {
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The blobs that a manifest of any kind names: its config, layers, and the `blobs` of older artifacts.
pub fn named_blobs(manifest: &[u8]) -> Vec<Digest> {
    let Ok(manifest) = serde_json::from_slice::<Value>(manifest) else {
        return Vec::new();
    };
    let lists = ["layers", "blobs"].iter().filter_map(|key| manifest.get(key)?.as_array()).flatten();
    let descriptors = manifest.get("config").into_iter().chain(lists);
    descriptors.filter_map(|it| it.get("digest")?.as_str()?.parse().ok()).collect()
}
