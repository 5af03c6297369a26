//! Reads request bodies: JSON, YAML and Kubernetes' protobuf.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use resource::{
    Kind, proto,
    schema::{self, FieldProblem},
    status::{self, Status},
};
use serde_json::Value;

use crate::{answer::Warnings, query::FieldValidation};

/// The largest body that is read, as on a real API server.
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The largest object that is stored; etcd's limit, which tools rely on to notice runaway objects.
pub const OBJECT_BYTES_MAX: usize = 1536 * 1024;

const MEDIA_TYPES: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

/// How the bytes of a body are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Json,
    Yaml,
    Protobuf,
}

/// A body as it was sent.
pub struct Sent {
    pub bytes: Bytes,
    /// Without parameters, lowercase; empty if the client named none.
    pub media_type: String,
}

/// Reads all of a body, up to the limit.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Sent, Status> {
    let collected = Limited::new(body, BODY_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                status::too_large(BODY_BYTES_MAX)
            } else {
                status::bad_request(format!("the body of the request ended early: {error}"))
            }
        })?;
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    let media_type = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    Ok(Sent {
        bytes: collected.to_bytes(),
        media_type,
    })
}

impl Sent {
    fn encoding(&self) -> Result<Encoding, Status> {
        match self.media_type.as_str() {
            // A client that names no type means JSON; that is what old ones do.
            "" | "application/json" => Ok(Encoding::Json),
            "application/yaml" => Ok(Encoding::Yaml),
            "application/vnd.kubernetes.protobuf" => Ok(Encoding::Protobuf),
            _ => Err(status::unsupported_media_type(MEDIA_TYPES)),
        }
    }

    /// The tree of the body, whatever it is about; `None` for an empty body.
    pub fn value(&self) -> Result<Option<Value>, Status> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        match self.encoding()? {
            Encoding::Json => json(&self.bytes).map(Some),
            Encoding::Yaml => yaml(&self.bytes).map(Some),
            Encoding::Protobuf => proto::decode(&self.bytes)
                .map(Some)
                .map_err(|error| status::bad_request(error.to_string())),
        }
    }

    /// The body as an object of `kind`, checked against its schema.
    pub fn object(
        &self,
        kind: &Kind,
        validation: FieldValidation,
    ) -> Result<(Value, Warnings), Status> {
        let encoding = self.encoding()?;
        let Some(value) = self.value()? else {
            return Err(status::bad_request("the body of the request was empty"));
        };
        let value = typed(kind, value)?;
        let duplicates = match encoding {
            Encoding::Json => schema::duplicates(&self.bytes),
            Encoding::Yaml | Encoding::Protobuf => Vec::new(),
        };
        checked(kind, value, duplicates, validation)
    }
}

/// Holds an object against its schema: says what does not fit, and leaves that out.
pub fn checked(
    kind: &Kind,
    mut value: Value,
    mut problems: Vec<FieldProblem>,
    validation: FieldValidation,
) -> Result<(Value, Warnings), Status> {
    drop_nulls(&mut value);
    problems.extend(schema::check(kind, &value));
    let warnings = judge(kind, &problems, validation)?;
    for problem in &problems {
        if let FieldProblem::Unknown { path } = problem {
            drop_field(&mut value, path);
        }
    }
    Ok((value, warnings))
}

/// A member that is null says the same as one that is not there.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Removes the field at a path such as `spec.containers[0].imagee`.
fn drop_field(value: &mut Value, path: &str) {
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut at = value;
    for step in parents.split(['.', '[']).filter(|step| !step.is_empty()) {
        let next = match step.strip_suffix(']') {
            Some(index) => index
                .parse::<usize>()
                .ok()
                .and_then(|index| at.get_mut(index)),
            None => at.get_mut(step),
        };
        let Some(next) = next else { return };
        at = next;
    }
    if let Some(members) = at.as_object_mut() {
        members.shift_remove(last);
    }
}

/// Fills in a missing `apiVersion` and `kind` and refuses others than those of the URL.
pub fn typed(kind: &Kind, mut value: Value) -> Result<Value, Status> {
    let version = kind.api_version();
    let Some(members) = value.as_object_mut() else {
        return Err(status::bad_request(
            "the body of the request is not an object",
        ));
    };
    let said = |members: &serde_json::Map<String, Value>, member: &str| {
        members
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (said_version, said_kind) = (said(members, "apiVersion"), said(members, "kind"));
    let differs = |said: &str, expected: &str| !said.is_empty() && said != expected;
    if differs(&said_version, &version) || differs(&said_kind, kind.kind) {
        let just_version = said_version.rsplit('/').next().unwrap_or_default();
        let message = if said_kind != kind.kind {
            format!(
                "{said_kind} in version \"{just_version}\" cannot be handled as a {}: no kind \"{said_kind}\" is registered for version \"{said_version}\"",
                kind.kind
            )
        } else {
            format!(
                "the API version in the data ({said_version}) does not match the expected API version ({version})"
            )
        };
        return Err(status::bad_request(message));
    }
    if said_version.is_empty() || said_kind.is_empty() {
        let mut whole = serde_json::Map::new();
        whole.insert("apiVersion".to_owned(), Value::String(version));
        whole.insert("kind".to_owned(), Value::from(kind.kind));
        for (member, value) in std::mem::take(members) {
            if member != "apiVersion" && member != "kind" {
                whole.insert(member, value);
            }
        }
        *members = whole;
    }
    Ok(value)
}

/// Turns the problems of a body into a refusal or warnings, as the client asked.
fn judge(
    kind: &Kind,
    problems: &[FieldProblem],
    validation: FieldValidation,
) -> Result<Warnings, Status> {
    let (wrong, loose): (Vec<_>, Vec<_>) = problems
        .iter()
        .partition(|it| matches!(it, FieldProblem::WrongType { .. }));
    let refuse = |why: String| {
        let (version, name) = (kind.version, kind.kind);
        status::bad_request(format!(
            "{name} in version \"{version}\" cannot be handled as a {name}: {why}"
        ))
    };
    if let Some(first) = wrong.first() {
        return Err(refuse(first.to_string()));
    }
    let texts: Vec<String> = loose.iter().map(ToString::to_string).collect();
    match validation {
        FieldValidation::Strict if !texts.is_empty() => Err(refuse(format!(
            "strict decoding error: {}",
            texts.join(", ")
        ))),
        FieldValidation::Strict | FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(texts),
    }
}

/// Reads JSON text.
pub fn json(bytes: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(bytes).map_err(|error| {
        status::bad_request(format!(
            "the object provided is unrecognized (must be of type JSON): {error}"
        ))
    })
}

/// Reads one YAML document, as Go's reader does. JSON is YAML too.
pub fn yaml(bytes: &[u8]) -> Result<Value, Status> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let wrong =
        |why: String| status::bad_request(format!("error converting YAML to JSON: yaml: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("the text is not UTF-8".to_owned()))?;
    let documents = yaml::parse(text, "body", yaml::Flavor::Go11).map_err(|diagnostics| {
        let found: Vec<String> = diagnostics
            .iter()
            .map(|it| format!("line {}: {}", it.span.line, it.message))
            .collect();
        wrong(found.join("; "))
    })?;
    let mut values = documents
        .iter()
        .map(|it| it.root.to_json())
        .filter(|it| !it.is_null());
    match (values.next(), values.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(status::bad_request("the body of the request was empty")),
        (Some(_), Some(_)) => Err(wrong("expected one document, found several".to_owned())),
    }
}
