//! The objects of one kind and what lately happened to them.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use super::Act;
use crate::object::{Key, Object};

/// Changes remembered for watchers; who falls further behind lists anew.
const CHANGES_KEPT: usize = 10_000;

/// Changes older than this are forgotten: a watcher that slept so long lists faster than it catches up.
const CHANGES_KEPT_FOR: Duration = Duration::from_secs(600);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One change, as watchers see it.
#[derive(Debug)]
pub struct Change {
    pub kind: ChangeKind,
    /// The object after the change; a deleted one as it was last.
    pub object: Arc<Object>,
    /// The object before the change, for watchers that no longer select it.
    pub before: Option<Arc<Object>>,
    at: Instant,
}

/// The changes asked for are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// The oldest revision that can be watched from.
    pub oldest: u64,
}

pub(super) struct Shelf {
    pub objects: BTreeMap<Key, Arc<Object>>,
    changes: VecDeque<Arc<Change>>,
    /// Changes up to this revision are forgotten.
    forgotten: u64,
}

impl Shelf {
    pub fn new(revision: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            changes: VecDeque::new(),
            forgotten: revision,
        }
    }

    pub fn list(&self, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let Some(namespace) = namespace else {
            return self.objects.values().cloned().collect();
        };
        let start = Key::new(namespace, "");
        self.objects
            .range((Bound::Included(&start), Bound::Unbounded))
            .take_while(|(key, _)| key.namespace == namespace)
            .map(|(_, object)| Arc::clone(object))
            .collect()
    }

    pub fn apply(&mut self, key: Key, object: Arc<Object>, act: Act, now: Instant) {
        let before = match act {
            Act::Put => self.objects.insert(key, Arc::clone(&object)),
            Act::Delete => self.objects.remove(&key),
        };
        let kind = match (act, &before) {
            (Act::Delete, _) => ChangeKind::Deleted,
            (Act::Put, Some(_)) => ChangeKind::Modified,
            (Act::Put, None) => ChangeKind::Added,
        };
        self.changes.push_back(Arc::new(Change {
            kind,
            object,
            before,
            at: now,
        }));
        while let Some(first) = self.changes.front()
            && (self.changes.len() > CHANGES_KEPT
                || now.duration_since(first.at) > CHANGES_KEPT_FOR)
        {
            self.forgotten = first.object.revision;
            self.changes.pop_front();
        }
    }

    pub fn changes(
        &self,
        cursor: u64,
        durable: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, Expired> {
        if cursor < self.forgotten {
            return Err(Expired {
                oldest: self.forgotten,
            });
        }
        let start = self
            .changes
            .partition_point(|change| change.object.revision <= cursor);
        Ok(self
            .changes
            .range(start..)
            .take(limit)
            .take_while(|change| change.object.revision <= durable)
            .cloned()
            .collect())
    }
}
