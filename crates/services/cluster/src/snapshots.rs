//! Lists that clients read page by page: the rest of a list is kept as it was when the first page was read.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use resource::status::{self, Status};

use crate::object::Object;

/// Lists kept at a time; they share their objects with the store, so each costs a vector of pointers.
const SNAPSHOTS_KEPT: usize = 64;

/// A client that pauses longer than this between two pages starts anew, as with a real server.
const SNAPSHOT_KEPT_FOR: Duration = Duration::from_secs(300);

/// A list and the revision at which it was so.
#[derive(Clone)]
pub struct Snapshot {
    pub revision: u64,
    pub objects: Arc<Vec<Arc<Object>>>,
}

struct Entry {
    id: u64,
    since: Instant,
    snapshot: Snapshot,
}

/// The lists that are being read.
#[derive(Default)]
pub struct Snapshots {
    entries: Mutex<(u64, VecDeque<Entry>)>,
}

impl Snapshots {
    /// Keeps a list and says under which id.
    pub fn keep(&self, snapshot: Snapshot, now: Instant) -> u64 {
        let mut guard = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, entries) = &mut *guard;
        *next += 1;
        entries.retain(|entry| now.duration_since(entry.since) < SNAPSHOT_KEPT_FOR);
        if entries.len() == SNAPSHOTS_KEPT {
            entries.pop_front();
        }
        entries.push_back(Entry {
            id: *next,
            since: now,
            snapshot,
        });
        *next
    }

    fn find(&self, id: u64, now: Instant) -> Option<Snapshot> {
        let guard = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = guard.1.iter().find(|entry| entry.id == id)?;
        (now.duration_since(entry.since) < SNAPSHOT_KEPT_FOR).then(|| entry.snapshot.clone())
    }

    /// The list a continue token stands for, and how much of it was read.
    pub fn resume(&self, token: &str, now: Instant) -> Result<(u64, Snapshot, usize), Status> {
        let place = Place::parse(token)
            .ok_or_else(|| status::bad_request("continue key is not valid: invalid encoding"))?;
        let snapshot = self.find(place.id, now).filter(|snapshot| snapshot.revision == place.revision).ok_or_else(|| {
            status::expired(
                "The provided continue parameter is too old to display a consistent list result. \
                 You must start a new list without the continue parameter.",
            )
        })?;
        Ok((place.id, snapshot, place.read))
    }
}

/// What a continue token says.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    pub id: u64,
    pub revision: u64,
    /// Objects read so far.
    pub read: usize,
}

impl Place {
    pub fn to_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}.{}", self.id, self.revision, self.read))
    }

    fn parse(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut parts = text.split('.');
        let place = Self {
            id: parts.next()?.parse().ok()?,
            revision: parts.next()?.parse().ok()?,
            read: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(place)
    }
}
