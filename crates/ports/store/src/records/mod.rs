//! The port for records: small JSON values under a kind and a key, with revisions.

pub(crate) mod memory;
pub(crate) mod sqlite;

use std::{collections::VecDeque, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

/// Counts all writes of a store, over all kinds; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// To watch only what is written from now on.
    pub const LATEST: Self = Self(u64::MAX);
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub key: String,
    /// The write that made the record what it is.
    pub revision: Revision,
    pub value: Bytes,
}

/// What must hold for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Anything,
    /// There is no such record.
    Absent,
    /// The record is still the one that was read.
    At(Revision),
}

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put(Stored),
    Deleted { key: String, revision: Revision },
}

impl Change {
    /// What a write of `value` tells; without a value the record was deleted.
    pub(crate) fn new(key: impl Into<String>, revision: Revision, value: Option<Bytes>) -> Self {
        let key = key.into();
        match value {
            Some(value) => Self::Put(Stored { key, revision, value }),
            None => Self::Deleted { key, revision },
        }
    }

    pub fn revision(&self) -> Revision {
        match self {
            Self::Put(stored) => stored.revision,
            Self::Deleted { revision, .. } => *revision,
        }
    }

    pub fn key(&self) -> &str {
        match self {
            Self::Put(stored) => &stored.key,
            Self::Deleted { key, .. } => key,
        }
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordsError {
    /// Somebody else was faster: read again and decide again.
    #[error("the {kind} `{key}` has changed meanwhile")]
    Conflict { kind: String, key: String },
    /// The disk or the database failed; the same call may succeed later.
    #[error("the record store could not be reached: {reason}")]
    Unavailable { reason: String },
}

/// Keeps records.
///
/// # Contract
///
/// - A write that returned is durable: killing the process at once loses nothing.
/// - Revisions grow with every write, over all kinds.
/// - `put` and `delete` happen only if `expected` holds, else [`RecordsError::Conflict`].
/// - `delete` of a record that is not there succeeds with [`Expected::Anything`].
/// - `list` gives the records whose key begins with `prefix`, sorted by key.
/// - `watch` tells, in the order of revisions, every record of `kind` that was
///   written or deleted after `from`. Of several writes to one record before
///   the watch began only the last is told.
///
/// Every implementation passes the contract test of this module.
#[async_trait]
pub trait Records: Send + Sync + 'static {
    async fn get(&self, kind: &str, key: &str) -> Result<Option<Stored>, RecordsError>;
    async fn list(&self, kind: &str, prefix: &str) -> Result<Vec<Stored>, RecordsError>;
    async fn put(
        &self,
        kind: &str,
        key: &str,
        value: Bytes,
        expected: Expected,
    ) -> Result<Revision, RecordsError>;
    async fn delete(&self, kind: &str, key: &str, expected: Expected) -> Result<(), RecordsError>;
    async fn watch(&self, kind: &str, from: Revision) -> Result<Watch, RecordsError>;
}

/// Where a lagging watcher reads what it missed.
#[async_trait]
pub(crate) trait Backlog: Send + Sync {
    /// Changes of `kind` after `from`, in the order of revisions.
    async fn since(&self, kind: &str, from: Revision) -> Result<Vec<Change>, RecordsError>;
}

/// A stream of changes; see [`Records::watch`].
pub struct Watch {
    kind: String,
    last: Revision,
    pending: VecDeque<Change>,
    live: broadcast::Receiver<Announcement>,
    backlog: std::sync::Arc<dyn Backlog>,
}

/// One change with the kind it belongs to.
pub(crate) type Announcement = (std::sync::Arc<str>, Change);

/// A watcher that falls further behind reads from the store again.
pub(crate) const ANNOUNCEMENTS_KEPT: usize = 4096;

impl Watch {
    pub(crate) async fn start(
        kind: &str,
        from: Revision,
        live: broadcast::Receiver<Announcement>,
        backlog: std::sync::Arc<dyn Backlog>,
    ) -> Result<Self, RecordsError> {
        let kind_name = kind.to_owned();
        if from == Revision::LATEST {
            let (last, pending) = (Revision(0), VecDeque::new());
            return Ok(Self { kind: kind_name, last, pending, live, backlog });
        }
        // `live` was subscribed before the backlog is read, so nothing falls between them.
        let pending = backlog.since(kind, from).await?.into();
        Ok(Self { kind: kind_name, last: from, pending, live, backlog })
    }

    /// Waits for the next change.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Unavailable`] when the store is gone; the watch is over then.
    pub async fn next(&mut self) -> Result<Change, RecordsError> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                if change.revision() > self.last {
                    self.last = change.revision();
                    return Ok(change);
                }
                continue;
            }
            match self.live.recv().await {
                Ok((kind, change)) if *kind == *self.kind => self.pending.push_back(change),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.pending = self.backlog.since(&self.kind, self.last).await?.into();
                }
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(RecordsError::Unavailable { reason: "the store is closed".into() });
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod contract {
    use super::*;

    pub(crate) async fn check(records: &dyn Records) {
        let value = Bytes::from_static(b"1");
        let first = records.put("run", "a/1", value.clone(), Expected::Absent).await.expect("put");
        let again = records.put("run", "a/1", value.clone(), Expected::Absent).await;
        assert!(matches!(again, Err(RecordsError::Conflict { .. })));

        let second = records
            .put("run", "a/1", Bytes::from_static(b"2"), Expected::At(first))
            .await
            .expect("put at");
        assert!(second > first);
        let stale = records.put("run", "a/1", value.clone(), Expected::At(first)).await;
        assert!(matches!(stale, Err(RecordsError::Conflict { .. })));

        let b = records.put("run", "b/1", value.clone(), Expected::Anything).await.expect("put");
        let other = records.put("push", "a/1", value.clone(), Expected::Anything).await.expect("put");
        assert!(other > b);

        let listed = records.list("run", "a/").await.expect("list");
        assert_eq!(listed.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["a/1"]);
        assert_eq!(records.list("run", "").await.expect("list").len(), 2);
        assert_eq!(records.list("run", "%").await.expect("list").len(), 0);

        let mut watch = records.watch("run", Revision(0)).await.expect("watch");
        assert_eq!(watch.next().await.expect("next").revision(), second);
        assert_eq!(watch.next().await.expect("next").revision(), b);
        records.delete("run", "b/1", Expected::Anything).await.expect("delete");
        let gone = watch.next().await.expect("next");
        assert!(matches!(&gone, Change::Deleted { key, .. } if key == "b/1"));
        records.delete("run", "b/1", Expected::Anything).await.expect("delete again");
        let missing = records.delete("run", "b/1", Expected::At(b)).await;
        assert!(matches!(missing, Err(RecordsError::Conflict { .. })));

        let mut fresh = records.watch("run", Revision::LATEST).await.expect("watch");
        let c = records.put("run", "c", value, Expected::Anything).await.expect("put");
        assert_eq!(fresh.next().await.expect("next").revision(), c);

        let mut later = records.watch("run", b).await.expect("watch");
        assert_eq!(later.next().await.expect("next"), gone);
        assert_eq!(records.get("run", "b/1").await.expect("get"), None);
        let kept = records.get("run", "a/1").await.expect("get").expect("a record");
        assert_eq!((kept.value.as_ref(), kept.revision), (b"2".as_slice(), second));
    }
}
