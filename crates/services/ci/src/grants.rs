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
    JobGrant {
        run: run.id.clone(),
        job: start.job.to_string(),
        attempt: start.attempt,
        trust: if trusted { api::Trust::Own } else { api::Trust::Foreign },
        permissions: permissions(&start.permissions),
        github: JobGrant::facts(github),
        default_branch: branch.unwrap_or("main").to_owned(),
        environment,
        job_workflow_ref: None,
        job_workflow_sha: None,
        expires: store::now() + TOKEN_LIFETIME,
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
    fn naming_one_scope_takes_all_others_away() {
        let scopes = [("contents", "read"), ("id-token", "write"), ("issues", "none"), ("models", "write")];
        let scopes = scopes.map(|(scope, access)| (scope.to_owned(), access.to_owned()));
        let granted = permissions(&Permissions::Scopes(scopes.into()));
        let told: Vec<_> = granted.iter().map(|(scope, it)| format!("{scope}={it:?}")).collect();
        assert_eq!(told.join(" "), "contents=Read id-token=Write models=Read");
        assert!(!permissions(&Permissions::Unset).contains_key("id-token"));
    }
}
