//! The JSON API below `/landfall/v1`: what the command line reads.
//!
//! Every answer is an object with `apiVersion`; lists stand under `items`, the
//! newest first. Fields are only ever added.

mod lists;
mod logs;
mod query;
mod records;
mod threads;

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::get,
};

use crate::Web;

// The page asks the same questions.
pub use logs::job_named;
pub use query::{Asked, Selection};
pub use records::{find_release, find_run};

/// The version of the API, told in every answer.
pub const VERSION: &str = "landfall/v1";

pub fn router() -> Router<Web> {
    let routes = Router::new()
        .route("/projects", get(lists::projects))
        .route("/pushes", get(lists::pushes))
        .route("/runs", get(lists::runs))
        .route("/runs/{project}/{number}", get(records::run))
        .route("/releases", get(lists::releases))
        .route("/releases/{project}/{environment}/{number}", get(records::release))
        .route("/drills", get(records::drills))
        .route("/drills/{number}", get(records::drill))
        .route("/threads", get(threads::list))
        // Ids hold slashes, which not every client escapes.
        .route("/threads/{*id}", get(threads::one))
        .route("/logs/{project}/{number}", get(logs::read))
        .layer(map_response(private));
    Router::new().nest("/landfall/v1", routes)
}

/// Answers hold what only the asker may see, and are never a page.
async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
