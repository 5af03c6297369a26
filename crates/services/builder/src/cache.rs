//! Remembers what steps made, and lets equal steps be done once at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use api::{BuildStep, Record as _};
use names::{Digest, Timestamp};
use store::{Blobs, Records};
use tokio::sync::OwnedMutexGuard;

/// The layer that a step made (none if it changed nothing), and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// Blob, uncompressed digest, size.
    pub layer: Option<(Digest, Digest, u64)>,
    pub built: Timestamp,
}

pub(crate) struct StepCache {
    records: Arc<dyn Records>,
    blobs: Arc<dyn Blobs>,
    running: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

impl StepCache {
    pub fn new(records: Arc<dyn Records>, blobs: Arc<dyn Blobs>) -> Self {
        Self { records, blobs, running: Mutex::default() }
    }

    /// Waits while another build does the step with this key.
    pub async fn alone(&self, key: Digest) -> OwnedMutexGuard<()> {
        let lock = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.retain(|_, it| it.strong_count() > 0);
            let lock = running.get(&key).and_then(Weak::upgrade).unwrap_or_default();
            running.insert(key, Arc::downgrade(&lock));
            lock
        };
        lock.lock_owned().await
    }

    /// What the step made, if its layer is still there.
    pub async fn find(&self, key: Digest) -> Result<Option<Remembered>, store::TypedError> {
        let Some(step) = store::find::<BuildStep>(&*self.records, &key.hex()).await? else { return Ok(None) };
        if let Some((blob, _, _)) = step.layer
            && !matches!(self.blobs.stat(blob).await, Ok(Some(_))) {
                return Ok(None);
            }
        Ok(Some(Remembered { layer: step.layer, built: step.built }))
    }

    pub async fn put(&self, key: Digest, made: &Remembered) -> Result<(), store::TypedError> {
        let step = BuildStep { step: key, layer: made.layer, built: made.built };
        debug_assert_eq!(step.key(), key.hex());
        store::put(&*self.records, &step).await.map(drop)
    }
}
