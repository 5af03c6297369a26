//! The page: what became of each commit, for people, rendered on the server.
//!
//! Reading needs no script; the script only fetches the same page again when a
//! record changes. All text that comes from outside passes [`text`] on its way
//! into a view, and the templates escape it.

mod app;
mod assets;
mod home;
mod job_log_view;
mod live;
mod log_in;
mod look;
mod markdown;
mod refusal;
mod release;
mod rollout;
mod run;
mod run_notes;
mod shell;
mod tests;
mod text;
mod thread;
mod when;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::{Web, refusal::Refusal};
use refusal::{PageReader, PageRefusal};

/// Own files only, no inline script or style, no frame around us.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub fn router(web: &Web) -> Router<Web> {
    Router::new()
        .route("/", get(home::show))
        .route("/find", get(thread::find))
        .route("/threads/{*id}", get(thread::show))
        .route("/runs/{project}/{number}", get(run::show))
        .route("/runs/{project}/{number}/lines", get(live::lines))
        .route("/runs/{project}/{number}/log.txt", get(live::download))
        .route("/releases/{project}/{environment}/{number}", get(release::show))
        .route("/flaky/{project}", get(tests::flaky))
        .route("/apps", get(app::list))
        .route("/apps/{name}", get(app::show))
        .route("/live", get(live::changes))
        .route("/login", get(log_in::form).post(log_in::log_in))
        .route("/logout", get(log_in::log_out_form).post(log_in::log_out))
        .fallback(not_found)
        .layer(from_fn_with_state(web.clone(), log_in::by_link))
        .route("/assets/landfall.css", get(assets::style))
        .route("/assets/landfall.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .layer(map_response(guarded))
}

/// Every path that nobody serves; in the API's form below the API.
async fn not_found(reader: Result<PageReader, PageRefusal>, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/landfall/") {
        return Refusal::missing("route", path, Vec::new()).into_response();
    }
    match reader {
        Ok(_) => PageRefusal(Refusal::missing("page", path, Vec::new())).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    set(header::REFERRER_POLICY, "same-origin");
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
