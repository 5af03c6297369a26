//! Identity tokens: a job proves to others which workflow of which repository it is.
//!
//! Others trust the issuer by its address: they read the discovery document,
//! then the key, and check what a token says against their own rules.

mod claims;
mod signer;

use std::{
    path::PathBuf,
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    Toolkit,
    auth::{self, NoGrant},
    keys::KeyError,
    signed::Query,
    token::{self, Purpose},
};
use signer::Signer;

/// An audience is an address or a name; longer ones are no such thing.
const AUDIENCE_LENGTH_MAX: usize = 1024;

/// Who issues identity tokens, and the key for it.
pub struct Issuer {
    key_file: PathBuf,
    /// The address below which the discovery document lies.
    pub address: String,
    /// Made or read when first needed: making it takes half a second, and most installations never do.
    signer: OnceCell<Arc<Signer>>,
}

impl Issuer {
    pub fn new(key_file: PathBuf, address: String) -> Self {
        Self { key_file, address, signer: OnceCell::new() }
    }

    async fn signer(&self) -> Result<Arc<Signer>, KeyError> {
        let open = || async {
            let file = self.key_file.clone();
            let opened = tokio::task::spawn_blocking(move || Signer::open(&file)).await;
            // A panic there would be one of ours.
            opened.expect("reading a key does not panic").map(Arc::new)
        };
        self.signer.get_or_try_init(open).await.cloned()
    }
}

/// `GET /oidc/token`: a token for the job whose request token comes along.
pub async fn token(State(toolkit): State<Arc<Toolkit>>, request: Request) -> Response {
    let grant = match auth::grant(&toolkit, request.headers(), Purpose::Identity).await {
        Ok(grant) => grant,
        Err(error @ (NoGrant::NoToken | NoGrant::BadToken)) => return refusal(StatusCode::UNAUTHORIZED, &error.to_string()),
        Err(error @ NoGrant::Store(_)) => return refusal(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    if !token::may_identify(&grant) {
        return refusal(StatusCode::FORBIDDEN, "the job lacks the permission `id-token: write`");
    }
    let query = Query::of(request.uri());
    let audience = query.get("audience");
    if audience.len() > AUDIENCE_LENGTH_MAX {
        return refusal(StatusCode::BAD_REQUEST, &format!("an audience has at most {AUDIENCE_LENGTH_MAX} bytes"));
    }
    let identifier = match keep::upload_name() {
        Ok(name) => name,
        Err(error) => return internal(&error),
    };
    let audience = match audience {
        "" => format!("{}/{}", toolkit.config.server_url, grant.fact("repository_owner")),
        named => named.to_owned(),
    };
    let claims = claims::of(&grant, &toolkit.oidc.address, &audience, &identifier, store::now());
    match toolkit.oidc.signer().await {
        Ok(signer) => match signer.sign(&claims) {
            Ok(value) => answer(&json!({ "count": value.len(), "value": value })),
            Err(error) => internal(&error),
        },
        Err(error) => internal(&error),
    }
}

/// `GET /oidc/.well-known/openid-configuration`: what others need to check a token.
pub async fn discovery(State(toolkit): State<Arc<Toolkit>>) -> Response {
    let address = &toolkit.oidc.address;
    answer(&json!({
        "issuer": address,
        "jwks_uri": format!("{address}/.well-known/jwks"),
        "subject_types_supported": ["public", "pairwise"],
        "response_types_supported": ["id_token"],
        "claims_supported": claims::NAMES,
        "id_token_signing_alg_values_supported": [signer::ALGORITHM],
        "scopes_supported": ["openid"],
    }))
}

/// `GET /oidc/.well-known/jwks`: the public key.
pub async fn keys(State(toolkit): State<Arc<Toolkit>>) -> Response {
    match toolkit.oidc.signer().await {
        Ok(signer) => answer(&json!({ "keys": [signer.public()] })),
        Err(error) => internal(&error),
    }
}

fn answer(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json!({ "message": message }).to_string()).into_response()
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::error!(error, "an identity token could not be made");
    refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
}
