//! The objects of the cluster: in memory, behind one revision counter, and on disk before anybody is answered.
//!
//! Memory is what readers see; a thread of its own writes every change to one
//! SQLite file, many changes in one transaction. Watchers and writers wait for
//! that thread, so what was told to somebody is never lost, and a revision is
//! never given twice.

mod disk;
mod sealing;
mod shelf;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::watch;

pub use disk::OpenError;
use disk::Row;
use shelf::Shelf;
pub use shelf::{Change, ChangeKind, Expired};

use crate::object::{Key, Object};

/// Revisions skipped at each start. Readers in the last process may have seen
/// revisions that were never committed; there are far fewer of those than this,
/// because at most [`PENDING_COMMITS`] commits wait for the disk.
const REVISION_GAP: u64 = 1_000_000;

/// Commits that may wait for the disk before the next writer has to wait.
const PENDING_COMMITS: usize = 1024;

/// A disk that takes longer than this for a commit counts as broken for the request that waits.
const DISK_PATIENCE: Duration = Duration::from_secs(15);

/// Names the place of one kind's objects; given out in the order of the names at opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShelfId(pub usize);

/// Why a change could not be made safe.
#[derive(Debug, thiserror::Error)]
#[error("the cluster's database cannot be written")]
pub struct NotDurable;

struct Inner {
    revision: u64,
    shelves: Vec<Shelf>,
}

/// What the disk thread tells everybody else.
struct Progress {
    /// Everything up to here is on disk.
    revision: AtomicU64,
    /// The same, told apart by shelf, so that a commit wakes only whom it concerns.
    shelves: Vec<watch::Sender<u64>>,
    /// The last transaction failed and is tried again.
    broken: AtomicBool,
}

/// Objects of all kinds.
pub struct Store {
    inner: RwLock<Inner>,
    progress: Arc<Progress>,
    disk: Mutex<Option<SyncSender<Vec<Row>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the file at `path`, making it if it is not there, and loads what it holds.
    pub fn open(path: &Path, shelves: &[String]) -> Result<Self, OpenError> {
        let (file, loaded) = disk::open(path, shelves, REVISION_GAP)?;
        let mut inner = Inner {
            revision: loaded.revision,
            shelves: shelves
                .iter()
                .map(|_| Shelf::new(loaded.revision))
                .collect(),
        };
        for (shelf, key, object) in loaded.objects {
            inner.shelves[shelf.0].objects.insert(key, Arc::new(object));
        }
        let progress = Arc::new(Progress {
            revision: AtomicU64::new(loaded.revision),
            shelves: shelves
                .iter()
                .map(|_| watch::channel(loaded.revision).0)
                .collect(),
            broken: AtomicBool::new(false),
        });
        let (sender, receiver) = sync_channel(PENDING_COMMITS);
        let told = Arc::clone(&progress);
        let writer = std::thread::Builder::new()
            .name("cluster-disk".to_owned())
            .spawn(move || disk::write_all(file, &receiver, &told))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            inner: RwLock::new(inner),
            progress,
            disk: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
        })
    }

    pub fn get(&self, shelf: ShelfId, key: &Key) -> Option<Arc<Object>> {
        self.read().shelves[shelf.0].objects.get(key).cloned()
    }

    /// All objects of a kind, in a namespace if one is given, and the revision at which they are so.
    pub fn list(&self, shelf: ShelfId, namespace: Option<&str>) -> (u64, Vec<Arc<Object>>) {
        let inner = self.read();
        (inner.revision, inner.shelves[shelf.0].list(namespace))
    }

    /// The revision of the last change of any kind.
    pub fn revision(&self) -> u64 {
        self.read().revision
    }

    /// Lets `decide` look at the objects and ask for changes, with nobody in between, and makes them if it succeeds.
    ///
    /// Returns what `decide` said and the objects as they now are, in the order asked for.
    /// The changes are visible at once, but not yet safe: ask [`Store::durable`].
    pub fn commit<T, E>(
        &self,
        mode: Mode,
        decide: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<Committed<T>, E> {
        let mut inner = self.write();
        let mut transaction = Transaction {
            inner: &inner,
            staged: Vec::new(),
        };
        let said = decide(&mut transaction)?;
        let staged = transaction.staged;
        let mut revision = inner.revision;
        let mut rows = Vec::with_capacity(staged.len());
        let mut objects = Vec::with_capacity(staged.len());
        let mut last = ShelfId(0);
        for change in staged {
            revision += 1;
            last = change.shelf;
            if mode == Mode::DryRun {
                objects.push(Arc::new(Object::imagined(change.value, revision)));
                continue;
            }
            let object = Arc::new(Object::new(change.value, revision));
            objects.push(Arc::clone(&object));
            rows.push(Row::new(change.shelf, &change.key, &object, change.act));
            inner.shelves[change.shelf.0].apply(change.key, object, change.act, Instant::now());
        }
        if mode == Mode::DryRun || rows.is_empty() {
            return Ok(Committed {
                said,
                objects,
                shelf: last,
                revision: None,
            });
        }
        inner.revision = revision;
        // Sent while the lock is held, so the disk sees changes in the order of their revisions.
        let disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(disk) = disk.as_ref() {
            // A receiver that is gone shows in `durable`, where somebody waits.
            disk.send(rows).ok();
        }
        Ok(Committed {
            said,
            objects,
            shelf: last,
            revision: Some(revision),
        })
    }

    /// Waits until a commit is on disk.
    pub async fn durable<T>(&self, committed: &Committed<T>) -> Result<(), NotDurable> {
        let Some(revision) = committed.revision else {
            return Ok(());
        };
        let mut told = self.subscribe(committed.shelf);
        let waited =
            tokio::time::timeout(DISK_PATIENCE, told.wait_for(|durable| *durable >= revision))
                .await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotDurable),
        }
    }

    /// Whether the disk takes writes.
    pub fn is_healthy(&self) -> bool {
        !self.progress.broken.load(Ordering::Relaxed)
    }

    /// Everything up to this revision is on disk.
    pub fn durable_revision(&self) -> u64 {
        self.progress.revision.load(Ordering::Acquire)
    }

    /// Wakes when a change of this kind came to disk.
    pub fn subscribe(&self, shelf: ShelfId) -> watch::Receiver<u64> {
        self.progress.shelves[shelf.0].subscribe()
    }

    /// At most `limit` changes of a kind after `cursor` that are on disk.
    pub fn changes(
        &self,
        shelf: ShelfId,
        cursor: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, Expired> {
        let durable = self.durable_revision();
        self.read().shelves[shelf.0].changes(cursor, durable, limit)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Store {
    /// Writes what waits and closes the file.
    fn drop(&mut self) {
        self.disk
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            && writer.join().is_err()
        {
            tracing::error!("the cluster's disk thread panicked");
        }
    }
}

/// Whether changes are made or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Commit,
    DryRun,
}

/// What a commit did.
pub struct Committed<T> {
    pub said: T,
    /// The changed objects; deleted ones as they were last, at the revision of their deletion.
    pub objects: Vec<Arc<Object>>,
    shelf: ShelfId,
    revision: Option<u64>,
}

/// A look at the objects with nobody in between, and the changes asked for.
pub struct Transaction<'a> {
    inner: &'a Inner,
    staged: Vec<Staged>,
}

struct Staged {
    shelf: ShelfId,
    key: Key,
    value: Value,
    act: Act,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Put,
    Delete,
}

impl Transaction<'_> {
    /// The object before this transaction.
    pub fn get(&self, shelf: ShelfId, key: &Key) -> Option<&Arc<Object>> {
        self.inner.shelves[shelf.0].objects.get(key)
    }

    /// All objects of a kind before this transaction.
    pub fn all(&self, shelf: ShelfId) -> impl Iterator<Item = &Arc<Object>> {
        self.inner.shelves[shelf.0].objects.values()
    }

    /// Creates or replaces an object.
    pub fn put(&mut self, shelf: ShelfId, key: Key, value: Value) {
        self.staged.push(Staged {
            shelf,
            key,
            value,
            act: Act::Put,
        });
    }

    /// Deletes an object, whose last state is `value`.
    pub fn delete(&mut self, shelf: ShelfId, key: Key, value: Value) {
        self.staged.push(Staged {
            shelf,
            key,
            value,
            act: Act::Delete,
        });
    }
}
