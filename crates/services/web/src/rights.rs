//! Who may read: the principal that a handler asks for.

use access::{Action, Principal};
use axum::{extract::FromRequestParts, http::request::Parts};

use crate::refusal::Refusal;

/// Proof that whoever asks may read records.
#[derive(Clone, Copy, Debug)]
pub struct Reader(());

impl Reader {
    /// Decides by the principal that the server put into the request.
    pub fn of(parts: &Parts) -> Result<Self, Refusal> {
        let principal = parts.extensions.get::<Principal>().ok_or(Refusal::Nobody)?;
        access::check(principal, &Action::ReadRecords).map_err(Refusal::Forbidden)?;
        Ok(Self(()))
    }
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::of(parts)
    }
}
