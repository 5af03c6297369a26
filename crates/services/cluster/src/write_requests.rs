//! Requests that write objects: reads the body, asks for the change, answers with the object.

use axum::{body::Body, response::Response};
use http::{Request, StatusCode};
use resource::{
    ownership::Force,
    status::{self, Status},
    validate::Cause,
};
use serde_json::json;

use crate::{
    answer,
    author::Author,
    body::{self, Sent},
    delete::{self, Deleted, End, Options},
    form::{self, Form},
    object,
    patch::{self, Applier, Patch},
    path::Target,
    prepare::Part,
    query::Query,
    read,
    server::{Server, view},
    write::{self, Origin},
};

pub async fn sent(request: Request<Body>) -> Result<Sent, Status> {
    let (parts, body) = request.into_parts();
    body::read(&parts.headers, body).await
}

fn answer_form(query: &Query, request: &Request<Body>) -> Result<Form, Status> {
    form::negotiate(request.headers(), query.get("includeObject"))
}

pub async fn create(
    server: &Server,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    let (form, mode, validation) = (
        answer_form(query, &request)?,
        query.mode()?,
        query.field_validation()?,
    );
    let author = Author::of(query, &request, "");
    let (value, warnings) = sent(request).await?.object(target.kind, validation)?;
    let object = write::create(server, target, value, Origin::Written(&author), mode).await?;
    Ok(answer::warn(
        read::one(target.kind, &object, form, StatusCode::CREATED),
        &warnings,
    ))
}

pub async fn update(
    server: &Server,
    target: &Target,
    part: Part,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    let (form, mode, validation) = (
        answer_form(query, &request)?,
        query.mode()?,
        query.field_validation()?,
    );
    let author = Author::of(query, &request, part.subresource());
    let (value, warnings) = sent(request).await?.object(target.kind, validation)?;
    let changed = write::change(server, target, part, Origin::Written(&author), mode, |_| {
        Ok((value.clone(), Vec::new()))
    })
    .await?;
    Ok(answer::warn(
        read::one(target.kind, &changed.object, form, StatusCode::OK),
        &warnings,
    ))
}

pub async fn change(
    server: &Server,
    target: &Target,
    part: Part,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    let (form, mode, validation) = (
        answer_form(query, &request)?,
        query.mode()?,
        query.field_validation()?,
    );
    let author = Author::of(query, &request, part.subresource());
    let sent = sent(request).await?;
    let patch = Patch::read(&sent)?;
    let applies = matches!(patch.form, patch::Form::Apply(_));
    let origin = if applies { Origin::Applied } else { Origin::Written(&author) };
    let force = if query.is_set("force") { Force::Yes } else { Force::No };
    if force == Force::Yes && !applies {
        return Err(options_refused("FieldValueForbidden", "force", "Forbidden: may not be specified for non-apply patch"));
    }
    let applier = Applier { author: &author, force };
    if applies && query.get("fieldManager").is_none() {
        return Err(options_refused("FieldValueRequired", "fieldManager", "Required value: is required for apply patch"));
    }
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let is_missing = || server.find(target.kind, namespace, target.name()).is_none();
    if part == Part::Main
        && is_missing()
        && let Some((value, warnings)) = patch.first(target.kind, target, applier, validation)?
    {
        match write::create(server, target, value, Origin::Applied, mode).await {
            // Somebody else made it in between, so there is something to merge into.
            Err(refused) if refused.reason == "AlreadyExists" => {}
            result => {
                return Ok(answer::warn(
                    read::one(target.kind, &*result?, form, StatusCode::CREATED),
                    &warnings,
                ));
            }
        }
    }
    let changed = write::change(server, target, part, origin, mode, |old| {
        patch.apply(target.kind, old, applier, validation)
    })
    .await?;
    Ok(answer::warn(
        read::one(target.kind, &changed.object, form, StatusCode::OK),
        &changed.warnings,
    ))
}

pub async fn delete(
    server: &Server,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    let form = answer_form(query, &request)?;
    let options = Options::read(sent(request).await?.value()?.as_ref(), query)?;
    let key = object::Key::new(target.namespace.clone().unwrap_or_default(), target.name());
    let deleted = delete::delete(server, target.kind, &key, &options).await?;
    Ok(deleted_answer(target, &deleted, form))
}

fn deleted_answer(target: &Target, deleted: &Deleted, form: Form) -> Response {
    let kind = target.kind;
    let value = view(kind, &deleted.object);
    match deleted.end {
        // The real server shows these kinds even when they are gone.
        End::Gone if !matches!(kind.kind, "Pod" | "Service" | "ServiceAccount") => answer::json(
            StatusCode::OK,
            &status::deleted(kind, object::name(&value), object::uid(&value)).to_value(),
        ),
        End::Gone | End::Pending => read::one(kind, &deleted.object, form, StatusCode::OK),
    }
}

pub async fn delete_collection(
    server: &Server,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    let options = Options::read(sent(request).await?.value()?.as_ref(), query)?;
    let (revision, objects) = read::selected(server, target, &query.selection(target.kind)?);
    for object in &objects {
        match delete::delete(server, target.kind, &object.key(), &options).await {
            Ok(_) => {}
            // Gone already is what was wanted.
            Err(refused) if refused.code == 404 => {}
            Err(refused) => return Err(refused),
        }
    }
    let metadata = json!({ "resourceVersion": revision.to_string() });
    Ok(answer::raw(
        StatusCode::OK,
        read::objects(target.kind, &objects, &metadata),
    ))
}

/// 422: the parameters of a patch contradict it.
fn options_refused(reason: &'static str, field: &str, message: &str) -> Status {
    let cause = Cause { field: field.to_owned(), reason, message: message.to_owned() };
    status::invalid_form("meta.k8s.io", "PatchOptions", "", &[cause])
}
