//! Webhooks of other forges: their pushes and pull requests run here.

use std::process::Stdio;

use api::{Forks, ProjectHook};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use names::{CommitId, ProjectName};
use repo::{GitError, Repository, git_command};
use ring::hmac;
use serde_json::Value;
use store::TypedError;

use super::start::{self, Hold, IntakeError, Occurrence, Outcome};
use crate::Ci;

/// Why a webhook is not taken.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("there is no webhook for `{0}`")]
    NoHook(ProjectName),
    #[error("the signature does not fit the secret of the webhook")]
    BadSignature,
    #[error("the body is no JSON")]
    BadBody,
    #[error("the payload has no `{0}`")]
    Missing(&'static str),
    #[error("the commit cannot be fetched: {0}")]
    Fetch(String),
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Store(#[from] TypedError),
}

impl From<GitError> for HookError {
    fn from(error: GitError) -> Self {
        Self::Intake(error.into())
    }
}

/// What came with a webhook.
pub struct Delivery<'a> {
    /// `X-GitHub-Event`
    pub event: &'a str,
    /// `X-GitHub-Delivery`
    pub id: &'a str,
    /// `X-Hub-Signature-256`
    pub signature: &'a str,
    pub body: &'a [u8],
}

/// Checks a webhook and starts what listens to it.
pub async fn receive(ci: &Ci, project: &ProjectName, delivery: &Delivery<'_>) -> Result<Outcome, HookError> {
    let hook = store::find::<ProjectHook>(&*ci.records, &project.to_string()).await?;
    let hook = hook.ok_or_else(|| HookError::NoHook(project.clone()))?;
    let secret = STANDARD.decode(&hook.sealed).ok().and_then(|sealed| ci.seal.unseal(&sealed).ok());
    let secret = secret.ok_or(HookError::BadSignature)?;
    if !is_signed(&secret, delivery) {
        return Err(HookError::BadSignature);
    }
    let payload: Value = serde_json::from_slice(delivery.body).map_err(|_| HookError::BadBody)?;
    if delivery.event == "ping" {
        return Ok(Outcome::default());
    }
    let repository = ci.repositories.create(project).await?;
    let url = hook.clone_url.clone().or_else(|| text(&payload, "/repository/clone_url").map(str::to_owned));
    let url = url.ok_or(HookError::Missing("repository.clone_url"))?;
    let mut runs = Outcome::default();
    for mut what in occurrences(&repository, &url, project, delivery, payload).await? {
        if what.foreign.is_some() && hook.forks == Forks::Held {
            what.hold = Hold::UntilApproved;
        }
        let outcome = start::take_up(ci, &repository, &what).await?;
        runs.runs.extend(outcome.runs);
        runs.errors.extend(outcome.errors);
        runs.notes.extend(outcome.notes);
    }
    Ok(runs)
}

fn is_signed(secret: &[u8], delivery: &Delivery<'_>) -> bool {
    let Some(hex) = delivery.signature.strip_prefix("sha256=") else { return false };
    let byte = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let Some(signature) = (0..hex.len()).step_by(2).map(byte).collect::<Option<Vec<_>>>() else { return false };
    // Compared in the same time wherever they differ.
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), delivery.body, &signature).is_ok()
}

fn text<'a>(payload: &'a Value, pointer: &str) -> Option<&'a str> {
    payload.pointer(pointer).and_then(Value::as_str)
}

/// What a webhook means; a pull request is two things.
async fn occurrences(
    repository: &Repository,
    url: &str,
    project: &ProjectName,
    delivery: &Delivery<'_>,
    payload: Value,
) -> Result<Vec<Occurrence>, HookError> {
    let actor = text(&payload, "/sender/login").unwrap_or("unknown").to_owned();
    let base = Occurrence {
        project: project.clone(),
        event: delivery.event.to_owned(),
        payload: Value::Null,
        git_ref: String::new(),
        commit: CommitId::ZERO,
        files_at: None,
        actor,
        subject: String::new(),
        changed: None,
        cause: format!("hook {} {}", delivery.event, delivery.id),
        push: 0,
        only: None,
        foreign: None,
        hold: Hold::No,
        selection: workflow::Selection::default(),
        context: Vec::new(),
    };
    let default = text(&payload, "/repository/default_branch").unwrap_or("main");
    match delivery.event {
        "pull_request" => pull_request(repository, url, base, payload).await,
        "push" => {
            let git_ref = text(&payload, "/ref").ok_or(HookError::Missing("ref"))?.to_owned();
            if payload.get("deleted") == Some(&Value::Bool(true)) {
                return Ok(Vec::new());
            }
            let commit = fetch(repository, url, &git_ref, &git_ref).await?;
            let before = text(&payload, "/before").and_then(|it| it.parse().ok()).unwrap_or(CommitId::ZERO);
            let changed = repository.changed_paths(before, commit).await.unwrap_or_default();
            Ok(vec![Occurrence { git_ref, commit, changed, payload, ..base }])
        }
        _ => {
            // Everything else runs with the files of the default branch.
            let git_ref = format!("refs/heads/{default}");
            let commit = fetch(repository, url, &git_ref, &git_ref).await?;
            Ok(vec![Occurrence { git_ref, commit, payload, ..base }])
        }
    }
}

/// `pull_request` runs what would be merged, `pull_request_target` what it is merged into.
async fn pull_request(
    repository: &Repository,
    url: &str,
    base: Occurrence,
    payload: Value,
) -> Result<Vec<Occurrence>, HookError> {
    let number = payload.get("number").and_then(Value::as_u64).ok_or(HookError::Missing("number"))?;
    let target = text(&payload, "/pull_request/base/ref").ok_or(HookError::Missing("pull_request.base.ref"))?;
    let target = format!("refs/heads/{target}");
    let into = fetch(repository, url, &target, &target).await?;
    let merged = format!("refs/pull/{number}/merge");
    let head = format!("refs/pull/{number}/head");
    // Workflows of the base ask for it by name; a forge may have none.
    let _ = fetch(repository, url, &head, &head).await;
    // A forge that makes no merge commits is asked for the head itself.
    let commit = match fetch(repository, url, &merged, &merged).await {
        Ok(commit) => commit,
        Err(_) => fetch(repository, url, &head, &merged).await?,
    };
    let changed = repository.changed_paths(into, commit).await.unwrap_or_default();
    let from = text(&payload, "/pull_request/head/repo/full_name");
    let is_fork = from != text(&payload, "/repository/full_name");
    let foreign = is_fork.then(|| format!("the pull request comes from the fork `{}`", from.unwrap_or("unknown")));
    let subject = text(&payload, "/pull_request/title").unwrap_or_default().to_owned();
    let proposed = Occurrence {
        git_ref: merged,
        commit,
        subject: subject.clone(),
        changed: changed.clone(),
        foreign,
        payload: payload.clone(),
        ..base.clone()
    };
    let trusted = Occurrence {
        event: "pull_request_target".to_owned(),
        cause: format!("{} target", base.cause),
        git_ref: target,
        commit: into,
        subject,
        changed,
        payload,
        ..base
    };
    Ok(vec![proposed, trusted])
}

/// Fetches a ref of another forge under a name of ours, and gives its commit.
async fn fetch(repository: &Repository, url: &str, from: &str, to: &str) -> Result<CommitId, HookError> {
    let failed = |why: String| HookError::Fetch(why);
    if url.starts_with('-') || url.starts_with("ext::") {
        return Err(failed(format!("`{url}` is no address")));
    }
    let mut command = git_command(repository.path());
    command.args(["-c", "protocol.ext.allow=never", "fetch", "--quiet", "--no-tags", "--", url, &format!("+{from}:{to}")]);
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().await;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    repository.resolve(to).await?.ok_or_else(|| failed(format!("`{from}` is not there")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(signature: &str, expected: bool) {
        let delivery = Delivery { event: "ping", id: "1", signature, body: b"Hello, World!" };
        assert_eq!(is_signed(b"It's a Secret to Everybody", &delivery), expected);
    }

    #[test]
    fn only_the_holder_of_the_secret_signs() {
        // The example that GitHub's documentation gives for trying an implementation.
        check("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", true);
        check("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18", false);
        check("sha256=", false);
        check("sha1=757107", false);
        check("sha256=zz", false);
    }
}
