//! The part of GitHub's REST interface that common actions call with the token of their job.
//!
//! What is not here is refused by name: an action that gets an empty answer
//! where GitHub has one would do the wrong thing without a word.

mod answer;
mod artifacts;
mod caches;
mod caller;
mod checks;
mod commits;
mod contents;
mod files;
mod git;
mod page;
mod refs;
mod runs;
mod shape;
mod statuses;
mod workflows;

use std::sync::Arc;

use api::Permission;
use axum::{
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use names::ProjectName;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Toolkit, signed::Query};
use answer::{Answer, Problem};
use caller::Caller;

/// GitHub takes check runs of 64 KB of text and 50 annotations; a megabyte holds them.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// One request to a repository.
struct Ask<'a> {
    toolkit: &'a Toolkit,
    caller: &'a Caller,
    project: ProjectName,
    /// As the caller named it: `owner/name`.
    repository: String,
    query: Query,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    body: Bytes,
}

impl Ask<'_> {
    /// The address of something of this repository.
    fn url(&self, path: &str) -> String {
        format!("{}/repos/{}{path}", self.api(), self.repository)
    }

    fn api(&self) -> String {
        format!("{}/api/v3", self.toolkit.config.url)
    }

    /// Refuses unless the job may go so far.
    fn need(&self, scope: &'static str, permission: Permission) -> Result<(), Problem> {
        self.caller.need(scope, permission)
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| Problem::invalid(error.to_string()))
    }
}

/// Everything below `/api/v3/`, and the same paths without it.
pub async fn serve(State(toolkit): State<Arc<Toolkit>>, request: Request) -> Response {
    match answer(&toolkit, request).await {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// `/api/graphql` has no part that could be served by itself.
pub async fn graphql() -> Response {
    Problem::unsupported("the GraphQL interface").into_response()
}

async fn answer(toolkit: &Toolkit, request: Request) -> Result<Answer, Problem> {
    let caller = Caller::of(toolkit, request.extensions()).await?;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, REQUEST_BYTES_MAX).await.map_err(|_| Problem::too_large(REQUEST_BYTES_MAX))?;
    let path = parts.uri.path();
    let path = path.strip_prefix("/api/v3").unwrap_or(path);
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    // The server leaves the body out by itself.
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
    match (&method, segments.as_slice()) {
        (&Method::GET, []) => Ok(Answer::json(json!({ "current_user_url": format!("{}/api/v3/user", toolkit.config.url) }))),
        (&Method::GET, ["rate_limit"]) => Ok(Answer::json(rate_limit())),
        (&Method::GET, ["meta"]) => Ok(Answer::json(json!({
            "verifiable_password_authentication": false,
            "installed_version": env!("CARGO_PKG_VERSION"),
        }))),
        (method, ["repos", owner, name, rest @ ..]) => {
            let repository = format!("{owner}/{name}");
            let project = caller.project(toolkit, &repository)?;
            let query = Query::of(&parts.uri);
            let ask = Ask { toolkit, caller: &caller, project, repository, query, uri: &parts.uri, headers: &parts.headers, body };
            of_repository(&ask, method, rest).await
        }
        (method, _) => Err(Problem::unknown(method, path)),
    }
}

async fn of_repository(ask: &Ask<'_>, method: &Method, rest: &[&str]) -> Result<Answer, Problem> {
    match (method.as_str(), rest) {
        ("GET", []) => refs::repository(ask).await,
        ("GET", ["branches"]) => refs::branches(ask).await,
        ("GET", ["branches", name @ ..]) => refs::branch(ask, &name.join("/")).await,
        ("GET", ["tags"]) => refs::tags(ask).await,
        ("GET", ["git", "ref", name @ ..]) => refs::one(ask, &name.join("/")).await,
        ("GET", ["git", "matching-refs", name @ ..]) => refs::matching(ask, &name.join("/")).await,
        ("GET", ["git", "commits", commit]) => commits::bare(ask, commit).await,
        ("GET", ["git", "trees", tree]) => contents::tree(ask, tree).await,
        ("GET", ["git", "blobs", blob]) => contents::blob(ask, blob).await,
        ("GET", ["git", "tags", tag]) => refs::annotated(ask, tag).await,
        ("GET", ["commits"]) => commits::list(ask).await,
        ("GET", ["commits", commit @ .., "status"]) if !commit.is_empty() => statuses::combined(ask, &commit.join("/")).await,
        ("GET", ["commits", commit @ .., "statuses"]) if !commit.is_empty() => statuses::list(ask, &commit.join("/")).await,
        ("GET", ["commits", commit @ .., "check-runs"]) if !commit.is_empty() => checks::list(ask, &commit.join("/")).await,
        ("GET", ["commits", commit @ ..]) => commits::one(ask, &commit.join("/")).await,
        ("GET", ["compare", range @ ..]) => commits::compare(ask, &range.join("/")).await,
        ("GET", ["contents", path @ ..]) => contents::read(ask, &path.join("/")).await,
        ("GET", ["readme"]) => contents::readme(ask).await,
        ("POST", ["statuses", commit]) => statuses::create(ask, commit).await,
        ("GET", ["statuses", commit @ ..]) => statuses::list(ask, &commit.join("/")).await,
        ("POST", ["check-runs"]) => checks::create(ask).await,
        ("PATCH", ["check-runs", number]) => checks::update(ask, number).await,
        ("GET", ["check-runs", number]) => checks::one(ask, number).await,
        ("GET", ["check-runs", number, "annotations"]) => checks::annotations(ask, number).await,
        (method, ["actions", rest @ ..]) => of_actions(ask, method, rest).await,
        (_, ["issues" | "pulls", ..]) => Err(Problem::unsupported("issues and pull requests")),
        (_, ["dispatches"]) => Err(Problem::unsupported("starting workflows by this interface")),
        (_, ["tarball" | "zipball", ..]) => Err(Problem::unsupported("archives of the repository; `git clone` gets it")),
        (_, ["releases", ..]) => Err(Problem::unsupported("releases of the code host")),
        (_, ["deployments" | "environments", ..]) => Err(Problem::unsupported("deployments of the code host")),
        (_, ["git" | "contents" | "merges" | "branches", ..]) => {
            Err(Problem::unsupported("changing the repository this way; `git push` with the job's token does it"))
        }
        _ => Err(Problem::unknown(method, ask.uri.path())),
    }
}

async fn of_actions(ask: &Ask<'_>, method: &str, rest: &[&str]) -> Result<Answer, Problem> {
    match (method, rest) {
        ("GET", ["runs"]) => runs::list(ask).await,
        ("GET", ["runs", number]) => runs::one(ask, number).await,
        ("GET", ["runs", number, "jobs"] | ["runs", number, "attempts", _, "jobs"]) => runs::jobs(ask, number).await,
        ("POST", ["runs", number, "cancel"]) => runs::cancel(ask, number).await,
        ("GET", ["jobs", number]) => runs::job(ask, number).await,
        ("GET", ["runs", number, "artifacts"]) => artifacts::of_run(ask, number).await,
        ("GET", ["artifacts"]) => artifacts::list(ask).await,
        ("GET", ["artifacts", number]) => artifacts::one(ask, number).await,
        ("GET", ["artifacts", number, "zip"]) => artifacts::download(ask, number).await,
        ("DELETE", ["artifacts", number]) => artifacts::delete(ask, number).await,
        ("GET", ["caches"]) => caches::list(ask).await,
        ("DELETE", ["caches"]) => caches::delete_by_key(ask).await,
        ("DELETE", ["caches", number]) => caches::delete(ask, number).await,
        ("GET", ["cache", "usage"]) => caches::usage(ask).await,
        ("GET", ["workflows"]) => workflows::list(ask).await,
        ("GET", ["workflows", name]) => workflows::one(ask, name).await,
        ("GET", ["workflows", name, "runs"]) => runs::of_workflow(ask, name).await,
        (_, ["workflows", ..]) => Err(Problem::unsupported("starting and changing workflows by this interface")),
        ("POST", ["runs" | "jobs", _, ..]) => Err(Problem::unsupported("starting runs again by this interface")),
        (_, ["runs" | "jobs", _, .., "logs"]) => Err(Problem::unsupported("logs by this interface; the page of the run has them")),
        (_, ["secrets" | "variables" | "runners" | "permissions", ..]) => {
            Err(Problem::unsupported("settings of the repository"))
        }
        _ => Err(Problem::unknown(&method.parse().unwrap_or(Method::GET), ask.uri.path())),
    }
}

/// Nothing is limited here; clients that ask before they work must see room.
fn rate_limit() -> Value {
    let reset = crate::token::seconds(store::now()) + 3600;
    let limit = json!({ "limit": answer::RATE_LIMIT, "used": 0, "remaining": answer::RATE_LIMIT, "reset": reset });
    json!({ "resources": { "core": limit, "search": limit, "graphql": limit }, "rate": limit })
}

/// The answer to a deletion and to a cancellation.
const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;
