//! `serviceaccounts/NAME/token`: tokens for pods and people.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use resource::status::{self, Status};
use serde_json::{Value, json};

use crate::{
    answer, object,
    path::Target,
    server::{Server, known},
};

/// The shortest life of a token, as in Kubernetes.
const SECONDS_MIN: u64 = 600;

/// What a client gets that does not say how long its token shall live.
const SECONDS_DEFAULT: u64 = 3600;

/// A longer life than anybody needs who can ask again.
const SECONDS_MAX: u64 = 365 * 24 * 3600;

/// What a token shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    pub namespace: String,
    pub account: String,
    /// Empty for the API server itself.
    pub audiences: Vec<String>,
    pub lifetime: Duration,
    /// The pod that the token is for; without that pod it is worthless.
    pub pod: Option<String>,
}

/// A token and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub token: String,
    pub expires: names::Timestamp,
}

pub fn create(server: &Server, target: &Target, request: &Value) -> Result<Response, Status> {
    let namespace = target.namespace.clone().unwrap_or_default();
    let account = server.get(known("v1", "ServiceAccount"), &namespace, target.name())?;
    let spec = &request["spec"];
    let seconds = spec["expirationSeconds"]
        .as_u64()
        .unwrap_or(SECONDS_DEFAULT);
    if !(SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
        return Err(status::bad_request(format!(
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: {seconds}: \
             may not specify a duration less than 10 minutes or more than a year"
        )));
    }
    let audiences = spec["audiences"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let pod = object::text(spec, &["boundObjectRef", "name"]);
    if !pod.is_empty() && object::text(spec, &["boundObjectRef", "kind"]) == "Pod" {
        server.get(known("v1", "Pod"), &namespace, pod)?;
    }
    let wanted = TokenRequest {
        namespace,
        account: target.name().to_owned(),
        audiences: audiences.map(ToOwned::to_owned).collect(),
        lifetime: Duration::from_secs(seconds),
        pod: (!pod.is_empty()).then(|| pod.to_owned()),
    };
    let given = server
        .config
        .tokens
        .mint(&wanted)
        .map_err(|why| status::internal_error(&why.to_string()))?;
    let answered = json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": { "name": object::name(&account.value), "namespace": object::namespace(&account.value) },
        "spec": {
            "audiences": if wanted.audiences.is_empty() { vec![crate::AUDIENCE.to_owned()] } else { wanted.audiences },
            "expirationSeconds": seconds,
            "boundObjectRef": spec["boundObjectRef"],
        },
        "status": { "token": given.token, "expirationTimestamp": given.expires.to_seconds_text() },
    });
    Ok(answer::json(StatusCode::CREATED, &answered))
}
