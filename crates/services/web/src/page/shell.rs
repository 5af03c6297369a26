//! What all pages share: rendering, links, and the frame around the content.

use askama::Template;
use axum::response::Html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{look::Look, refusal::PageRefusal};
use crate::refusal::Refusal;

/// Renders a page.
pub fn render(page: &impl Template) -> Result<Html<String>, PageRefusal> {
    page.render().map(Html).map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        PageRefusal(Refusal::Unavailable("the page could not be rendered".to_owned()))
    })
}

/// A link to something that has a state.
#[derive(Clone, Debug)]
pub struct StateLink {
    pub href: String,
    pub text: String,
    pub look: Look,
}

/// Foreign text inside a query.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

pub fn run_href(id: &names::RunId) -> String {
    format!("/runs/{}/{}", id.project, id.number)
}

pub fn release_href(id: &names::ReleaseId) -> String {
    format!("/releases/{}/{}/{}", id.project, id.environment, id.number)
}

pub fn run_link(run: &api::Run) -> StateLink {
    let look = Look::of_work(run.status, run.conclusion);
    StateLink { href: run_href(&run.id), text: run.id.to_string(), look }
}

pub fn release_link(release: &api::Release) -> StateLink {
    let look = Look::of_release(release.state);
    StateLink { href: release_href(&release.id), text: release.id.to_string(), look }
}

/// `main` of `refs/heads/main`.
pub fn branch(git_ref: &str) -> String {
    let short = git_ref.strip_prefix("refs/heads/").or_else(|| git_ref.strip_prefix("refs/tags/"));
    super::text::plain(short.unwrap_or(git_ref))
}
