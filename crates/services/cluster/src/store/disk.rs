//! The SQLite file behind the store, and the thread that writes it.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, TryRecvError},
    },
    time::Duration,
};

use rusqlite::{Connection, params};
use serde_json::Value;

use super::{
    Act, Progress, ShelfId,
    sealing::{SEALED_SHELF, Seal, SealError},
};
use crate::object::{Key, Object};

/// Changes written in one transaction at most, so that a flood does not make the first writer wait for the last.
const ROWS_AT_ONCE: usize = 2000;

/// A disk that was full a moment ago is asked again this often.
const RETRY: Duration = Duration::from_millis(200);

/// Attempts while somebody still uses the store; after it is dropped, the last words are tried this often only.
const ATTEMPTS_AT_END: u32 = 10;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("`{path}` is not a usable database")]
    Database {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("`{path}` holds a damaged object `{object}`")]
    Damaged {
        path: PathBuf,
        object: String,
        source: serde_json::Error,
    },
    #[error("`{path}` cannot be made")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("no thread for the disk")]
    Thread(#[source] std::io::Error),
}

/// The database, and what is needed to write it.
pub(super) struct File {
    database: Connection,
    shelves: Vec<String>,
    seal: Seal,
}

/// What the file held.
pub(super) struct Loaded {
    pub revision: u64,
    pub objects: Vec<(ShelfId, Key, Object)>,
}

/// One change on its way to disk.
pub(super) struct Row {
    shelf: ShelfId,
    key: Key,
    object: Arc<Object>,
    act: Act,
}

impl Row {
    pub fn new(shelf: ShelfId, key: &Key, object: &Arc<Object>, act: Act) -> Self {
        Self {
            shelf,
            key: key.clone(),
            object: Arc::clone(object),
            act,
        }
    }
}

/// Opens the file, reads all of it, and moves its revision on by `gap`.
pub(super) fn open(path: &Path, shelves: &[String], gap: u64) -> Result<(File, Loaded), OpenError> {
    let failed = |source| OpenError::Database {
        path: path.to_owned(),
        source,
    };
    // SQLite gives its own files the mode of this one.
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| OpenError::File {
            path: path.to_owned(),
            source,
        })?;
    let seal = Seal::beside(path)?;
    let database = Connection::open(path).map_err(failed)?;
    prepare(&database).map_err(failed)?;
    let revision: u64 = database
        .query_row(
            "SELECT value FROM counters WHERE name = 'revision'",
            [],
            |row| row.get::<_, i64>(0),
        )
        .map_err(failed)?
        .unsigned_abs();
    let revision = revision + gap;
    database
        .execute(
            "UPDATE counters SET value = ?1 WHERE name = 'revision'",
            params![signed(revision)],
        )
        .map_err(failed)?;

    let mut objects = Vec::new();
    {
        let mut select = database
            .prepare("SELECT shelf, namespace, name, revision, value FROM objects")
            .map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let shelf: String = row.get(0).map_err(failed)?;
            // Objects of a kind that this version does not serve stay where they are.
            let Some(shelf) = shelves.iter().position(|it| *it == shelf) else {
                continue;
            };
            let key = Key::new(
                row.get::<_, String>(1).map_err(failed)?,
                row.get::<_, String>(2).map_err(failed)?,
            );
            let at: i64 = row.get(3).map_err(failed)?;
            let mut bytes: Vec<u8> = row.get(4).map_err(failed)?;
            if shelves[shelf] == SEALED_SHELF {
                bytes = seal.open(&key, &bytes)?;
            }
            let value: Value =
                serde_json::from_slice(&bytes).map_err(|source| OpenError::Damaged {
                    path: path.to_owned(),
                    object: format!("{}/{}", key.namespace, key.name),
                    source,
                })?;
            objects.push((ShelfId(shelf), key, Object::new(value, at.unsigned_abs())));
        }
    }
    Ok((
        File {
            database,
            shelves: shelves.to_vec(),
            seal,
        },
        Loaded { revision, objects },
    ))
}

fn prepare(database: &Connection) -> rusqlite::Result<()> {
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.busy_timeout(Duration::from_secs(5))?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS objects (
            shelf TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
            revision INTEGER NOT NULL, value BLOB NOT NULL,
            PRIMARY KEY (shelf, namespace, name)
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT OR IGNORE INTO counters VALUES ('revision', 0);",
    )
}

/// Writes what comes in until the sender is gone, everything that waits in one transaction.
pub(super) fn write_all(mut file: File, incoming: &Receiver<Vec<Row>>, progress: &Progress) {
    while let Ok(mut rows) = incoming.recv() {
        let mut at_end = false;
        while rows.len() < ROWS_AT_ONCE {
            match incoming.try_recv() {
                Ok(more) => rows.extend(more),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    at_end = true;
                    break;
                }
            }
        }
        if !write_until_done(&mut file, &rows, progress, at_end) {
            return;
        }
        tell(&rows, progress);
    }
}

fn write_until_done(file: &mut File, rows: &[Row], progress: &Progress, at_end: bool) -> bool {
    let mut attempts = 0;
    while let Err(error) = write(file, rows) {
        attempts += 1;
        progress.broken.store(true, Ordering::Relaxed);
        tracing::error!(%error, attempts, "the cluster's database cannot be written");
        if at_end && attempts >= ATTEMPTS_AT_END {
            return false;
        }
        std::thread::sleep(RETRY);
    }
    progress.broken.store(false, Ordering::Relaxed);
    true
}

fn write(file: &mut File, rows: &[Row]) -> rusqlite::Result<()> {
    let File {
        database,
        shelves,
        seal,
    } = file;
    let transaction = database.transaction()?;
    {
        let mut put = transaction
            .prepare_cached("INSERT OR REPLACE INTO objects VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let mut delete = transaction.prepare_cached(
            "DELETE FROM objects WHERE shelf = ?1 AND namespace = ?2 AND name = ?3",
        )?;
        for row in rows {
            let shelf = &shelves[row.shelf.0];
            match row.act {
                Act::Put => {
                    let plain = row.object.bytes();
                    let sealed = (shelf == SEALED_SHELF).then(|| seal.close(&row.key, plain));
                    let bytes = sealed.as_deref().unwrap_or(plain);
                    put.execute(params![
                        shelf,
                        row.key.namespace,
                        row.key.name,
                        signed(row.object.revision),
                        bytes
                    ])?
                }
                Act::Delete => delete.execute(params![shelf, row.key.namespace, row.key.name])?,
            };
        }
        let last = rows
            .iter()
            .map(|row| row.object.revision)
            .max()
            .unwrap_or_default();
        transaction
            .prepare_cached("UPDATE counters SET value = max(value, ?1) WHERE name = 'revision'")?
            .execute(params![signed(last)])?;
    }
    transaction.commit()
}

fn tell(rows: &[Row], progress: &Progress) {
    let last = rows
        .iter()
        .map(|row| row.object.revision)
        .max()
        .unwrap_or_default();
    progress.revision.fetch_max(last, Ordering::AcqRel);
    let touched: BTreeSet<ShelfId> = rows.iter().map(|row| row.shelf).collect();
    for shelf in touched {
        progress.shelves[shelf.0].send_replace(last);
    }
}

/// SQLite has signed numbers only; a counter never comes near the end of them.
fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
