//! The cache service that current clients use: three calls and two signed addresses.

use api::{CacheContent, CacheEntry, JobGrant};
use keep::{CacheError, CacheName, ENTRY_BYTES_MAX, Reach};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Toolkit, blobs,
    staging::StagingError,
    twirp::{Code, Fault, number},
};

#[derive(Debug, Deserialize)]
pub struct Create {
    key: String,
    #[serde(default)]
    version: String,
}

#[derive(Debug, Deserialize)]
pub struct Finish {
    key: String,
    #[serde(default)]
    version: String,
    #[serde(default, alias = "sizeBytes", deserialize_with = "number")]
    size_bytes: u64,
}

#[derive(Debug, Deserialize)]
pub struct Find {
    key: String,
    #[serde(default, alias = "restoreKeys")]
    restore_keys: Vec<String>,
    #[serde(default)]
    version: String,
}

/// Reserves an entry and tells where its archive goes.
pub async fn create(toolkit: &Toolkit, grant: &JobGrant, call: Create) -> Result<Value, Fault> {
    let name = CacheName { key: call.key, version: call.version };
    let now = store::now();
    let reserved = toolkit.caches.reserve(grant.project(), &Reach::of(grant), &name, now).await?;
    let CacheContent::Reserved { upload, .. } = &reserved.content else {
        return Err(CacheError::Exists.into());
    };
    Ok(json!({ "ok": true, "signed_upload_url": blobs::upload_address(toolkit, "cache", upload, now) }))
}

/// Makes an entry of what was uploaded.
pub async fn finish(toolkit: &Toolkit, grant: &JobGrant, call: Finish) -> Result<Value, Fault> {
    let name = CacheName { key: call.key, version: call.version };
    let (reserved, upload) = toolkit.caches.reserved(grant.project(), &Reach::of(grant), &name).await?;
    let filled = fill(toolkit, &reserved, &upload, call.size_bytes).await?;
    Ok(json!({ "ok": true, "entry_id": filled.number().to_string() }))
}

/// Finds the entry that fits best and tells where its archive is.
pub async fn find(toolkit: &Toolkit, grant: &JobGrant, call: Find) -> Result<Value, Fault> {
    let keys: Vec<String> = [call.key].into_iter().chain(call.restore_keys).collect();
    let now = store::now();
    let found = toolkit.caches.find(grant.project(), &Reach::of(grant), &keys, &call.version, now).await?;
    let Some(entry) = found else { return Ok(json!({ "ok": false })) };
    // What Landfall's own action saved as trees is packed for others.
    let digest = toolkit.caches.archive(&entry).await?;
    Ok(json!({
        "ok": true,
        "signed_download_url": blobs::cache_address(toolkit, digest, now),
        "matched_key": entry.key,
    }))
}

/// Gives a reserved entry the bytes of its upload; both protocols end here.
pub async fn fill(
    toolkit: &Toolkit,
    reserved: &CacheEntry,
    upload: &str,
    expected_bytes: u64,
) -> Result<CacheEntry, FillError> {
    let (content, size) = toolkit.staging.content(upload, ENTRY_BYTES_MAX).await?;
    if size != expected_bytes {
        return Err(CacheError::WrongSize { expected: expected_bytes, found: size }.into());
    }
    let (digest, size) = toolkit.holdings.put(content).await.map_err(CacheError::from)?;
    let filled = toolkit.caches.fill(reserved, digest, size, store::now()).await?;
    toolkit.staging.discard(upload).await.map_err(StagingError::from)?;
    Ok(filled)
}

/// Why an entry did not get its bytes.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Staging(#[from] StagingError),
}

impl From<FillError> for Fault {
    fn from(error: FillError) -> Self {
        match error {
            FillError::Cache(error) => error.into(),
            FillError::Staging(error) => error.into(),
        }
    }
}

impl From<CacheError> for Fault {
    fn from(error: CacheError) -> Self {
        let code = match &error {
            CacheError::Exists => Code::AlreadyExists,
            CacheError::WriteDenied(_) => Code::PermissionDenied,
            CacheError::BadKey(_) | CacheError::WrongSize { .. } | CacheError::TooLarge(_) => Code::InvalidArgument,
            CacheError::NotReserved => Code::NotFound,
            CacheError::Keep(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<StagingError> for Fault {
    fn from(error: StagingError) -> Self {
        let code = match &error {
            StagingError::TooLarge { .. } | StagingError::TooManyBlocks | StagingError::NoBlock(_) => Code::InvalidArgument,
            StagingError::Empty => Code::NotFound,
            StagingError::BrokenOff(_) => Code::Unavailable,
            StagingError::Io(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}
