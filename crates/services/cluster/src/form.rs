//! In which form a client wants its answer: objects, a table, or metadata only.

use http::{HeaderMap, header};
use names::Timestamp;
use resource::{
    Kind, status,
    status::Status,
    table::{self, Include},
};
use serde_json::{Value, json};

use crate::object;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Objects,
    Table(Include),
    /// `PartialObjectMetadata`.
    Metadata,
}

/// Takes the first form in `Accept` that can be answered.
///
/// Protobuf is passed over: every client that asks for it takes JSON as well.
pub fn negotiate(headers: &HeaderMap, include_object: Option<&str>) -> Result<Form, Status> {
    let accept: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .collect();
    let accept = accept.join(",");
    if accept.trim().is_empty() {
        return Ok(Form::Objects);
    }
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        if !matches!(
            parts.next(),
            Some("application/json" | "application/*" | "*/*" | "application/yaml")
        ) {
            continue;
        }
        let parameters: Vec<(&str, &str)> = parts.filter_map(|it| it.split_once('=')).collect();
        let parameter = |name: &str| {
            parameters
                .iter()
                .find(|(it, _)| *it == name)
                .map(|(_, value)| *value)
        };
        match parameter("as") {
            None => return Ok(Form::Objects),
            Some("Table") => {
                let include = Include::parse(include_object).ok_or_else(|| {
                    status::bad_request("includeObject: expected `None`, `Metadata` or `Object`")
                })?;
                return Ok(Form::Table(include));
            }
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
                return Ok(Form::Metadata);
            }
            Some(_) => {}
        }
    }
    Err(status::not_acceptable(&["application/json"]))
}

/// A table of some objects. Watches send the columns with the first event only.
pub fn table(
    kind: &Kind,
    objects: &[&Value],
    include: Include,
    columns: Columns,
    list_metadata: Value,
    now: Timestamp,
) -> Value {
    let rows = objects
        .iter()
        .map(|object| table::row(kind, object, now, include))
        .collect();
    let mut whole = table::table(kind, rows, list_metadata);
    if columns == Columns::LeftOut {
        whole["columnDefinitions"] = json!([]);
    }
    whole
}

/// Whether a table says what its columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    Shown,
    LeftOut,
}

/// One object in the form asked for.
pub fn one(kind: &Kind, object: &Value, form: Form, columns: Columns, now: Timestamp) -> Value {
    match form {
        Form::Objects => object.clone(),
        Form::Metadata => table::metadata_only(object),
        Form::Table(include) => {
            let revision = object::text(object, &["metadata", "resourceVersion"]);
            table(
                kind,
                &[object],
                include,
                columns,
                json!({ "resourceVersion": revision }),
                now,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_can_be_answered_is_taken() {
        check("", "Ok(Objects)");
        check("application/json, */*", "Ok(Objects)");
        check(
            "application/vnd.kubernetes.protobuf,application/json",
            "Ok(Objects)",
        );
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            "Ok(Table(Metadata))",
        );
        check(
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
            "Ok(Metadata)",
        );
        check("text/html", "406");
    }

    #[track_caller]
    fn check(accept: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().expect("a header"));
        let found = match negotiate(&headers, None) {
            Ok(form) => format!("Ok({form:?})"),
            Err(status) => status.code.to_string(),
        };
        assert_eq!(found, expected);
    }
}
