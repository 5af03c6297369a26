//! Shows the records: the JSON API that the command line reads, and the page.
//!
//! It changes nothing: whoever can only reach this crate cannot start, stop or
//! deploy anything. Every handler asks for an [`access::Principal`] that may
//! read records; only the log-in form and the assets answer without.

mod changes;
mod job_log;
mod page;
mod read_api;
mod refusal;
mod rights;
mod threads;

use std::sync::Arc;

use axum::Router;
use identity::Tokens;
use store::{Blobs, Logs, Records};

/// What the page and the read API work with.
#[derive(Clone)]
pub struct Web {
    records: Arc<dyn Records>,
    logs: Logs,
    tokens: Tokens,
    /// Where summaries of steps lie.
    blobs: Option<Arc<dyn Blobs>>,
}

impl Web {
    pub fn new(records: Arc<dyn Records>, logs: Logs, tokens: Tokens) -> Self {
        Self { records, logs, tokens, blobs: None }
    }

    /// Shows the summaries of steps, too.
    #[must_use]
    pub fn with_blobs(self, blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs: Some(blobs), ..self }
    }

    /// The routes of the API below `/landfall/v1`, the page, and a fallback for
    /// every other path; the one router of a server that may have a fallback.
    pub fn router(&self) -> Router {
        Router::new().merge(read_api::router()).merge(page::router(self)).with_state(self.clone())
    }
}
