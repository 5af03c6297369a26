//! Cache entries: reserved, filled once, found by key or prefix, given up by age and size.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use api::{CacheContent, CacheEntry, CachedTree, Packing, Record as _};
use names::{Digest, ProjectName, Timestamp};

use crate::{Holdings, KeepError, Reach, Trees, upload_name};

/// GitHub's limit for one entry, and its clients know it.
pub const ENTRY_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// What a project may keep by default; above it the entries longest unused go. GitHub's own figure.
pub const PROJECT_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// What the whole installation keeps, so that many projects do not fill a disk.
pub const CACHE_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Entries that nobody used for so long are given up, as GitHub does.
pub const CACHE_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// GitHub's limit for a key, in characters.
pub const KEY_LENGTH_MAX: usize = 512;
/// GitHub's limit for the keys of one look-up.
pub const KEYS_MAX: usize = 10;
/// Who reserved an entry and never filled it (a cancelled job, say) blocks its key no longer.
const RESERVED: Duration = Duration::from_secs(60 * 60);
/// A hit is noted no more often than this: reading must not cost a write each time.
const USE_NOTED: Duration = Duration::from_secs(60);

/// Why a cache entry could not be saved or found.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Clients know these words and take them for no fault.
    #[error("cache entry with the same key, version, and scope already exists")]
    Exists,
    /// Clients know the first three words.
    #[error("cache write denied: {0}")]
    WriteDenied(&'static str),
    #[error("{0}")]
    BadKey(String),
    #[error("the entry was not reserved, or its reservation has ended")]
    NotReserved,
    #[error("expected {expected} bytes in the entry, found {found}")]
    WrongSize { expected: u64, found: u64 },
    #[error("an entry has at most {ENTRY_BYTES_MAX} bytes, this one has {0}")]
    TooLarge(u64),
    #[error(transparent)]
    Keep(#[from] KeepError),
}

impl From<store::TypedError> for CacheError {
    fn from(error: store::TypedError) -> Self {
        Self::Keep(error.into())
    }
}

/// What an entry is called within its project and scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheName {
    pub key: String,
    pub version: String,
}

/// All cache entries.
#[derive(Clone)]
pub struct Caches {
    holdings: Holdings,
    trees: Trees,
}

impl Caches {
    pub fn new(holdings: Holdings, trees: Trees) -> Self {
        Self { holdings, trees }
    }

    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    /// The entry that fits best: scope by scope, key by key, exact before prefix, newest first.
    pub async fn find(
        &self,
        project: &ProjectName,
        reach: &Reach,
        keys: &[String],
        version: &str,
        now: Timestamp,
    ) -> Result<Option<CacheEntry>, CacheError> {
        if keys.len() > KEYS_MAX {
            return Err(CacheError::BadKey(format!("a look-up has at most {KEYS_MAX} keys, this one has {}", keys.len())));
        }
        keys.iter().try_for_each(|key| check_key(key))?;
        let all = self.list(project).await?;
        let Some(found) = best(&all, reach, keys, version) else { return Ok(None) };
        let mut found = found.clone();
        if now.since(found.used) > USE_NOTED {
            let noted = store::modify::<CacheEntry>(self.holdings.records(), &found.key(), |it| it.used = now).await;
            match noted {
                Ok(noted) => found = noted,
                // Deleted just now: that is a miss.
                Err(store::TypedError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(found))
    }

    /// Reserves an entry; whoever gets it may fill it.
    pub async fn reserve(
        &self,
        project: &ProjectName,
        reach: &Reach,
        name: &CacheName,
        now: Timestamp,
    ) -> Result<CacheEntry, CacheError> {
        check_key(&name.key)?;
        let Some(scope) = &reach.write else {
            return Err(CacheError::WriteDenied("this run may read caches, but not save them"));
        };
        let upload = upload_name().map_err(|error| KeepError::Blob(error.into()))?;
        let entry = CacheEntry {
            project: project.clone(),
            scope: scope.clone(),
            key: name.key.clone(),
            version: name.version.clone(),
            content: CacheContent::Reserved { upload, until: now + RESERVED },
            size_bytes: 0,
            created: now,
            used: now,
        };
        if store::create(self.holdings.records(), &entry).await? {
            return Ok(entry);
        }
        let (mut won, key) = (false, entry.key());
        let taken = store::modify::<CacheEntry>(self.holdings.records(), &key, |it| {
            won = matches!(it.content, CacheContent::Reserved { until, .. } if until < now);
            if won {
                it.clone_from(&entry);
            }
        });
        match taken.await {
            Ok(entry) if won => Ok(entry),
            Ok(_) | Err(store::TypedError::NotFound { .. }) => Err(CacheError::Exists),
            Err(error) => Err(error.into()),
        }
    }

    /// The reserved entry of this name.
    pub async fn reserved(
        &self,
        project: &ProjectName,
        reach: &Reach,
        name: &CacheName,
    ) -> Result<(CacheEntry, String), CacheError> {
        let scope = reach.write.as_deref().ok_or(CacheError::NotReserved)?;
        let key = CacheEntry::key_of(project, scope, &name.key, &name.version);
        let entry = store::find::<CacheEntry>(self.holdings.records(), &key).await?.ok_or(CacheError::NotReserved)?;
        match &entry.content {
            CacheContent::Reserved { upload, .. } => {
                let upload = upload.clone();
                Ok((entry, upload))
            }
            CacheContent::Archive { .. } | CacheContent::Trees { .. } => Err(CacheError::Exists),
        }
    }

    /// The entry that a job with this reach reserved, by its number.
    pub async fn reserved_by_number(
        &self,
        project: &ProjectName,
        reach: &Reach,
        number: u64,
    ) -> Result<(CacheEntry, String), CacheError> {
        let all = store::list::<CacheEntry>(self.holdings.records(), &format!("{project}/")).await?;
        let found = all.into_iter().find(|it| it.number() == number && reach.write.as_ref() == Some(&it.scope));
        let entry = found.ok_or(CacheError::NotReserved)?;
        match &entry.content {
            CacheContent::Reserved { upload, .. } => {
                let upload = upload.clone();
                Ok((entry, upload))
            }
            CacheContent::Archive { .. } | CacheContent::Trees { .. } => Err(CacheError::NotReserved),
        }
    }

    /// Fills a reserved entry with an archive that was put into the holdings.
    pub async fn fill(
        &self,
        entry: &CacheEntry,
        digest: Digest,
        size_bytes: u64,
        now: Timestamp,
    ) -> Result<CacheEntry, CacheError> {
        if size_bytes > ENTRY_BYTES_MAX {
            return Err(CacheError::TooLarge(size_bytes));
        }
        let content = CacheContent::Archive { digest };
        let written = self.write(entry, content, size_bytes, now);
        let (filled, won) = self.holdings.enter(digest, written).await?;
        self.settle(filled, won, now).await
    }

    /// Fills a reserved entry with trees that were saved.
    pub async fn fill_with_trees(
        &self,
        entry: &CacheEntry,
        trees: Vec<CachedTree>,
        packing: Packing,
        size_bytes: u64,
        now: Timestamp,
    ) -> Result<CacheEntry, CacheError> {
        let content = CacheContent::Trees { trees, packing, archive: None };
        let (filled, won) = self.write(entry, content, size_bytes, now).await?;
        self.settle(filled, won, now).await
    }

    async fn write(
        &self,
        entry: &CacheEntry,
        content: CacheContent,
        size_bytes: u64,
        now: Timestamp,
    ) -> Result<(CacheEntry, bool), store::TypedError> {
        let mut won = false;
        let key = entry.key();
        let filled = store::modify::<CacheEntry>(self.holdings.records(), &key, |it| {
            // Somebody else may have taken over a reservation that ended.
            won = it.content == entry.content;
            if won {
                it.content = content.clone();
                it.size_bytes = size_bytes;
                it.created = now;
                it.used = now;
            }
        });
        filled.await.map(|filled| (filled, won))
    }

    async fn settle(&self, filled: CacheEntry, won: bool, now: Timestamp) -> Result<CacheEntry, CacheError> {
        if !won {
            return Err(CacheError::NotReserved);
        }
        self.evict(now).await?;
        Ok(filled)
    }

    /// All entries of a project that are ready.
    pub async fn list(&self, project: &ProjectName) -> Result<Vec<CacheEntry>, CacheError> {
        let all = store::list::<CacheEntry>(self.holdings.records(), &format!("{project}/")).await?;
        Ok(all.into_iter().filter(CacheEntry::is_ready).collect())
    }

    /// The archive of an entry; one that holds trees is packed when the first asks.
    pub async fn archive(&self, entry: &CacheEntry) -> Result<Digest, CacheError> {
        let (trees, packing) = match &entry.content {
            CacheContent::Archive { digest } | CacheContent::Trees { archive: Some(digest), .. } => return Ok(*digest),
            CacheContent::Trees { trees, packing, archive: None } => (trees.clone(), *packing),
            CacheContent::Reserved { .. } => return Err(CacheError::NotReserved),
        };
        let failed = |error: std::io::Error| KeepError::Blob(error.into());
        let store = self.trees.clone();
        let packed = tokio::task::spawn_blocking(move || {
            let mut file = store.unnamed_file()?;
            store.pack(&trees, packing, std::io::BufWriter::new(&mut file))?;
            std::io::Seek::rewind(&mut file)?;
            Ok(file)
        });
        let file = packed.await.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(failed)?;
        let bytes = tokio_util::io::ReaderStream::with_capacity(tokio::fs::File::from_std(file), 256 * 1024);
        let (digest, _) = self.holdings.put(Box::pin(bytes)).await?;
        let key = entry.key();
        let noted = store::modify::<CacheEntry>(self.holdings.records(), &key, |it| {
            if let CacheContent::Trees { archive, .. } = &mut it.content {
                *archive = Some(digest);
            }
        });
        self.holdings.enter(digest, noted).await?;
        Ok(digest)
    }

    /// Gives up a reservation that will not be filled, so that its key is free at once.
    pub async fn abandon(&self, entry: &CacheEntry) -> Result<(), CacheError> {
        let key = entry.key();
        let now = store::find::<CacheEntry>(self.holdings.records(), &key).await?;
        if now.is_some_and(|now| now.content == entry.content) {
            store::remove::<CacheEntry>(self.holdings.records(), &key).await?;
        }
        Ok(())
    }

    /// Deletes an entry and, if no other needs them, its bytes.
    pub async fn delete(&self, entry: &CacheEntry) -> Result<(), CacheError> {
        store::remove::<CacheEntry>(self.holdings.records(), &entry.key()).await?;
        if let Some(digest) = entry.content.archive() {
            self.holdings.give_up(digest).await?;
        }
        Ok(())
    }

    /// Gives up what is too old or too much; returns what went.
    pub async fn evict(&self, now: Timestamp) -> Result<Vec<CacheEntry>, CacheError> {
        let all = store::list::<CacheEntry>(self.holdings.records(), "").await?;
        let doomed = doomed(all, now);
        for entry in &doomed {
            tracing::info!(project = %entry.project, key = entry.key, bytes = entry.size_bytes, "a cache entry is given up");
            self.delete(entry).await?;
        }
        Ok(doomed)
    }

    /// Removes trees that no entry has and no job used lately; goes through the disk, so call it seldom.
    pub async fn sweep(&self, now: SystemTime) -> Result<(), CacheError> {
        let all = store::list::<CacheEntry>(self.holdings.records(), "").await?;
        let mut kept = BTreeSet::new();
        for entry in &all {
            if let CacheContent::Trees { trees, .. } = &entry.content {
                kept.extend(trees.iter().map(|it| it.tree));
            }
        }
        let trees = self.trees.clone();
        let swept = tokio::task::spawn_blocking(move || trees.sweep(&kept, now)).await;
        swept.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| KeepError::Blob(error.into()))?;
        Ok(())
    }
}

/// What GitHub demands of a key.
pub fn check_key(key: &str) -> Result<(), CacheError> {
    let why = if key.is_empty() {
        "is empty".to_owned()
    } else if key.chars().count() > KEY_LENGTH_MAX {
        format!("has more than {KEY_LENGTH_MAX} characters")
    } else if key.contains(',') {
        "has a comma".to_owned()
    } else {
        return Ok(());
    };
    let shown: String = key.chars().take(64).collect();
    Err(CacheError::BadKey(format!("the cache key `{shown}` {why}")))
}

fn best<'a>(all: &'a [CacheEntry], reach: &Reach, keys: &[String], version: &str) -> Option<&'a CacheEntry> {
    for scope in &reach.read {
        let here = || all.iter().filter(|it| it.scope == *scope && it.version == version);
        for key in keys {
            if let Some(exact) = here().find(|it| it.key == *key) {
                return Some(exact);
            }
            if let Some(newest) = here().filter(|it| it.key.starts_with(key)).max_by_key(|it| it.created) {
                return Some(newest);
            }
        }
    }
    None
}

/// What must go: old entries, then those longest unused of projects with too much, then of all.
fn doomed(mut all: Vec<CacheEntry>, now: Timestamp) -> Vec<CacheEntry> {
    all.sort_by_key(|it| std::cmp::Reverse(it.used));
    let (mut total, mut of_project) = (0_u64, std::collections::BTreeMap::<ProjectName, u64>::new());
    all.retain(|entry| {
        if let CacheContent::Reserved { until, .. } = entry.content {
            return until < now;
        }
        let project = of_project.entry(entry.project.clone()).or_default();
        let too_much = *project + entry.size_bytes > PROJECT_BYTES_MAX || total + entry.size_bytes > CACHE_BYTES_MAX;
        if too_much || now.since(entry.used) > CACHE_AGE_MAX {
            return true;
        }
        *project += entry.size_bytes;
        total += entry.size_bytes;
        false
    });
    all
}

#[cfg(test)]
mod tests;
