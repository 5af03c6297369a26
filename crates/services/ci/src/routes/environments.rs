//! Rules of environments, and leave to use them.

use access::Action;
use api::{Approval, ApprovalState, EnvironmentRules, Record as _};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use names::{EnvironmentName, ProjectName, RunId};
use serde::Deserialize;
use serde_json::json;

use super::{Asker, allowed, refuse, store_error};
use crate::Ci;

pub async fn list(State(ci): State<Ci>, Path(project): Path<ProjectName>, asker: Asker) -> Response {
    if let Err(answer) = allowed(asker, &Action::ReadRecords) {
        return *answer;
    }
    match store::list::<EnvironmentRules>(&*ci.records, &format!("{project}/")).await {
        Ok(items) => Json(json!({"items": items})).into_response(),
        Err(error) => store_error(&error),
    }
}

/// The rules of one environment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    #[serde(default)]
    needs_approval: bool,
    #[serde(default)]
    wait_minutes: u32,
    #[serde(default)]
    branches: Vec<String>,
}

pub async fn set(
    State(ci): State<Ci>,
    Path((project, environment)): Path<(ProjectName, EnvironmentName)>,
    asker: Asker,
    Json(rules): Json<Rules>,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    let Rules { needs_approval, wait_minutes, branches } = rules;
    let rules = EnvironmentRules { project, environment, needs_approval, wait_minutes, branches };
    match store::put(&*ci.records, &rules).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => store_error(&error),
    }
}

pub async fn remove(
    State(ci): State<Ci>,
    Path((project, environment)): Path<(ProjectName, EnvironmentName)>,
    asker: Asker,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::Operate) {
        return *answer;
    }
    match store::remove::<EnvironmentRules>(&*ci.records, &EnvironmentRules::key_of(&project, &environment)).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => store_error(&error),
    }
}

pub async fn approvals(
    State(ci): State<Ci>,
    Path((project, number)): Path<(ProjectName, u64)>,
    asker: Asker,
) -> Response {
    if let Err(answer) = allowed(asker, &Action::ReadRecords) {
        return *answer;
    }
    match store::list::<Approval>(&*ci.records, &Approval::prefix_of(&RunId { project, number })).await {
        Ok(items) => Json(json!({"items": items})).into_response(),
        Err(error) => store_error(&error),
    }
}

/// A decision about environments that a run wants to use.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// None is all that wait.
    #[serde(default)]
    environment: Option<EnvironmentName>,
    state: ApprovalState,
    #[serde(default)]
    comment: Option<String>,
}

pub async fn decide(
    State(ci): State<Ci>,
    Path((project, number)): Path<(ProjectName, u64)>,
    asker: Asker,
    Json(decision): Json<Decision>,
) -> Response {
    let principal = match allowed(asker, &Action::Operate) {
        Ok(principal) => principal,
        Err(answer) => return *answer,
    };
    if decision.state == ApprovalState::Waiting {
        return refuse(StatusCode::BAD_REQUEST, "expected `state` as `approved` or `rejected`, found `waiting`");
    }
    let id = RunId { project, number };
    let all = match store::list::<Approval>(&*ci.records, &Approval::prefix_of(&id)).await {
        Ok(all) => all,
        Err(error) => return store_error(&error),
    };
    let mut decided = Vec::new();
    for approval in all {
        let meant = decision.environment.as_ref().is_none_or(|it| *it == approval.environment);
        if !meant || approval.state != ApprovalState::Waiting {
            continue;
        }
        let key = approval.key();
        let changed = store::modify::<Approval>(&*ci.records, &key, |approval| {
            approval.state = decision.state;
            approval.by = Some(principal.to_string());
            approval.comment.clone_from(&decision.comment);
        });
        match changed.await {
            Ok(approval) => decided.push(approval),
            Err(error) => return store_error(&error),
        }
    }
    if decided.is_empty() {
        return refuse(StatusCode::NOT_FOUND, format!("no job of `{id}` waits for an approval"));
    }
    Json(json!({"items": decided})).into_response()
}
