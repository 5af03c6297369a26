//! The server's side of agents: what they are to follow, and what they report.
//!
//! An agent asks and is asked nothing, so its cluster needs no way in. A request
//! waits until there is news, at most for [`PATIENCE`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use access::{Action, Principal};
use api::{App, AppRequest, AppSpec, AppStatus, ClusterAgent, Push, Record as _};
use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{delete, get, put},
};
use identity::Tokens;
use names::{CommitId, Digest, ProjectName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Revision, TypedError};

use crate::{
    GitOps,
    routes::{allow, refuse},
};

/// A request without news is answered after this time.
const PATIENCE: Duration = Duration::from_secs(25);

/// Tokens of agents are renewed by making another one.
const LIFETIME: Duration = Duration::from_secs(5 * 365 * 24 * 60 * 60);

/// Everything that one agent is to follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// Stands for all the rest; whoever names it again waits for news.
    pub seen: String,
    pub apps: Vec<AssignedApp>,
    /// Branches and tags of the project's repository.
    pub refs: Vec<(String, CommitId)>,
}

/// One app as a person wants it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssignedApp {
    pub name: String,
    pub spec: AppSpec,
    pub generation: u64,
    pub request: Option<AppRequest>,
}

/// How one app stands, as its agent says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The latest that the agent knows.
    pub generation: u64,
    pub request: Option<AppRequest>,
    pub status: AppStatus,
}

#[derive(Clone)]
struct Agents {
    service: GitOps,
    tokens: Tokens,
    /// When each agent asked last.
    asked: Arc<Mutex<HashMap<String, Timestamp>>>,
}

pub fn router(service: GitOps, tokens: Tokens) -> Router {
    Router::new()
        .route("/landfall/v1/agents", get(list).post(admit))
        .route("/landfall/v1/agents/{project}/{cluster}", delete(revoke))
        .route("/landfall/v1/agent/apps", get(assigned))
        .route("/landfall/v1/agent/apps/{name}", put(report).delete(removed))
        .with_state(Agents { service, tokens, asked: Arc::default() })
}

/// Says what is wrong with the cluster that an app chooses.
pub async fn check(service: &GitOps, spec: &AppSpec) -> Result<Option<String>, TypedError> {
    let Some(cluster) = &spec.cluster else { return Ok(None) };
    let key = ClusterAgent::key_of(&spec.project, cluster);
    let known = store::find::<ClusterAgent>(&*service.records, &key).await?.is_some();
    Ok((!known).then(|| {
        let project = &spec.project;
        format!(
            "the cluster `{cluster}` is not known to the project `{project}`; `landfall agent token --project {project} --cluster {cluster}` makes the token for an agent there, and `name: in-cluster` means the cluster of this installation"
        )
    }))
}

#[derive(Deserialize)]
struct Admission {
    project: ProjectName,
    cluster: String,
    /// End the tokens that were made for this agent before.
    #[serde(default)]
    replace: bool,
}

async fn admit(State(agents): State<Agents>, principal: Option<Extension<Principal>>, Json(wanted): Json<Admission>) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    let Admission { project, cluster, replace } = wanted;
    // The same letters as in a project's name are good for a cluster's.
    if cluster.parse::<ProjectName>().is_err() || cluster == "in-cluster" {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, format!("`{cluster}` is no name for a cluster; use small letters, digits and `-`"));
    }
    let known = ClusterAgent { project: project.clone(), cluster: cluster.clone(), since: store::now() };
    if let Err(error) = store::put(&*agents.service.records, &known).await {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, error);
    }
    let principal = Principal::Agent { project, cluster };
    if replace && let Err(error) = agents.tokens.revoke_all(&principal).await {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, error);
    }
    match agents.tokens.issue(principal, LIFETIME).await {
        Ok(secret) => Json(json!({"token": secret.reveal()})).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

/// `DELETE /landfall/v1/agents/{project}/{cluster}`: its tokens end, and apps cannot choose the cluster any more.
async fn revoke(
    State(agents): State<Agents>,
    principal: Option<Extension<Principal>>,
    Path((project, cluster)): Path<(ProjectName, String)>,
) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    let records = &*agents.service.records;
    let key = ClusterAgent::key_of(project.as_str(), &cluster);
    let left = async {
        if store::find::<ClusterAgent>(records, &key).await?.is_none() {
            return Ok(None);
        }
        let apps = store::list::<App>(records, "").await?.into_iter().filter(|app| is_of(app, &project, &cluster));
        let apps: Vec<_> = apps.map(|app| app.name).collect();
        // The tokens go first: an agent that is not known any more must not be heard.
        agents.tokens.revoke_all(&Principal::Agent { project: project.clone(), cluster: cluster.clone() }).await?;
        store::remove::<ClusterAgent>(records, &key).await?;
        Ok::<_, identity::TokenError>(Some(apps))
    };
    match left.await {
        Ok(Some(apps)) => Json(json!({"revoked": key, "apps": apps})).into_response(),
        Ok(None) => refuse(StatusCode::NOT_FOUND, format!("the project `{project}` has no agent in a cluster `{cluster}`")),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

async fn list(State(agents): State<Agents>, principal: Option<Extension<Principal>>) -> Response {
    if let Err(refusal) = allow(principal, &Action::ReadRecords) {
        return refusal;
    }
    let known = match store::list::<ClusterAgent>(&*agents.service.records, "").await {
        Ok(known) => known,
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    };
    let asked = agents.asked.lock().unwrap_or_else(PoisonError::into_inner);
    let items: Vec<_> = known
        .iter()
        .map(|it| json!({"project": it.project, "cluster": it.cluster, "since": it.since, "asked": asked.get(&it.key())}))
        .collect();
    Json(json!({"apiVersion": "landfall/v1", "items": items})).into_response()
}

#[expect(clippy::result_large_err, reason = "the refusal is the answer itself, made once per refused request")]
fn agent(principal: Option<Extension<Principal>>) -> Result<(ProjectName, String), Response> {
    match principal {
        Some(Extension(Principal::Agent { project, cluster })) => Ok((project, cluster)),
        Some(_) => Err(refuse(StatusCode::FORBIDDEN, "only agents ask here; `landfall agent token` makes their tokens")),
        None => Err(identity::basic_challenge()),
    }
}

#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    seen: String,
}

async fn assigned(State(agents): State<Agents>, principal: Option<Extension<Principal>>, Query(last): Query<Seen>) -> Response {
    let (project, cluster) = match agent(principal) {
        Ok(agent) => agent,
        Err(refusal) => return refusal,
    };
    let key = ClusterAgent::key_of(project.as_str(), &cluster);
    agents.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(key, store::now());
    match wait_for_news(&agents.service, &project, &cluster, &last.seen).await {
        Ok(assigned) => Json(assigned).into_response(),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

async fn wait_for_news(service: &GitOps, project: &ProjectName, cluster: &str, last: &str) -> Result<Assigned, TypedError> {
    // Begun before the first look, so that nothing falls between.
    let mut apps = service.records.watch(App::KIND, Revision::LATEST).await?;
    let mut pushes = service.records.watch(Push::KIND, Revision::LATEST).await?;
    let mut deadline = std::pin::pin!(tokio::time::sleep(PATIENCE));
    loop {
        let now = gather(service, project, cluster).await?;
        if now.seen != last {
            return Ok(now);
        }
        tokio::select! {
            () = &mut deadline => return Ok(now),
            change = apps.next() => drop(change?),
            change = pushes.next() => drop(change?),
        }
    }
}

async fn gather(service: &GitOps, project: &ProjectName, cluster: &str) -> Result<Assigned, TypedError> {
    let all = store::list::<App>(&*service.records, "").await?;
    let its = all.into_iter().filter(|app| is_of(app, project, cluster));
    let apps: Vec<_> = its.map(|app| AssignedApp { name: app.name, spec: app.spec, generation: app.generation, request: app.request }).collect();
    let refs = match service.repositories.find(project) {
        // A repository that cannot be read now is looked at again by the agent itself.
        Some(repository) => repository.refs().await.unwrap_or_default(),
        None => Vec::new(),
    };
    // Plain data, which serde_json always can write.
    let seen = Digest::of(&serde_json::to_vec(&(&apps, &refs)).expect("plain data is JSON")).hex();
    Ok(Assigned { seen, apps, refs })
}

fn is_of(app: &App, project: &ProjectName, cluster: &str) -> bool {
    app.spec.cluster.as_deref() == Some(cluster) && app.spec.project == project.as_str()
}

/// `DELETE /landfall/v1/agent/apps/{name}`: what the app brought is gone, as a person asked, and so is the app.
async fn removed(State(agents): State<Agents>, principal: Option<Extension<Principal>>, Path(name): Path<String>) -> Response {
    let (project, cluster) = match agent(principal) {
        Ok(agent) => agent,
        Err(refusal) => return refusal,
    };
    let records = &*agents.service.records;
    match store::find::<App>(records, &name).await {
        Ok(Some(app)) if is_of(&app, &project, &cluster) && app.request == Some(AppRequest::Remove) => match store::remove::<App>(records, &name).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
        },
        Ok(_) => refuse(StatusCode::NOT_FOUND, format!("nobody asked this agent to remove an app `{name}`")),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

async fn report(
    State(agents): State<Agents>,
    principal: Option<Extension<Principal>>,
    Path(name): Path<String>,
    Json(report): Json<Report>,
) -> Response {
    let (project, cluster) = match agent(principal) {
        Ok(agent) => agent,
        Err(refusal) => return refusal,
    };
    let mut its = false;
    let changed = store::modify::<App>(&*agents.service.records, &name, |app| {
        its = is_of(app, &project, &cluster);
        if its {
            app.status = report.status.clone();
            // A request that came meanwhile stays.
            if app.generation == report.generation {
                app.request.clone_from(&report.request);
            }
        }
    });
    match changed.await {
        Ok(_) if its => StatusCode::NO_CONTENT.into_response(),
        Ok(_) | Err(TypedError::NotFound { .. }) => refuse(StatusCode::NOT_FOUND, format!("this agent has no app `{name}`")),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}
