//! Records in one SQLite file: write-ahead log, full sync, group commit.
//!
//! One thread owns the writing connection. It takes all writes that wait,
//! commits them in one transaction, and only then answers; so a burst of writes
//! pays for one sync of the disk. Reads use a connection of their own.

use std::{path::Path, sync::Arc, thread};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{
    ANNOUNCEMENTS_KEPT, Announcement, Backlog, Change, Expected, Records, RecordsError, Revision,
    Stored, Watch,
};

/// Writers wait when this many writes are queued: memory stays bounded.
const QUEUE: usize = 1024;

/// At most this many writes share a transaction, so that none waits long.
const GROUP: usize = 256;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        revision INTEGER NOT NULL,
        value BLOB,                       -- NULL: deleted at this revision
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS records_by_revision ON records (kind, revision);
";

/// Keeps records in a SQLite file.
#[derive(Clone)]
pub struct SqliteRecords {
    writes: mpsc::Sender<Write>,
    reads: Arc<Reader>,
    announce: broadcast::Sender<Announcement>,
}

struct Write {
    kind: Arc<str>,
    key: String,
    value: Option<Bytes>,
    expected: Expected,
    done: oneshot::Sender<Result<Revision, RecordsError>>,
}

struct Reader {
    connection: Arc<std::sync::Mutex<Connection>>,
}

fn unavailable(error: impl std::fmt::Display) -> RecordsError {
    RecordsError::Unavailable { reason: error.to_string() }
}

impl SqliteRecords {
    /// Opens or makes the file at `path` and starts its writer.
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        let writer = connect(path)?;
        writer.execute_batch(SCHEMA).map_err(unavailable)?;
        let last: u64 = writer
            .query_row("SELECT COALESCE(MAX(revision), 0) FROM records", [], |row| row.get(0))
            .map_err(unavailable)?;
        let reader = connect(path)?;
        let announce = broadcast::Sender::new(ANNOUNCEMENTS_KEPT);
        let (writes, queue) = mpsc::channel(QUEUE);
        let announcer = announce.clone();
        thread::Builder::new()
            .name("record-writer".to_owned())
            .spawn(move || write_all(writer, last, queue, &announcer))
            .map_err(unavailable)?;
        let reads = Arc::new(Reader { connection: Arc::new(std::sync::Mutex::new(reader)) });
        Ok(Self { writes, reads, announce })
    }

    async fn write(
        &self,
        kind: &str,
        key: &str,
        value: Option<Bytes>,
        expected: Expected,
    ) -> Result<Revision, RecordsError> {
        let (done, answer) = oneshot::channel();
        let write = Write { kind: kind.into(), key: key.to_owned(), value, expected, done };
        self.writes.send(write).await.map_err(|_| unavailable("the writer has ended"))?;
        answer.await.map_err(|_| unavailable("the writer has ended"))?
    }
}

fn connect(path: &Path) -> Result<Connection, RecordsError> {
    let connection = Connection::open(path).map_err(unavailable)?;
    connection
        .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;")
        .map_err(unavailable)?;
    Ok(connection)
}

/// The life of the writer thread: ends when every [`SqliteRecords`] is dropped.
fn write_all(
    mut connection: Connection,
    mut last: u64,
    mut queue: mpsc::Receiver<Write>,
    announce: &broadcast::Sender<Announcement>,
) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while let Some(next) = (group.len() < GROUP).then(|| queue.try_recv().ok()).flatten() {
            group.push(next);
        }
        let mut counter = last;
        match commit(&mut connection, &mut counter, &group) {
            Ok(results) => {
                last = counter;
                for (write, result) in group.into_iter().zip(results) {
                    if let Ok(Applied { revision, changed: true }) = &result {
                        let stored = Change::new(write.key, *revision, write.value);
                        // Nobody listening is fine: watchers read the table first.
                        let _ = announce.send((write.kind, stored));
                    }
                    // A caller that gave up does not need the answer.
                    let _ = write.done.send(result.map(|applied| applied.revision));
                }
            }
            Err(error) => {
                for write in group {
                    let _ = write.done.send(Err(unavailable(&error)));
                }
            }
        }
    }
}

struct Applied {
    revision: Revision,
    changed: bool,
}

/// Carries out the writes in one transaction; a conflict concerns only its own write.
fn commit(
    connection: &mut Connection,
    counter: &mut u64,
    group: &[Write],
) -> rusqlite::Result<Vec<Result<Applied, RecordsError>>> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(group.len());
    {
        let mut current_of = transaction
            .prepare_cached("SELECT revision FROM records WHERE kind=? AND key=? AND value IS NOT NULL")?;
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO records (kind, key, revision, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (kind, key) DO UPDATE SET revision=?3, value=?4",
        )?;
        for write in group {
            let current: Option<u64> =
                current_of.query_row(params![&*write.kind, write.key], |row| row.get(0)).optional()?;
            let holds = match write.expected {
                Expected::Anything => true,
                Expected::Absent => current.is_none(),
                Expected::At(revision) => current == Some(revision.0),
            };
            if !holds {
                let (kind, key) = (write.kind.to_string(), write.key.clone());
                results.push(Err(RecordsError::Conflict { kind, key }));
            } else if write.value.is_none() && current.is_none() {
                results.push(Ok(Applied { revision: Revision(*counter), changed: false }));
            } else {
                *counter += 1;
                upsert.execute(params![&*write.kind, write.key, *counter, write.value.as_deref()])?;
                results.push(Ok(Applied { revision: Revision(*counter), changed: true }));
            }
        }
    }
    transaction.commit()?;
    Ok(results)
}

impl Reader {
    /// Runs `query` on the reading connection, off the async threads.
    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let connection = self.connection.clone();
        let read = move || {
            let connection = connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            query(&connection).map_err(unavailable)
        };
        tokio::task::spawn_blocking(read).await.map_err(unavailable)?
    }
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    let value: Vec<u8> = row.get(2)?;
    Ok(Stored { key: row.get(0)?, revision: Revision(row.get(1)?), value: value.into() })
}

#[async_trait]
impl Records for SqliteRecords {
    async fn get(&self, kind: &str, key: &str) -> Result<Option<Stored>, RecordsError> {
        let place = (kind.to_owned(), key.to_owned());
        let sql = "SELECT key, revision, value FROM records
                   WHERE kind=? AND key=? AND value IS NOT NULL";
        self.reads
            .run(move |db| db.prepare_cached(sql)?.query_row(place, stored).optional())
            .await
    }

    async fn list(&self, kind: &str, prefix: &str) -> Result<Vec<Stored>, RecordsError> {
        let (kind, prefix) = (kind.to_owned(), prefix.to_owned());
        let sql = "SELECT key, revision, value FROM records
                   WHERE kind=?1 AND key>=?2 AND substr(key, 1, length(?2))=?2
                   AND value IS NOT NULL ORDER BY key";
        self.reads
            .run(move |db| db.prepare_cached(sql)?.query_map((kind, prefix), stored)?.collect())
            .await
    }

    async fn put(
        &self,
        kind: &str,
        key: &str,
        value: Bytes,
        expected: Expected,
    ) -> Result<Revision, RecordsError> {
        self.write(kind, key, Some(value), expected).await
    }

    async fn delete(&self, kind: &str, key: &str, expected: Expected) -> Result<(), RecordsError> {
        self.write(kind, key, None, expected).await.map(drop)
    }

    async fn watch(&self, kind: &str, from: Revision) -> Result<Watch, RecordsError> {
        Watch::start(kind, from, self.announce.subscribe(), self.reads.clone()).await
    }
}

#[async_trait]
impl Backlog for Reader {
    async fn since(&self, kind: &str, from: Revision) -> Result<Vec<Change>, RecordsError> {
        let kind = kind.to_owned();
        let sql = "SELECT key, revision, value FROM records
                   WHERE kind=? AND revision>? ORDER BY revision";
        self.run(move |db| {
            let mut query = db.prepare_cached(sql)?;
            let rows = query.query_map((kind, from.0), |row| {
                let value: Option<Vec<u8>> = row.get(2)?;
                Ok(Change::new(row.get::<_, String>(0)?, Revision(row.get(1)?), value.map(Bytes::from)))
            })?;
            rows.collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = SqliteRecords::open(&folder.path().join("records.db")).expect("open");
        crate::contract::records::check(&records).await;
    }

    #[tokio::test]
    async fn revisions_go_on_after_reopening() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.db");
        let value = Bytes::from_static(b"1");
        let records = SqliteRecords::open(&path).expect("open");
        let before = records.put("run", "a", value.clone(), Expected::Anything).await.expect("put");
        drop(records);
        let records = SqliteRecords::open(&path).expect("open");
        let after = records.put("run", "b", value, Expected::Anything).await.expect("put");
        assert!(after > before);
    }

    #[tokio::test]
    async fn concurrent_writers_each_get_their_own_revision() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = SqliteRecords::open(&folder.path().join("records.db")).expect("open");
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..200 {
            let records = records.clone();
            writers.spawn(async move {
                let key = format!("a/{number}");
                records.put("run", &key, Bytes::new(), Expected::Absent).await.expect("put")
            });
        }
        let mut revisions = writers.join_all().await;
        revisions.sort_unstable();
        revisions.dedup();
        assert_eq!(revisions.len(), 200);
    }
}
