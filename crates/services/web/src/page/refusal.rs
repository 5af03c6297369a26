//! Why there is no page, as a page.

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use super::{shell, text};
use crate::{refusal::Refusal, rights::Reader};

/// A refusal that is shown as a page.
#[derive(Debug)]
pub struct PageRefusal(pub Refusal);

impl<T: Into<Refusal>> From<T> for PageRefusal {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    title: &'static str,
    message: String,
    known: Vec<Known>,
    asks_for_token: bool,
}

struct Known {
    id: String,
    href: String,
}

impl IntoResponse for PageRefusal {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let known = self.0.known().iter();
        let page = RefusalPage {
            title: title(status),
            message: text::plain(&self.0.message()),
            known: known
                .map(|id| Known { id: text::plain(id), href: format!("/find?q={}", shell::escaped(id)) })
                .collect(),
            asks_for_token: status == StatusCode::UNAUTHORIZED,
        };
        let mut response = match shell::render(&page) {
            Ok(html) => (status, html).into_response(),
            Err(_) => status.into_response(),
        };
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"Landfall\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Log in",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::CONFLICT => "Which one?",
        StatusCode::BAD_REQUEST => "Not understood",
        _ => "Out of reach",
    }
}

/// Proof that whoever asks may read records; without it, the log-in page.
#[derive(Clone, Copy, Debug)]
pub struct PageReader(());

impl<S: Sync> FromRequestParts<S> for PageReader {
    type Rejection = PageRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageRefusal> {
        Reader::of(parts)?;
        Ok(Self(()))
    }
}
