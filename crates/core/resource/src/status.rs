//! `Status` objects: how the API server says no.
//!
//! Clients match on `reason` and `code`, people read `message`; both are those of the real server.

use serde_json::{Map, Value, json};

use crate::{kinds::Kind, ownership::Conflicts, schema::FieldProblem, validate::Cause};

/// An answer that is not an object: a refusal, or the success of a deletion.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Option<Value>,
}

impl Status {
    fn failure(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
        }
    }

    fn about(mut self, group: &str, resource: &str, name: &str) -> Self {
        let mut details = Map::new();
        if !name.is_empty() {
            details.insert("name".to_owned(), json!(name));
        }
        if !group.is_empty() {
            details.insert("group".to_owned(), json!(group));
        }
        if !resource.is_empty() {
            details.insert("kind".to_owned(), json!(resource));
        }
        self.details = Some(Value::Object(details));
        self
    }

    fn with_empty_details(mut self) -> Self {
        self.details = Some(json!({}));
        self
    }

    fn with_detail(mut self, key: &str, value: Value) -> Self {
        if let Some(Value::Object(details)) = &mut self.details {
            details.insert(key.to_owned(), value);
        } else {
            self.details = Some(json!({ key: value }));
        }
        self
    }

    /// The object as it goes over the wire.
    pub fn to_value(&self) -> Value {
        let success = self.code < 400;
        let mut object = Map::new();
        object.insert("kind".to_owned(), json!("Status"));
        object.insert("apiVersion".to_owned(), json!("v1"));
        object.insert("metadata".to_owned(), json!({}));
        object.insert(
            "status".to_owned(),
            json!(if success { "Success" } else { "Failure" }),
        );
        if !self.message.is_empty() {
            object.insert("message".to_owned(), json!(self.message));
        }
        if !self.reason.is_empty() {
            object.insert("reason".to_owned(), json!(self.reason));
        }
        if let Some(details) = &self.details {
            object.insert("details".to_owned(), details.clone());
        }
        if !success {
            object.insert("code".to_owned(), json!(self.code));
        }
        Value::Object(object)
    }
}

/// 200: the answer to a deletion that left no object to show.
pub fn deleted(kind: &Kind, name: &str, uid: &str) -> Status {
    Status {
        code: 200,
        reason: "",
        message: String::new(),
        details: None,
    }
    .about(kind.group, kind.plural, name)
    .with_detail("uid", json!(uid))
}

/// 404 for an object.
pub fn not_found(kind: &Kind, name: &str) -> Status {
    let message = format!("{} \"{name}\" not found", kind.qualified_plural());
    Status::failure(404, "NotFound", message).about(kind.group, kind.plural, name)
}

/// 404 for a path that no kind is served under.
pub fn no_such_resource() -> Status {
    Status::failure(
        404,
        "NotFound",
        "the server could not find the requested resource",
    )
    .with_empty_details()
}

/// 409: an object of this name is already there.
pub fn already_exists(kind: &Kind, name: &str) -> Status {
    let message = format!("{} \"{name}\" already exists", kind.qualified_plural());
    Status::failure(409, "AlreadyExists", message).about(kind.group, kind.plural, name)
}

/// 409: the object changed since the client read it.
pub fn modified(kind: &Kind, name: &str) -> Status {
    conflict(
        kind,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )
}

/// 409 for any other reason, e.g. a precondition that does not hold.
pub fn conflict(kind: &Kind, name: &str, why: &str) -> Status {
    let message = format!(
        "Operation cannot be fulfilled on {} \"{name}\": {why}",
        kind.qualified_plural()
    );
    Status::failure(409, "Conflict", message).about(kind.group, kind.plural, name)
}

/// 409: a delete was meant for another object, or for another version of it.
pub fn other_than_expected(kind: &Kind, name: &str, why: &str) -> Status {
    let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified_kind());
    Status::failure(409, "Conflict", message).about(kind.group, kind.kind, name)
}

/// 422: the object breaks rules, each named by one cause.
pub fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Status {
    invalid_form(kind.group, kind.kind, name, causes)
}

/// As [`invalid`], for a form that is no object of the store, such as `Scale` or the options of a request.
pub fn invalid_form(group: &str, form: &str, name: &str, causes: &[Cause]) -> Status {
    let mut lines: Vec<String> = Vec::new();
    for cause in causes {
        let line = cause.to_string();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let text = match lines.as_slice() {
        [] => "<nil>".to_owned(),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let dot = if group.is_empty() { "" } else { "." };
    let message = format!("{form}{dot}{group} \"{name}\" is invalid: {text}");
    let causes: Vec<Value> = causes
        .iter()
        .map(|it| json!({ "reason": it.reason, "message": it.message, "field": it.field }))
        .collect();
    let status = Status::failure(422, "Invalid", message).about(group, form, name);
    if causes.is_empty() {
        status
    } else {
        status.with_detail("causes", Value::Array(causes))
    }
}

/// 400: the request cannot be understood.
pub fn bad_request(message: impl Into<String>) -> Status {
    Status::failure(400, "BadRequest", message)
}

/// 400: the body has fields that its kind does not take. A wrong type hides all else, as it ends
/// the real decoder's work.
pub fn undecodable(kind: &Kind, problems: &[FieldProblem]) -> Status {
    let wrong_type = problems
        .iter()
        .find(|it| matches!(it, FieldProblem::WrongType { .. }));
    let why = match wrong_type {
        Some(problem) => problem.to_string(),
        None => {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            format!("strict decoding error: {}", all.join(", "))
        }
    };
    let (name, version) = (kind.kind, kind.version);
    bad_request(format!(
        "{name} in version \"{version}\" cannot be handled as a {name}: {why}"
    ))
}

/// 422: a JSON patch that does not fit the object; the real server says no more than this.
pub fn patch_rejected() -> Status {
    let message = "the server rejected our request due to an error in our request";
    Status::failure(422, "Invalid", message).with_empty_details()
}

/// 401: nobody is known to be asking.
pub fn unauthorized() -> Status {
    Status::failure(401, "Unauthorized", "Unauthorized")
}

/// 403 for one object or, with an empty name, a whole resource.
pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Status {
    let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified_plural());
    Status::failure(403, "Forbidden", message).about(kind.group, kind.plural, name)
}

/// 403 as access control words it: `User "x" cannot list resource "pods" in API group "" in the namespace "n"`.
pub fn access_denied(
    kind: &Kind,
    name: &str,
    user: &str,
    verb: &str,
    namespace: Option<&str>,
) -> Status {
    let place = match namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let why = format!(
        "User \"{user}\" cannot {verb} resource \"{}\" in API group \"{}\" {place}",
        kind.plural, kind.group
    );
    if name.is_empty() {
        let message = format!("{} is forbidden: {why}", kind.qualified_plural());
        return Status::failure(403, "Forbidden", message).about(kind.group, kind.plural, name);
    }
    forbidden(kind, name, &why)
}

/// 403: a namespace that is being deleted takes no new objects.
pub fn namespace_terminating(kind: &Kind, name: &str, namespace: &str) -> Status {
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let cause = json!({
        "reason": "NamespaceTerminating",
        "message": format!("namespace {namespace} is being terminated"),
        "field": "metadata.namespace",
    });
    forbidden(kind, name, &why).with_detail("causes", json!([cause]))
}

/// 405: the resource knows no such verb.
pub fn method_not_allowed() -> Status {
    Status::failure(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
    .with_empty_details()
}

/// 406: none of the client's media types can be answered.
pub fn not_acceptable(offered: &[&str]) -> Status {
    let message = format!(
        "only the following media types are accepted: {}",
        offered.join(", ")
    );
    Status::failure(406, "NotAcceptable", message)
}

/// 410: the resource version is too old to continue from.
pub fn expired(message: impl Into<String>) -> Status {
    Status::failure(410, "Expired", message)
}

/// 410 for a watch or list that starts before the oldest known event.
pub fn resource_version_too_old(asked: u64, oldest: u64) -> Status {
    expired(format!("too old resource version: {asked} ({oldest})"))
}

/// 413: the body is over the limit.
pub fn too_large(limit_bytes: usize) -> Status {
    let message = format!("Request entity too large: limit is {limit_bytes}");
    Status::failure(413, "RequestEntityTooLarge", message)
}

/// 415: the body's media type is not understood.
pub fn unsupported_media_type(offered: &[&str]) -> Status {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        offered.join(", ")
    );
    Status::failure(415, "UnsupportedMediaType", message)
}

/// 429: come back after that many seconds.
pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Status {
    Status::failure(429, "TooManyRequests", message)
        .with_detail("retryAfterSeconds", json!(retry_after_seconds))
}

/// 409 for an apply of fields that others own.
pub fn apply_conflict(conflicts: &Conflicts) -> Status {
    let cause = |conflict: &crate::ownership::Conflict| {
        json!({ "reason": "FieldManagerConflict", "message": conflict.message(), "field": conflict.field() })
    };
    let causes: Value = conflicts.0.iter().map(cause).collect();
    Status::failure(409, "Conflict", conflicts.to_string()).with_detail("causes", causes)
}

/// 500 for an applied object that does not fit the schema, which the real server does not number better.
pub fn untyped(why: impl Into<String>) -> Status {
    Status::failure(500, "", why)
}

/// 500: the fault is the server's.
pub fn internal_error(why: &str) -> Status {
    Status::failure(
        500,
        "InternalError",
        format!("Internal error occurred: {why}"),
    )
    .with_detail("causes", json!([{ "message": why }]))
}

/// 503: the server cannot answer for a while.
pub fn service_unavailable(message: impl Into<String>) -> Status {
    Status::failure(503, "ServiceUnavailable", message)
}

/// 504: a list of a state that is still to come.
pub fn revision_in_future(asked: u64, current: u64) -> Status {
    timeout(format!("Timeout: Too large resource version: {asked}, current: {current}"))
        .with_detail("causes", json!([{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }]))
        .with_detail("retryAfterSeconds", json!(1))
}

/// 504: the answer did not come in time.
pub fn timeout(message: impl Into<String>) -> Status {
    Status::failure(504, "Timeout", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn messages_are_those_of_the_real_server() {
        let deployment = kinds::by_kind("apps/v1", "Deployment").expect("served");
        let pod = kinds::by_kind("v1", "Pod").expect("served");
        let cause = |message: &str| Cause {
            field: "spec.replicas".to_owned(),
            reason: "FieldValueInvalid",
            message: message.to_owned(),
        };
        for (status, expected) in [
            (
                not_found(deployment, "web"),
                "deployments.apps \"web\" not found",
            ),
            (already_exists(pod, "x"), "pods \"x\" already exists"),
            (
                modified(deployment, "web"),
                "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; please apply your changes to the latest version and try again",
            ),
            (
                invalid(deployment, "web", &[cause("one")]),
                "Deployment.apps \"web\" is invalid: spec.replicas: one",
            ),
            (
                invalid(
                    deployment,
                    "web",
                    &[cause("one"), cause("two"), cause("one")],
                ),
                "Deployment.apps \"web\" is invalid: [spec.replicas: one, spec.replicas: two]",
            ),
            (
                access_denied(pod, "", "jane", "list", Some("default")),
                "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"",
            ),
            (
                undecodable(
                    deployment,
                    &[FieldProblem::Unknown {
                        path: "spec.x".to_owned(),
                    }],
                ),
                "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.x\"",
            ),
        ] {
            assert_eq!(status.message, expected);
        }
    }

    #[test]
    fn wire_form_of_a_refusal() {
        let pod = kinds::by_kind("v1", "Pod").expect("served");
        let expected = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "pods \"x\" not found",
            "reason": "NotFound",
            "details": {"name": "x", "kind": "pods"},
            "code": 404,
        });
        assert_eq!(not_found(pod, "x").to_value(), expected);
    }
}
