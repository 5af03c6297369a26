//! What an identity token says of a job, with GitHub's names and forms.

use std::time::Duration;

use api::JobGrant;
use names::Timestamp;
use serde_json::{Map, Value};

use crate::token::seconds;

/// Long enough to hand the token in, too short to be worth stealing; GitHub's own figure.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Clocks of verifiers may be behind by so much.
const SKEW_SECONDS: i64 = 60;

/// Facts of the `github` context that go into a token as they are.
const FACTS: [&str; 19] = [
    "ref",
    "sha",
    "repository",
    "repository_owner",
    "repository_owner_id",
    "run_id",
    "run_number",
    "run_attempt",
    "repository_visibility",
    "repository_id",
    "actor_id",
    "actor",
    "workflow",
    "head_ref",
    "base_ref",
    "event_name",
    "ref_protected",
    "ref_type",
    "workflow_ref",
];

/// All claims that a token may have.
pub const NAMES: [&str; 31] = [
    "sub",
    "aud",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "ref",
    "sha",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "run_id",
    "run_number",
    "run_attempt",
    "actor",
    "actor_id",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "head_ref",
    "base_ref",
    "event_name",
    "ref_type",
    "ref_protected",
    "environment",
    "job_workflow_ref",
    "job_workflow_sha",
    "repository_visibility",
    "runner_environment",
];

/// The claims for a job.
pub fn of(grant: &JobGrant, issuer: &str, audience: &str, identifier: &str, now: Timestamp) -> Value {
    let mut claims = Map::new();
    let mut say = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    say("jti", identifier.into());
    say("sub", subject(grant).into());
    say("aud", audience.into());
    for name in FACTS {
        say(name, grant.fact(name).into());
    }
    let sha = |found: Option<&String>| found.map_or(grant.fact("sha"), String::as_str).to_owned();
    say("workflow_sha", sha(grant.github.get("workflow_sha")).into());
    let called = grant.job_workflow_ref.as_deref().unwrap_or(grant.fact("workflow_ref"));
    say("job_workflow_ref", called.into());
    say("job_workflow_sha", sha(grant.job_workflow_sha.as_ref().or(grant.github.get("workflow_sha"))).into());
    if let Some(environment) = environment(grant) {
        say("environment", environment.into());
    }
    say("runner_environment", "self-hosted".into());
    say("iss", issuer.into());
    say("nbf", (seconds(now) - SKEW_SECONDS).into());
    say("exp", seconds(now + LIFETIME).into());
    say("iat", seconds(now).into());
    Value::Object(claims)
}

/// The environment as the workflow names it.
fn environment(grant: &JobGrant) -> Option<&str> {
    let known = grant.environment.as_ref()?;
    Some(Some(grant.fact("environment")).filter(|it| !it.is_empty()).unwrap_or(known.as_str()))
}

/// Who the job is, in the form on which others' rules are written.
fn subject(grant: &JobGrant) -> String {
    let repository = grant.fact("repository");
    if let Some(environment) = environment(grant) {
        // A colon parts the fields of a subject.
        return format!("repo:{repository}:environment:{}", environment.replace(':', "%3A"));
    }
    // With `pull_request_target` the workflow is that of the base, and so is its name.
    if grant.fact("event_name").starts_with("pull_request") && grant.fact("event_name") != "pull_request_target" {
        return format!("repo:{repository}:pull_request");
    }
    format!("repo:{repository}:ref:{}", grant.fact("ref"))
}

#[cfg(test)]
mod tests {
    use api::Trust;

    use super::*;

    #[test]
    fn the_subject_has_githubs_forms() {
        check("push", "refs/heads/main", None, "repo:acme/shop:ref:refs/heads/main");
        check("push", "refs/tags/v1", None, "repo:acme/shop:ref:refs/tags/v1");
        check("pull_request", "refs/pull/3/merge", None, "repo:acme/shop:pull_request");
        check("pull_request_target", "refs/heads/main", None, "repo:acme/shop:ref:refs/heads/main");
        check("pull_request", "refs/pull/3/merge", Some("staging"), "repo:acme/shop:environment:staging");
        check("push", "refs/heads/main", Some("Prod: EU"), "repo:acme/shop:environment:Prod%3A EU");
    }

    #[track_caller]
    fn check(event: &str, git_ref: &str, environment: Option<&str>, expected: &str) {
        let facts = [("repository", "acme/shop"), ("event_name", event), ("ref", git_ref), ("environment", environment.unwrap_or_default())];
        let grant = JobGrant {
            run: "shop#1".parse().expect("a run"),
            job: "build".to_owned(),
            attempt: 1,
            trust: Trust::Own,
            outside: None,
            permissions: Default::default(),
            github: facts.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            default_branch: "main".to_owned(),
            environment: environment.map(|_| "some".parse().expect("a name")),
            job_workflow_ref: None,
            job_workflow_sha: None,
            expires: Timestamp::default(),
        };
        let claims = of(&grant, "http://issuer", "aud", "id", Timestamp::from_micros(1_000_000_000));
        assert_eq!(claims["sub"], expected);
        assert_eq!((claims["nbf"].as_i64(), claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(940), Some(1000), Some(1300)));
        for (name, _) in claims.as_object().expect("an object") {
            assert!(NAMES.contains(&name.as_str()), "{name}");
        }
    }
}
