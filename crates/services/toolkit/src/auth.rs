//! Which job asks: the token of a request, and the grant that it names.

use api::JobGrant;
use axum::http::HeaderMap;

use crate::{Toolkit, token::Purpose};

/// Why a request has no grant.
#[derive(Debug, thiserror::Error)]
pub enum NoGrant {
    #[error("this needs the token of a running job")]
    NoToken,
    #[error("the token is not one of this server, or its job is over")]
    BadToken,
    #[error("the store could not be read")]
    Store(#[from] store::TypedError),
}

/// The grant of the job whose token the request carries.
pub async fn grant(toolkit: &Toolkit, headers: &HeaderMap, purpose: Purpose) -> Result<JobGrant, NoGrant> {
    let text = headers.get(axum::http::header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let (scheme, token) = text.and_then(|it| it.split_once(' ')).ok_or(NoGrant::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NoGrant::NoToken);
    }
    let now = store::now();
    let claims = toolkit.runtime_key.check(token.trim(), now).ok_or(NoGrant::BadToken)?;
    if claims.purpose != purpose {
        return Err(NoGrant::BadToken);
    }
    let key = JobGrant::key_of(&claims.run, &claims.job);
    let grant = store::find::<JobGrant>(&*toolkit.records, &key).await?.ok_or(NoGrant::BadToken)?;
    // A token of an earlier attempt ends with it.
    if grant.attempt != claims.attempt || grant.expires <= now {
        return Err(NoGrant::BadToken);
    }
    Ok(grant)
}
