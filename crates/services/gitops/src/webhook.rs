//! Webhooks of Git hosts elsewhere: checked, then the apps that follow what changed ask at once.

use access::{Action, Principal};
use api::{App, AppRequest};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use delivery::gitops::{Told, told};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    GitOps,
    routes::{allow, refuse},
};

/// Where hosts send their webhooks.
pub const PATH: &str = "/landfall/v1/webhook";

/// What the secret is made of, beside the installation's key.
const PURPOSE: &[u8] = b"webhooks of git hosts";

/// Headers with a signature of the body, each with what stands before the digits.
const SIGNATURES: [(&str, &str); 3] = [("x-hub-signature-256", "sha256="), ("x-gitea-signature", ""), ("x-hub-signature", "sha256=")];

/// `GET /landfall/v1/webhook`: what is entered at the host.
pub async fn show(State(service): State<GitOps>, principal: Option<Extension<Principal>>) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    Json(json!({"apiVersion": "landfall/v1", "path": PATH, "secret": service.webhook_secret()})).into_response()
}

/// `POST /landfall/v1/webhook`: the signature says who it is.
pub async fn receive(State(service): State<GitOps>, headers: HeaderMap, body: Bytes) -> Response {
    if !service.is_signed(&headers, &body) {
        return refuse(StatusCode::UNAUTHORIZED, "the signature does not fit the secret; `landfall app webhook` shows it");
    }
    let Ok(payload) = serde_json::from_slice::<Value>(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "the body is no JSON; choose the content type `application/json` at the host");
    };
    let told = told(&payload);
    match service.refresh_those(&told).await {
        Ok(names) => Json(json!({"apiVersion": "landfall/v1", "apps": names})).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

impl GitOps {
    /// The same for as long as the installation lives.
    fn webhook_secret(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.config.render_key);
        let tag = hmac::sign(&key, PURPOSE);
        names::Digest::of(tag.as_ref()).hex()
    }

    fn is_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let secret = self.webhook_secret();
        let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
        // GitLab sends the secret itself; comparing signatures of both takes the same time for every guess.
        if let Some(token) = text("x-gitlab-token") {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &self.config.render_key);
            return hmac::verify(&key, token.as_bytes(), hmac::sign(&key, secret.as_bytes()).as_ref()).is_ok();
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signatures = SIGNATURES.iter().filter_map(|(name, before)| text(name)?.strip_prefix(before).and_then(bytes_of));
        signatures.into_iter().any(|signature| hmac::verify(&key, body, &signature).is_ok())
    }

    /// Lets the apps ask their sources at once that follow what was pushed.
    async fn refresh_those(&self, told: &Told) -> Result<Vec<String>, store::TypedError> {
        let mut names = Vec::new();
        for app in store::list::<App>(&*self.records, "").await? {
            if !app.spec.sources.iter().any(|it| told.concerns(&it.repository, &it.revision)) {
                continue;
            }
            store::modify::<App>(&*self.records, &app.name, |app| {
                // Any request that waits makes it ask as well.
                if app.request.is_none() {
                    app.request = Some(AppRequest::Refresh);
                    app.generation += 1;
                }
            })
            .await?;
            names.push(app.name);
        }
        Ok(names)
    }
}

/// The bytes that hexadecimal digits say.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
