//! Records in memory: for tests and throw-away installations.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex, broadcast};

use super::{
    ANNOUNCEMENTS_KEPT, Announcement, Backlog, Change, Expected, Records, RecordsError, Revision,
    Stored, Watch,
};

/// Keeps records in memory; nothing survives the process.
pub struct MemoryRecords {
    tables: Arc<Tables>,
    announce: broadcast::Sender<Announcement>,
}

struct Tables {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    /// By kind and key: when it was last written, and what is there, if anything.
    entries: BTreeMap<(String, String), (Revision, Option<Bytes>)>,
}

impl Default for MemoryRecords {
    fn default() -> Self {
        let tables = Arc::new(Tables { state: Mutex::default() });
        Self { tables, announce: broadcast::Sender::new(ANNOUNCEMENTS_KEPT) }
    }
}

impl MemoryRecords {
    async fn write(
        &self,
        kind: &str,
        key: &str,
        value: Option<Bytes>,
        expected: Expected,
    ) -> Result<Revision, RecordsError> {
        let mut state = self.tables.state.lock().await;
        let place = (kind.to_owned(), key.to_owned());
        let current = state
            .entries
            .get(&place)
            .and_then(|(revision, value)| value.is_some().then_some(*revision));
        let holds = match expected {
            Expected::Anything => true,
            Expected::Absent => current.is_none(),
            Expected::At(revision) => current == Some(revision),
        };
        if !holds {
            return Err(RecordsError::Conflict { kind: kind.to_owned(), key: key.to_owned() });
        }
        if value.is_none() && current.is_none() {
            return Ok(Revision(state.last));
        }
        state.last += 1;
        let revision = Revision(state.last);
        state.entries.insert(place, (revision, value.clone()));
        let change = Change::new(key, revision, value);
        // Nobody listening is fine: watchers read the table first.
        let _ = self.announce.send((kind.into(), change));
        Ok(revision)
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn get(&self, kind: &str, key: &str) -> Result<Option<Stored>, RecordsError> {
        let state = self.tables.state.lock().await;
        let entry = state.entries.get(&(kind.to_owned(), key.to_owned()));
        Ok(entry.and_then(|(revision, value)| {
            Some(Stored { key: key.to_owned(), revision: *revision, value: value.clone()? })
        }))
    }

    async fn list(&self, kind: &str, prefix: &str) -> Result<Vec<Stored>, RecordsError> {
        let state = self.tables.state.lock().await;
        let from = (kind.to_owned(), prefix.to_owned());
        let matching = state
            .entries
            .range(from..)
            .take_while(|((a_kind, key), _)| a_kind == kind && key.starts_with(prefix));
        Ok(matching
            .filter_map(|((_, key), (revision, value))| {
                Some(Stored { key: key.clone(), revision: *revision, value: value.clone()? })
            })
            .collect())
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
        Watch::start(kind, from, self.announce.subscribe(), self.tables.clone()).await
    }
}

#[async_trait]
impl Backlog for Tables {
    async fn since(&self, kind: &str, from: Revision) -> Result<Vec<Change>, RecordsError> {
        let state = self.state.lock().await;
        let mut changes: Vec<_> = state
            .entries
            .iter()
            .filter(|((a_kind, _), (revision, _))| a_kind == kind && *revision > from)
            .map(|((_, key), (revision, value))| Change::new(key, *revision, value.clone()))
            .collect();
        changes.sort_by_key(Change::revision);
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn keeps_the_contract() {
        crate::contract::records::check(&super::MemoryRecords::default()).await;
    }
}
