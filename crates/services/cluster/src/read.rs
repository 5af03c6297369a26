//! Answers `get` and `list`.

use std::{borrow::Cow, sync::Arc, time::Instant};

use axum::response::Response;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use resource::{Kind, status, status::Status, table, validate::Cause};
use serde_json::{Value, json};

use crate::{
    answer,
    form::{self, Columns, Form},
    object::Object,
    path::Target,
    query::{Query, Selection},
    server::{Server, now, shelf, view, view_bytes},
    snapshots::{Place, Snapshot},
};

pub fn get(
    server: &Server,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, Status> {
    let form = form::negotiate(headers, query.get("includeObject"))?;
    let object = server.get(
        target.kind,
        target.namespace.as_deref().unwrap_or_default(),
        target.name(),
    )?;
    Ok(one(target.kind, &object, form, StatusCode::OK))
}

/// One object as an answer.
pub fn one(kind: &Kind, object: &Object, form: Form, code: StatusCode) -> Response {
    match form {
        Form::Objects => answer::raw(code, view_bytes(kind, object)),
        Form::Table(_) | Form::Metadata => answer::json(
            code,
            &form::one(kind, &view(kind, object), form, Columns::Shown, now()),
        ),
    }
}

pub fn list(
    server: &Server,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, Status> {
    let form = form::negotiate(headers, query.get("includeObject"))?;
    let page = page(server, target, query)?;
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if let Some(next) = &page.next {
        metadata["continue"] = Value::from(next.as_str());
        metadata["remainingItemCount"] = Value::from(page.remaining);
    }
    let kind = target.kind;
    Ok(match form {
        Form::Objects => answer::raw(StatusCode::OK, objects(kind, &page.objects, &metadata)),
        Form::Metadata => {
            let items: Vec<Value> = page
                .objects
                .iter()
                .map(|object| table::metadata_only(&view(kind, object)))
                .collect();
            let list = json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items,
            });
            answer::json(StatusCode::OK, &list)
        }
        Form::Table(include) => {
            let views: Vec<Cow<'_, Value>> = page
                .objects
                .iter()
                .map(|object| view(kind, object))
                .collect();
            let values: Vec<&Value> = views.iter().map(AsRef::as_ref).collect();
            answer::json(
                StatusCode::OK,
                &form::table(kind, &values, include, Columns::Shown, metadata, now()),
            )
        }
    })
}

/// The text of a list, put together from the texts of its objects.
pub fn objects(kind: &Kind, objects: &[Arc<Object>], metadata: &Value) -> Bytes {
    let mut text = BytesMut::new();
    let head =
        json!({ "kind": kind.list_kind(), "apiVersion": kind.api_version(), "metadata": metadata })
            .to_string();
    text.put_slice(head.strip_suffix('}').unwrap_or(&head).as_bytes());
    text.put_slice(b",\"items\":[");
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            text.put_u8(b',');
        }
        text.put_slice(&view_bytes(kind, object));
    }
    text.put_slice(b"]}");
    text.freeze()
}

struct Page {
    revision: u64,
    objects: Vec<Arc<Object>>,
    next: Option<String>,
    remaining: usize,
}

fn page(server: &Server, target: &Target, query: &Query) -> Result<Page, Status> {
    let limit = query
        .number("limit")?
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    let clock = Instant::now();
    let (kept_as, snapshot, read) = match query.get("continue") {
        Some(token) => {
            let (id, snapshot, read) = server.snapshots.resume(token, clock)?;
            (Some(id), snapshot, read)
        }
        None => {
            let (revision, objects) = selected(server, target, &query.selection(target.kind)?);
            check_revision(query, revision)?;
            (
                None,
                Snapshot {
                    revision,
                    objects: Arc::new(objects),
                },
                0,
            )
        }
    };
    let total = snapshot.objects.len();
    let start = read.min(total);
    let end = limit.map_or(total, |limit| start.saturating_add(limit).min(total));
    let objects = snapshot.objects[start..end].to_vec();
    let revision = snapshot.revision;
    let next = (end < total).then(|| {
        let id = kept_as.unwrap_or_else(|| server.snapshots.keep(snapshot.clone(), clock));
        Place {
            id,
            revision,
            read: end,
        }
        .to_token()
    });
    Ok(Page {
        revision,
        objects,
        next,
        remaining: total - end,
    })
}

/// Refuses lists of a past or a future that is not known.
fn check_revision(query: &Query, revision: u64) -> Result<(), Status> {
    let Some(asked) = query.resource_version()? else {
        return match query.get("resourceVersionMatch") {
            None | Some("") => Ok(()),
            Some(_) => Err(match_refused("resourceVersionMatch is forbidden unless resourceVersion is provided")),
        };
    };
    if asked > revision {
        return Err(status::revision_in_future(asked, revision));
    }
    if query.get("resourceVersionMatch") == Some("Exact") && asked != revision {
        return Err(status::resource_version_too_old(asked, revision));
    }
    Ok(())
}

/// 422: the parameters of a list or a watch contradict each other.
pub fn match_refused(why: &str) -> Status {
    let cause = Cause {
        field: "resourceVersionMatch".to_owned(),
        reason: "FieldValueForbidden",
        message: format!("Forbidden: {why}"),
    };
    status::invalid_form("meta.k8s.io", "ListOptions", "", &[cause])
}

/// The objects a list is about, and the revision at which that is so.
pub fn selected(
    server: &Server,
    target: &Target,
    selection: &Selection,
) -> (u64, Vec<Arc<Object>>) {
    let (revision, mut objects) = server
        .store
        .list(shelf(target.kind), target.namespace.as_deref());
    if !selection.is_everything() {
        objects.retain(|object| selection.matches(&view(target.kind, object)));
    }
    (revision, objects)
}
