//! Events are news: each new one takes the old ones away.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use names::Timestamp;
use serde_json::Value;

use crate::{
    object::Object,
    server::{Server, known, now, shelf},
    store::Transaction,
};

/// How long an event is worth reading; Kubernetes' own default.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// Events kept at most: a workload that fails in a loop must not fill the memory within the hour.
const KEPT_MAX: usize = 5000;

/// The time between two looks through all events.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Removes events that nobody needs any more, if none were looked through lately.
pub fn sweep(server: &Server, transaction: &mut Transaction<'_>) {
    let now = now();
    let last = Timestamp::from_micros(server.events_swept.load(Ordering::Relaxed));
    let events = shelf(known("v1", "Event"));
    let count = transaction.all(events).count();
    if now.since(last) < SWEEP_EVERY && count < KEPT_MAX {
        return;
    }
    server
        .events_swept
        .store(now.as_micros(), Ordering::Relaxed);
    let mut all: Vec<(Timestamp, Arc<Object>)> = transaction
        .all(events)
        .map(|event| (last_seen(&event.value), Arc::clone(event)))
        .collect();
    all.sort_by_key(|(seen, _)| *seen);
    // A tenth goes at a time, so that not every new event sweeps.
    let surplus = if count < KEPT_MAX {
        0
    } else {
        count - KEPT_MAX + KEPT_MAX / 10
    };
    for (index, (seen, event)) in all.into_iter().enumerate() {
        if index < surplus || now.since(seen) > KEPT_FOR {
            transaction.delete(events, event.key(), event.value.clone());
        }
    }
}

fn last_seen(event: &Value) -> Timestamp {
    [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ]
    .into_iter()
    .find_map(|time| time.as_str()?.parse().ok())
    .unwrap_or_default()
}
