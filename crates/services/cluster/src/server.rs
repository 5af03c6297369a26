//! What every request needs: the objects, the configuration, and how kinds map to places in the store.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::AtomicI64},
    time::SystemTime,
};

use bytes::Bytes;
use names::Timestamp;
use resource::{Kind, kinds, status, status::Status};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    Config, event_form,
    object::{Key, Object},
    snapshots::Snapshots,
    store::{Committed, ShelfId, Store},
};

/// The state behind the router.
pub struct Server {
    pub store: Store,
    pub config: Config,
    pub snapshots: Snapshots,
    /// When old events were last looked for, in microseconds since 1970.
    pub events_swept: AtomicI64,
    /// Ends the watches, which would otherwise keep connections open.
    pub stop: CancellationToken,
}

/// The names of all places in the store, one for each kind that is kept.
pub fn shelves() -> Vec<String> {
    kinds::kinds()
        .iter()
        .filter(|kind| kind.is_stored() && !is_second_form(kind))
        .map(Kind::qualified_plural)
        .collect()
}

/// Events have two API forms and one place; they are kept in the older one.
fn is_second_form(kind: &Kind) -> bool {
    kind.group == event_form::GROUP
}

/// The place of a kind in the store.
pub fn shelf(kind: &Kind) -> ShelfId {
    let place = kinds::kinds()
        .iter()
        .filter(|it| it.is_stored() && !is_second_form(it))
        .position(|it| {
            it.plural == kind.plural && (it.group == kind.group || is_second_form(kind))
        });
    ShelfId(place.expect("only kinds that are stored have requests to the store"))
}

/// A kind that is certainly served.
pub fn known(api_version: &str, kind: &str) -> &'static Kind {
    kinds::by_kind(api_version, kind).expect("one of the kinds this server acts on itself")
}

/// A kept object in the form of `kind`.
pub fn view<'a>(kind: &Kind, object: &'a Object) -> Cow<'a, Value> {
    if is_second_form(kind) {
        return Cow::Owned(event_form::from_core(&object.value));
    }
    Cow::Borrowed(&object.value)
}

/// The JSON text of a kept object in the form of `kind`.
pub fn view_bytes(kind: &Kind, object: &Object) -> Bytes {
    match view(kind, object) {
        Cow::Borrowed(_) => object.bytes().clone(),
        Cow::Owned(value) => Bytes::from(value.to_string()),
    }
}

/// An object of `kind` in the form in which it is kept.
pub fn kept(kind: &Kind, value: Value) -> Value {
    if is_second_form(kind) {
        return event_form::to_core(&value);
    }
    value
}

pub fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

impl Server {
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Arc<Object>, Status> {
        self.find(kind, namespace, name)
            .ok_or_else(|| status::not_found(kind, name))
    }

    pub fn find(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Object>> {
        self.store.get(shelf(kind), &Key::new(namespace, name))
    }

    /// Waits until a commit is safe and hands out its objects.
    pub async fn safe<T>(&self, committed: Committed<T>) -> Result<(T, Vec<Arc<Object>>), Status> {
        self.store
            .durable(&committed)
            .await
            .map_err(|error| status::internal_error(&error.to_string()))?;
        Ok((committed.said, committed.objects))
    }
}
