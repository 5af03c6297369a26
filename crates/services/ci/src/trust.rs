//! Notices that a job fetched code from outside, tells its run, and keeps such jobs from writing.

use access::Principal;
use api::{JobGrant, Trust};
use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
    routing::post,
};
use names::RunId;
use oci::View;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use workflow::{Event, StepKey};

use crate::{Ci, drive::Report, output, place::JobPlace, steps::section, strangers};

/// Lies beside a job once its run knows that the job lost its rights.
const TOLD: &str = "distrusted";

/// Tells the run if a trusted job has lost its rights; says whether that is news.
///
/// The Git host notes it in the grant before it hands the code out, so after
/// each step the answer is certain.
pub async fn look(ci: &Ci, place: &JobPlace, step: &StepKey, out: &mpsc::Sender<Report>) -> bool {
    let Some(why) = &place.grant.outside else { return false };
    let key = JobGrant::key_of(&place.run.id, &place.key.to_string());
    let told = place.folder.join(TOLD);
    if told.exists() {
        return false;
    }
    // A store that cannot be read gives no reason to trust.
    let grant = store::find::<JobGrant>(&*ci.records, &key).await.ok().flatten();
    let mut reason = format!("the job fetched code that is not trusted: {why}");
    if let Some(grant) = grant.filter(|it| it.trust == Trust::Own) {
        let project = ci.repositories.find(&place.run.id.project);
        let Some(found) = strangers::found(place, &grant, why, project.as_ref()).await else { return false };
        reason = format!("{reason}; {found}");
        if let Err(error) = store::modify::<JobGrant>(&*ci.records, &key, |grant| grant.trust = Trust::Foreign).await {
            tracing::error!(%error, "that a job lost its rights could not be kept");
        }
    }
    let (job, text) = (place.key.clone(), format!("##[warning]No more secrets, and a token that only reads: {reason}"));
    output::say(place, section(step), [text.clone()]).await;
    // The receiver lives as long as the driver.
    let _ = out.send(Report::Event(Event::TrustLost { job: job.clone(), reason: reason.clone() })).await;
    let _ = out.send(Report::Warning { job, message: format!("no more secrets, and a token that only reads: {reason}") }).await;
    if let Err(error) = std::fs::write(told, "") {
        tracing::error!(%error, "that a job lost its rights could not be noted");
    }
    true
}

/// What `actions/checkout` is about to fetch from another host.
#[derive(Deserialize)]
struct Checkout {
    repository: String,
}

pub fn routes() -> Router<Ci> {
    Router::new().route("/landfall/v1/job/checkout", post(note_checkout))
}

/// The Git host does not see what comes from elsewhere, so the action says it first.
async fn note_checkout(State(ci): State<Ci>, principal: Option<Extension<Principal>>, Json(call): Json<Checkout>) -> Response {
    let Some(Extension(Principal::Job { run, job, .. })) = principal else { return StatusCode::FORBIDDEN.into_response() };
    let key = JobGrant::key_of(&run, &job);
    let noted = async {
        let Some(grant) = store::find::<JobGrant>(&*ci.records, &key).await? else { return Ok(()) };
        if grant.trust == Trust::Own && grant.outside.as_ref().is_some_and(|why| is_meant(&grant, why, &call.repository)) {
            store::modify::<JobGrant>(&*ci.records, &key, |grant| grant.trust = Trust::Foreign).await?;
        }
        Ok::<_, store::TypedError>(())
    };
    match noted.await {
        Ok(()) => Json(json!({})).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// Whether a repository is the one that the event's code comes from; not every event tells.
fn is_meant(grant: &JobGrant, why: &str, repository: &str) -> bool {
    why.to_lowercase().contains(&format!("`{}`", repository.to_lowercase())) || grant.fact("event_name") == "issue_comment"
}

/// Whose names of images count for a job: one that is not trusted sees its own over those of all.
///
/// # Errors
///
/// The store cannot be read.
pub async fn view(ci: &Ci, run: &RunId, job: &str) -> Result<View, String> {
    match store::find::<JobGrant>(&*ci.records, &JobGrant::key_of(run, job)).await {
        Ok(Some(grant)) if grant.trust == Trust::Foreign => Ok(apart(run, job)),
        Ok(_) => Ok(View::Shared),
        Err(error) => Err(error.to_string()),
    }
}

fn apart(run: &RunId, job: &str) -> View {
    View::Apart(space(run, job))
}

/// Where the names of images lie that a job gives without being trusted.
pub fn space(run: &RunId, job: &str) -> String {
    format!("{}/{}/{job}", run.project, run.number)
}

/// Middleware: a job whose code is not trusted reads, builds and tests, and changes nothing that outlives it.
pub async fn refuse_untrusted(State(ci): State<Ci>, mut request: Request, next: Next) -> Response {
    if names_images(request.uri().path())
        && let Some(Principal::Job { run, job, .. }) = request.extensions().get::<Principal>()
    {
        match view(&ci, run, job).await {
            Ok(view) => request.extensions_mut().insert(view),
            Err(error) => return (StatusCode::SERVICE_UNAVAILABLE, error).into_response(),
        };
    }
    let Some(what) = lasting(request.method(), request.uri().path()) else { return next.run(request).await };
    let Some(Principal::Job { run, job, .. }) = request.extensions().get::<Principal>() else { return next.run(request).await };
    match store::find::<JobGrant>(&*ci.records, &JobGrant::key_of(run, job)).await {
        Ok(Some(grant)) if grant.trust == Trust::Foreign => {
            let told = format!("`{run}` runs code that is not trusted, so its job `{job}` may not {what}\n");
            (StatusCode::FORBIDDEN, told).into_response()
        }
        Ok(_) => next.run(request).await,
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// Whether a request reads or sets names of images.
fn names_images(path: &str) -> bool {
    path == "/landfall/v1/builds" || path.starts_with("/landfall/v1/images")
}

/// What of a request would stay after the job, for those that a job can make with its token.
fn lasting(method: &Method, path: &str) -> Option<&'static str> {
    let root = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match root {
        // Kubernetes' own paths; GitHub's begin alike, and ask for themselves.
        "api" | "apis" if !reads && !path.starts_with("/api/v3") && !path.starts_with("/api/graphql") => Some("deploy"),
        "v2" if !reads => Some("push images"),
        "landfall" if path == "/landfall/v1/images/push" => Some("push images"),
        "landfall" if path == "/landfall/v1/images" && !reads => Some("remove images"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_known_by_its_path() {
        for (method, path, expected) in [
            (Method::POST, "/apis/apps/v1/namespaces/shop/deployments", Some("deploy")),
            (Method::GET, "/api/v1/pods", None),
            (Method::POST, "/api/v3/repos/a/b/statuses/1", None),
            (Method::PUT, "/v2/shop/manifests/latest", Some("push images")),
            (Method::GET, "/v2/shop/manifests/latest", None),
            (Method::POST, "/landfall/v1/images/push", Some("push images")),
            (Method::GET, "/landfall/v1/images", None),
            (Method::POST, "/landfall/v1/builds", None),
            (Method::POST, "/git/shop.git/git-receive-pack", None),
        ] {
            assert_eq!(lasting(&method, path), expected, "{method} {path}");
        }
    }
}
