//! Answers `watch`: first what is there, if asked for, then every change as it comes to disk.
//!
//! A watcher is a cursor into the changes the store remembers, so a slow client
//! holds nothing up: when its cursor falls out of the memory, it is told so and
//! lists anew.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use resource::{Kind, status, status::Status, table};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::{
    answer,
    form::{self, Columns, Form},
    object::{self, Object},
    path::Target,
    query::{Query, Selection},
    read,
    server::{Server, now, shelf, view, view_bytes},
    store::{Change, ChangeKind, ShelfId},
};

/// Changes looked at between two writes to the client.
const CHANGES_AT_ONCE: usize = 256;

/// Idle clients learn the newest revision this often, so that they need not list anew after a pause.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// A watch without `timeoutSeconds` ends after this time and up to as much again, so that not all end together.
const WATCH_FOR: Duration = Duration::from_secs(1800);

struct Watcher {
    server: Arc<Server>,
    kind: &'static Kind,
    shelf: ShelfId,
    namespace: Option<String>,
    name: Option<String>,
    selection: Selection,
    form: Form,
    /// Changes up to this revision were told.
    cursor: u64,
    /// Objects that are there and still to be told.
    initial: VecDeque<Arc<Object>>,
    /// The end of the initial objects is to be marked.
    mark_end: bool,
    bookmarks: Bookmarks,
    columns: Columns,
    next_bookmark: Instant,
    deadline: Instant,
    news: tokio::sync::watch::Receiver<u64>,
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bookmarks {
    Wanted,
    Unwanted,
}

pub fn watch(
    server: &Arc<Server>,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, Status> {
    let form = form::negotiate(headers, query.get("includeObject"))?;
    let selection = query.selection(target.kind)?;
    let asked = query.resource_version()?;
    let initial_events = query.is_set("sendInitialEvents");
    if initial_events && query.get("resourceVersionMatch") != Some("NotOlderThan") {
        return Err(read::match_refused("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    }
    let shelf = shelf(target.kind);
    // Before the look at the objects: a change in between must wake the watcher.
    let news = server.store.subscribe(shelf);
    let from_now = query.get("sendInitialEvents").is_some() && !initial_events;
    let tells_state = initial_events || (asked.unwrap_or_default() == 0 && !from_now);
    let (cursor, initial) = if tells_state {
        let (revision, mut objects) = read::selected(server, target, &selection);
        if let Some(name) = &target.name {
            objects.retain(|it| object::name(&it.value) == name);
        }
        (revision, VecDeque::from(objects))
    } else {
        (
            asked
                .filter(|revision| *revision > 0)
                .unwrap_or_else(|| server.store.revision()),
            VecDeque::new(),
        )
    };
    let started = Instant::now();
    let spread = Duration::from_secs(server.store.revision() % WATCH_FOR.as_secs());
    let bookmarks = if query.is_set("allowWatchBookmarks") {
        Bookmarks::Wanted
    } else {
        Bookmarks::Unwanted
    };
    let watcher = Watcher {
        server: Arc::clone(server),
        kind: target.kind,
        shelf,
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        selection,
        form,
        cursor,
        initial,
        mark_end: initial_events && bookmarks == Bookmarks::Wanted,
        bookmarks,
        columns: Columns::Shown,
        next_bookmark: started + BOOKMARK_EVERY,
        deadline: started + query.timeout()?.unwrap_or(WATCH_FOR + spread),
        news,
        over: false,
    };
    let events = futures_util::stream::unfold(watcher, |mut watcher| async move {
        let bytes = watcher.next().await?;
        Some((Ok::<_, Infallible>(bytes), watcher))
    });
    Ok(answer::with_type(
        StatusCode::OK,
        "application/json",
        Body::from_stream(events),
    ))
}

impl Watcher {
    /// The next lines to send; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.over {
                return None;
            }
            if let Some(lines) = self.tell_state() {
                return Some(lines);
            }
            self.news.borrow_and_update();
            let durable = self.server.store.durable_revision();
            let current = self.server.store.revision();
            if self.cursor > current {
                // A revision of another life of this cluster: only a new list helps.
                return Some(self.expire(current));
            }
            match self
                .server
                .store
                .changes(self.shelf, self.cursor, CHANGES_AT_ONCE)
            {
                Err(expired) => return Some(self.expire(expired.oldest)),
                Ok(changes) if changes.is_empty() => {
                    self.cursor = self.cursor.max(durable);
                    if let Some(lines) = self.wait().await {
                        return Some(lines);
                    }
                }
                Ok(changes) => {
                    let lines = self.tell(&changes);
                    if !lines.is_empty() {
                        return Some(lines);
                    }
                }
            }
        }
    }

    /// Tells some of the objects that are there, or that these were all.
    fn tell_state(&mut self) -> Option<Bytes> {
        if !self.initial.is_empty() {
            let mut lines = BytesMut::new();
            for _ in 0..CHANGES_AT_ONCE {
                let Some(object) = self.initial.pop_front() else {
                    break;
                };
                self.line(&mut lines, "ADDED", &object);
            }
            return Some(lines.freeze());
        }
        if self.mark_end {
            self.mark_end = false;
            return Some(self.bookmark(json!({ "k8s.io/initial-events-end": "true" })));
        }
        None
    }

    fn tell(&mut self, changes: &[Arc<Change>]) -> Bytes {
        let mut lines = BytesMut::new();
        for change in changes {
            self.cursor = change.object.revision;
            if !self.is_in_place(&change.object) {
                continue;
            }
            let was_selected = change.before.as_ref().is_some_and(|it| self.selects(it));
            match (
                change.kind,
                was_selected,
                change.kind != ChangeKind::Deleted && self.selects(&change.object),
            ) {
                (ChangeKind::Deleted, true, _) => self.line(&mut lines, "DELETED", &change.object),
                (ChangeKind::Added | ChangeKind::Modified, true, true) => {
                    self.line(&mut lines, "MODIFIED", &change.object);
                }
                (ChangeKind::Added | ChangeKind::Modified, false, true) => {
                    self.line(&mut lines, "ADDED", &change.object);
                }
                (ChangeKind::Added | ChangeKind::Modified, true, false) => {
                    // It is still there, but for this client it is gone: as it was last, at the revision of the change.
                    let last = change
                        .before
                        .as_ref()
                        .map(|it| it.value.clone())
                        .unwrap_or_default();
                    self.line(
                        &mut lines,
                        "DELETED",
                        &Object::new(last, change.object.revision),
                    );
                }
                (_, false, false) | (ChangeKind::Deleted, false, true) => {}
            }
        }
        lines.freeze()
    }

    fn is_in_place(&self, object: &Object) -> bool {
        let in_namespace = self
            .namespace
            .as_deref()
            .is_none_or(|it| it == object::namespace(&object.value));
        in_namespace
            && self
                .name
                .as_deref()
                .is_none_or(|it| it == object::name(&object.value))
    }

    fn selects(&self, object: &Object) -> bool {
        self.selection.is_everything() || self.selection.matches(&view(self.kind, object))
    }

    /// Waits for news; gives a line if something else is to be said meanwhile.
    async fn wait(&mut self) -> Option<Bytes> {
        tokio::select! {
            changed = self.news.changed() => {
                self.over |= changed.is_err();
                None
            }
            () = sleep_until(self.next_bookmark), if self.bookmarks == Bookmarks::Wanted => Some(self.bookmark(Value::Null)),
            () = sleep_until(self.deadline) => {
                self.over = true;
                (self.bookmarks == Bookmarks::Wanted).then(|| self.bookmark(Value::Null))
            }
            () = self.server.stop.cancelled() => {
                self.over = true;
                None
            }
        }
    }

    fn line(&mut self, lines: &mut BytesMut, event: &str, object: &Object) {
        let bytes = match self.form {
            Form::Objects => view_bytes(self.kind, object),
            Form::Metadata | Form::Table(_) => {
                let value = form::one(
                    self.kind,
                    &view(self.kind, object),
                    self.form,
                    self.columns,
                    now(),
                );
                self.columns = Columns::LeftOut;
                Bytes::from(value.to_string())
            }
        };
        put_line(lines, event, &bytes);
    }

    fn bookmark(&mut self, annotations: Value) -> Bytes {
        self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
        let mut metadata =
            json!({ "resourceVersion": self.cursor.to_string() });
        if !annotations.is_null() {
            metadata["annotations"] = annotations;
        }
        let object = match self.form {
            Form::Objects => {
                json!({ "kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata })
            }
            Form::Metadata => table::metadata_only(&json!({ "metadata": metadata })),
            Form::Table(include) => {
                form::table(self.kind, &[], include, Columns::LeftOut, metadata, now())
            }
        };
        let mut lines = BytesMut::new();
        put_line(&mut lines, "BOOKMARK", object.to_string().as_bytes());
        lines.freeze()
    }

    /// Tells the client that it must list anew.
    fn expire(&mut self, oldest: u64) -> Bytes {
        self.over = true;
        let status = status::resource_version_too_old(self.cursor, oldest).to_value();
        let mut lines = BytesMut::new();
        put_line(&mut lines, "ERROR", status.to_string().as_bytes());
        lines.freeze()
    }
}

fn put_line(lines: &mut BytesMut, event: &str, object: &[u8]) {
    lines.put_slice(b"{\"type\":\"");
    lines.put_slice(event.as_bytes());
    lines.put_slice(b"\",\"object\":");
    lines.put_slice(object);
    lines.put_slice(b"}\n");
}
