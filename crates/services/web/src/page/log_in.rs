//! Logging in with the access token, and out again.

use askama::Template;
use axum::{
    Form,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{refusal::PageRefusal, shell};
use crate::{Web, refusal::Refusal};

/// People need not look for their token more than once a month.
const COOKIE_SECONDS: u32 = 30 * 24 * 60 * 60;

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage {
    title: &'static str,
    message: &'static str,
}

#[derive(Template)]
#[template(path = "logout.html")]
struct LogOutPage {
    title: &'static str,
}

#[derive(Deserialize)]
pub struct TokenForm {
    token: String,
}

/// `GET /login`
pub async fn form() -> Result<Response, PageRefusal> {
    Ok(shell::render(&LogInPage { title: "Log in", message: "" })?.into_response())
}

/// `POST /login`
pub async fn log_in(
    State(web): State<Web>,
    headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Result<Response, PageRefusal> {
    if is_foreign(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    by_token(&web, form.token.trim(), "/").await
}

/// Middleware: `?token=…`, as in the link that `landfall status` shows, logs in
/// and leads to the same page without it, so that it stays in no history.
pub async fn by_link(
    State(web): State<Web>,
    query: Result<Query<TokenForm>, axum::extract::rejection::QueryRejection>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(Query(TokenForm { token })) = query else { return next.run(request).await };
    // `//host` would lead to another server.
    let path = request.uri().path();
    let path = if path.starts_with("//") || path.contains('\\') { "/" } else { path };
    let path = if path.starts_with("/log") { "/" } else { path };
    let kept = request.uri().query().unwrap_or_default().split('&');
    let kept: Vec<_> = kept.filter(|pair| !pair.starts_with("token=") && !pair.is_empty()).collect();
    let then = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    by_token(&web, &token, &then).await.into_response()
}

/// Keeps the token in a cookie if it opens anything.
async fn by_token(web: &Web, token: &str, then: &str) -> Result<Response, PageRefusal> {
    let principal = web.tokens.principal(token).await.map_err(|error| {
        tracing::error!(%error, "a token could not be looked up");
        Refusal::Unavailable(error.to_string())
    })?;
    let may_read = principal
        .is_some_and(|principal| access::check(&principal, &access::Action::ReadRecords).is_ok());
    if !may_read {
        let message = "This token opens nothing here. `landfall status` shows the right one.";
        let page = shell::render(&LogInPage { title: "Log in", message })?;
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    let cookie =
        format!("landfall={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={COOKIE_SECONDS}");
    Ok(with_cookie(Redirect::to(then).into_response(), &cookie))
}

/// `GET /logout`: asks, because a link must not log anybody out.
pub async fn log_out_form() -> Result<Response, PageRefusal> {
    Ok(shell::render(&LogOutPage { title: "Log out" })?.into_response())
}

/// `POST /logout`
pub async fn log_out(headers: HeaderMap) -> Response {
    if is_foreign(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let gone = "landfall=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";
    with_cookie(Redirect::to("/login").into_response(), gone)
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    match HeaderValue::from_str(cookie) {
        Ok(value) => {
            response.headers_mut().insert(header::SET_COOKIE, value);
            response
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Whether another site's page sends the form; clients without a page name none.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    text(header::ORIGIN).is_some_and(|origin| {
        origin.split_once("://").map(|(_, from)| from) != text(header::HOST)
    })
}
