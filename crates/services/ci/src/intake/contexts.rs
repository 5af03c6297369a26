//! The `github` context of a run, and the payloads of events that Landfall makes itself.

use api::Push;
use names::RunId;
use repo::CommitSummary;
use serde_json::{Value, json};
use workflow::Trust;

use super::start::Occurrence;
use crate::Ci;

/// A ref without its kind: `main`, `v1`, `7/merge`.
pub fn short(git_ref: &str) -> &str {
    let kinds = ["refs/heads/", "refs/tags/", "refs/pull/"];
    kinds.iter().find_map(|kind| git_ref.strip_prefix(kind)).unwrap_or(git_ref)
}

/// A project as GitHub's events describe a repository.
pub fn repository(ci: &Ci, project: &names::ProjectName, default_branch: &str) -> Value {
    json!({
        "name": project, "full_name": Ci::repository_name(project), "default_branch": short(default_branch),
        "clone_url": ci.clone_url(project), "html_url": format!("{}/{project}", ci.config.url),
        "owner": {"login": "landfall", "name": "landfall"}, "private": true, "fork": false,
    })
}

/// The event of a push.
pub fn push(ci: &Ci, push: &Push, summary: &CommitSummary, default_branch: &str) -> Value {
    let commit = json!({
        "id": push.after, "message": summary.message, "timestamp": push.at,
        "author": {"name": summary.author, "email": summary.author_email, "username": push.pusher},
        "committer": {"name": summary.author, "email": summary.author_email, "username": push.pusher},
    });
    json!({
        "ref": push.git_ref, "before": push.before, "after": push.after,
        "created": push.before.is_zero(), "deleted": push.after.is_zero(), "forced": false,
        "compare": "", "commits": [commit], "head_commit": commit,
        "pusher": {"name": push.pusher}, "sender": {"login": push.pusher},
        "repository": repository(ci, &push.project, default_branch),
    })
}

/// Whether what happened may use secrets.
pub fn trust(what: &Occurrence) -> Trust {
    match &what.foreign {
        Some(reason) => Trust::Untrusted { reason: reason.clone() },
        None => Trust::Trusted,
    }
}

/// The `github` context of a run.
pub fn github(ci: &Ci, what: &Occurrence, id: &RunId, path: &str, workflow: &str) -> Value {
    let given = what.context.iter().find(|(name, _)| *name == "repository").and_then(|(_, value)| value.as_str());
    let repository = given.map_or_else(|| Ci::repository_name(&what.project), str::to_owned);
    let owner = repository.split('/').next().unwrap_or_default();
    let text = |pointer: &str| what.payload.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let is_tag = what.git_ref.starts_with("refs/tags/");
    let mut github = json!({
        "event": what.payload, "event_name": what.event,
        "ref": what.git_ref, "ref_name": short(&what.git_ref),
        "ref_type": if is_tag { "tag" } else { "branch" }, "ref_protected": false,
        "base_ref": text("/pull_request/base/ref"), "head_ref": text("/pull_request/head/ref"),
        "sha": what.commit, "repository": repository, "repository_owner": owner,
        "repositoryUrl": ci.clone_url(&what.project), "repository_visibility": "private",
        "repository_id": "1", "repository_owner_id": "1", "actor_id": "1", "retention_days": "90",
        "run_id": id.number.to_string(), "run_number": id.number.to_string(), "run_attempt": "1",
        "actor": what.actor, "triggering_actor": what.actor, "workflow": workflow,
        "workflow_ref": format!("{repository}/{path}@{}", what.git_ref),
        "workflow_sha": what.files_at.unwrap_or(what.commit),
        "server_url": ci.config.server_url, "api_url": format!("{}/api/v3", ci.config.url),
        "graphql_url": format!("{}/api/graphql", ci.config.url),
        "secret_source": if what.foreign.is_some() { "None" } else { "Actions" },
    });
    if let Value::Object(fields) = &mut github {
        for (name, value) in &what.context {
            fields.insert((*name).to_owned(), value.clone());
        }
    }
    github
}

