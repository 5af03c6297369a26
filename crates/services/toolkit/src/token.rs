//! The tokens of a job for these services: signed, readable for the job, and naming its grant.
//!
//! GitHub's artifact client reads the claim `scp` to learn which run and job it
//! belongs to, and BuildKit's cache client reads `ac` to learn its scopes; so
//! the token is a JWT and not a random text.

use std::fmt::Write as _;

use api::{JobGrant, Permission};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use keep::Reach;
use names::{RunId, Timestamp};
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Signs and checks tokens of jobs.
#[derive(Clone)]
pub struct RuntimeKey(hmac::Key);

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Caches and artifacts: `ACTIONS_RUNTIME_TOKEN`.
    Results,
    /// Getting identity tokens: `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    Identity,
}

/// Which grant a token names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    pub run: RunId,
    pub job: String,
    pub attempt: u32,
    pub purpose: Purpose,
    /// In seconds since 1970.
    exp: i64,
}

impl RuntimeKey {
    pub fn new(key: &hmac::Key) -> Self {
        Self(key.clone())
    }

    /// A token for `grant`, good until the grant ends.
    pub fn token(&self, grant: &JobGrant, purpose: Purpose, issuer: &str, now: Timestamp) -> String {
        let (run, job) = (backend_id_of_run(&grant.run), backend_id_of_job(grant));
        let mut scopes = String::from("Actions.GenericRead:00000000-0000-0000-0000-000000000000");
        if purpose == Purpose::Results {
            // Writing to a `String` never fails.
            let _ = write!(scopes, " Actions.Results:{run}:{job} Actions.UploadArtifacts:00000000-0000-0000-0000-000000000000/1:Build/Build/1");
        }
        let claims = json!({
            "iss": issuer,
            "aud": issuer,
            "sub": job,
            "nbf": seconds(now),
            "iat": seconds(now),
            "exp": seconds(grant.expires),
            "scp": scopes,
            "ac": cache_scopes(grant),
            "run": grant.run,
            "job": grant.job,
            "attempt": grant.attempt,
            "purpose": purpose,
        });
        let head = BASE64.encode(r#"{"typ":"JWT","alg":"HS256"}"#);
        let signed = format!("{head}.{}", BASE64.encode(claims.to_string()));
        let signature = BASE64.encode(hmac::sign(&self.0, signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// What a token names, if it is one of ours and its time is not over.
    pub fn check(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = BASE64.decode(signature).ok()?;
        // The algorithm in the head is never asked: there is one.
        hmac::verify(&self.0, signed.as_bytes(), &signature).ok()?;
        let (_, claims) = signed.split_once('.')?;
        let claims: Claims = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
        (claims.exp > seconds(now)).then_some(claims)
    }
}

/// The name of a run in the protocols for artifacts.
pub fn backend_id_of_run(run: &RunId) -> String {
    uuid(&format!("run {run}"))
}

/// The name of one attempt of a job in the protocols for artifacts.
pub fn backend_id_of_job(grant: &JobGrant) -> String {
    uuid(&format!("job {} {} {}", grant.run, grant.attempt, grant.job))
}

/// Which cache scopes the job reads (1) and writes (2), as text within the token.
fn cache_scopes(grant: &JobGrant) -> String {
    let reach = Reach::of(grant);
    let permission = |scope: &String| if reach.write.as_ref() == Some(scope) { 3 } else { 1 };
    let scopes = reach.read.iter().map(|scope| json!({ "Scope": scope, "Permission": permission(scope) }));
    serde_json::Value::from(scopes.collect::<Vec<_>>()).to_string()
}

/// A name in the form of a UUID that is the same for the same text.
fn uuid(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |range| hex.get(range).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

pub fn seconds(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}

/// Whether a job with this grant gets identity tokens.
pub fn may_identify(grant: &JobGrant) -> bool {
    grant.may("id-token", Permission::Write)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use api::Trust;

    use super::*;

    fn grant(expires: Timestamp) -> JobGrant {
        JobGrant {
            run: "shop#7".parse().expect("a run"),
            job: "build".to_owned(),
            attempt: 2,
            trust: Trust::Own,
            outside: None,
            permissions: [("id-token".to_owned(), Permission::Write)].into(),
            github: [("ref".to_owned(), "refs/heads/x".to_owned())].into(),
            default_branch: "main".to_owned(),
            environment: None,
            job_workflow_ref: None,
            job_workflow_sha: None,
            expires,
        }
    }

    fn key(text: &str) -> RuntimeKey {
        RuntimeKey::new(&hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }

    #[test]
    fn a_token_names_its_grant_until_it_ends() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
        let end = now + Duration::from_secs(60);
        let token = key("a").token(&grant(end), Purpose::Results, "http://127.0.0.1:1", now);
        let claims = key("a").check(&token, now).expect("a good token");
        let named = (claims.run.to_string(), claims.job, claims.attempt, claims.purpose);
        assert_eq!(named, ("shop#7".to_owned(), "build".to_owned(), 2, Purpose::Results));
        assert_eq!(key("a").check(&token, end), None);
        assert_eq!(key("b").check(&token, now), None);
        assert_eq!(key("a").check(&format!("x{token}"), now), None);
        assert_eq!(key("a").check("", now), None);
    }

    #[test]
    fn clients_find_their_claims() {
        let now = Timestamp::from_micros(0);
        let token = key("a").token(&grant(now), Purpose::Results, "http://127.0.0.1:1", now);
        let claims = BASE64.decode(token.split('.').nth(1).expect("claims")).expect("base64");
        let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
        let scopes = claims["scp"].as_str().expect("text");
        let results = scopes.split(' ').find(|it| it.starts_with("Actions.Results:")).expect("the scope");
        let (run, job) = (backend_id_of_run(&grant(now).run), backend_id_of_job(&grant(now)));
        assert_eq!(results, format!("Actions.Results:{run}:{job}"));
        let expected = r#"[{"Scope":"refs/heads/x","Permission":3},{"Scope":"refs/heads/main","Permission":1}]"#;
        assert_eq!(claims["ac"], expected);
        assert_eq!((run.len(), run.matches('-').count()), (36, 4));
    }
}
