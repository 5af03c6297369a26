//! What a job may do while it runs, written down for those who serve it.

use std::{collections::BTreeMap, time::Duration};

use api::{JobGrant, Permission, Run};
use names::EnvironmentName;
use workflow::{JobStart, Permissions};

/// Tokens live longer than any job may run.
pub const TOKEN_LIFETIME: Duration = Duration::from_hours(24 * 6);

/// The scopes that `permissions:` knows.
pub const SCOPES: [&str; 16] = [
    "actions",
    "artifact-metadata",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "models",
    "packages",
    "pages",
    "pull-requests",
    "repository-projects",
    "security-events",
    "statuses",
];

/// The rights of one attempt at a job.
pub fn grant(run: &Run, github: &serde_json::Value, start: &JobStart, environment: Option<EnvironmentName>) -> JobGrant {
    let branch = github.pointer("/event/repository/default_branch").and_then(|it| it.as_str());
    let trusted = start.trust.is_trusted();
    let mut facts = JobGrant::facts(github);
    if let Some(name) = &start.environment {
        // As the workflow has it: rules of others are written for that name.
        facts.insert("environment".to_owned(), name.clone());
    }
    JobGrant {
        run: run.id.clone(),
        job: start.job.to_string(),
        attempt: start.attempt,
        trust: if trusted { api::Trust::Own } else { api::Trust::Foreign },
        outside: outside(github),
        permissions: permissions(&start.permissions),
        github: facts,
        default_branch: branch.unwrap_or("main").to_owned(),
        environment,
        job_workflow_ref: start.called.as_ref().map(|it| it.reference.clone()),
        job_workflow_sha: start.called.as_ref().map(|it| it.commit.clone()),
        expires: store::now() + TOKEN_LIFETIME,
    }
}

/// Why the code of the pull request that an event is about is not trusted, for runs of the base's own workflows.
fn outside(github: &serde_json::Value) -> Option<String> {
    let text = |pointer: &str| github.pointer(pointer).and_then(|it| it.as_str()).unwrap_or_default();
    let own = text("/event/repository/full_name");
    let fork = |head: &str| (!head.is_empty() && head != own).then(|| format!("it comes from the fork `{head}`"));
    // Forges say `null` of a fork that was deleted.
    let gone = |pointer: &str| github.pointer(pointer).filter(|it| it.is_null()).map(|_| "it comes from a fork that is gone".to_owned());
    match text("/event_name") {
        "pull_request_target" | "pull_request_review" | "pull_request_review_comment" => {
            fork(text("/event/pull_request/head/repo/full_name")).or_else(|| gone("/event/pull_request/head/repo"))
        }
        "workflow_run" => {
            fork(text("/event/workflow_run/head_repository/full_name")).or_else(|| gone("/event/workflow_run/head_repository"))
        }
        // The event does not tell where the code comes from.
        "issue_comment" => github.pointer("/event/issue/pull_request").map(|_| "anybody may have written it".to_owned()),
        _ => None,
    }
}

/// Every scope with what it allows; a file that says nothing gets what most repositories give, and no identity.
pub fn permissions(asked: &Permissions) -> BTreeMap<String, Permission> {
    let all = |permission: Permission| SCOPES.iter().map(move |scope| ((*scope).to_owned(), permission)).collect();
    match asked {
        Permissions::Unset => {
            let mut granted: BTreeMap<_, _> = all(Permission::Write);
            granted.remove("id-token");
            granted
        }
        Permissions::ReadAll => {
            let mut granted: BTreeMap<_, _> = all(Permission::Read);
            granted.remove("id-token");
            granted
        }
        Permissions::WriteAll => all(Permission::Write),
        Permissions::Scopes(scopes) => scopes
            .iter()
            .filter_map(|(scope, access)| {
                let permission = match access.as_str() {
                    "read" => Permission::Read,
                    // Nobody trains models here.
                    "write" if scope == "models" => Permission::Read,
                    "write" => Permission::Write,
                    _ => return None,
                };
                Some((scope.clone(), permission))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_forks_is_known_by_the_event() {
        let of = |name: &str, event: serde_json::Value| outside(&serde_json::json!({"event_name": name, "event": event}));
        let pull = |from: &str| {
            serde_json::json!({"repository": {"full_name": "acme/shop"}, "pull_request": {"head": {"repo": {"full_name": from}}}})
        };
        assert_eq!(of("pull_request_target", pull("eve/shop")).as_deref(), Some("it comes from the fork `eve/shop`"));
        assert_eq!(of("pull_request_target", pull("acme/shop")), None);
        let gone = serde_json::json!({"repository": {"full_name": "acme/shop"}, "pull_request": {"head": {"repo": null}}});
        assert_eq!(of("pull_request_target", gone).as_deref(), Some("it comes from a fork that is gone"));
        assert_eq!(of("push", pull("eve/shop")), None);
        let run = serde_json::json!({"repository": {"full_name": "acme/shop"}, "workflow_run": {"head_repository": {"full_name": "eve/shop"}}});
        assert!(of("workflow_run", run).is_some());
        assert!(of("issue_comment", serde_json::json!({"issue": {"pull_request": {}}})).is_some());
        assert_eq!(of("issue_comment", serde_json::json!({"issue": {}})), None);
    }

    #[test]
    fn naming_one_scope_takes_all_others_away() {
        let scopes = [("contents", "read"), ("id-token", "write"), ("issues", "none"), ("models", "write")];
        let scopes = scopes.map(|(scope, access)| (scope.to_owned(), access.to_owned()));
        let granted = permissions(&Permissions::Scopes(scopes.into()));
        let told: Vec<_> = granted.iter().map(|(scope, it)| format!("{scope}={it:?}")).collect();
        assert_eq!(told.join(" "), "contents=Read id-token=Write models=Read");
        assert!(!permissions(&Permissions::Unset).contains_key("id-token"));
    }
}
