//! Secrets and variables of a project, as jobs and runs get them.

use api::{JobGrant, ProjectSecret, ProjectVariable, Trust};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use identity::{Seal, SealError};
use names::{EnvironmentName, ProjectName};
use serde_json::{Map, Value};
use store::TypedError;

use crate::Ci;

/// GitHub's own limit on the size of a secret.
pub const VALUE_BYTES_MAX: usize = 48 * 1024;

/// Why a secret could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("expected letters, digits and `_`, not beginning with a digit or `GITHUB_`, found `{0}`")]
    Name(String),
    #[error("expected at most {VALUE_BYTES_MAX} bytes, found {0}")]
    TooLarge(usize),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Store(#[from] TypedError),
}

/// The name as it is stored, if it is one.
pub fn name(text: &str) -> Result<String, SecretError> {
    let upper = text.to_ascii_uppercase();
    let plain = upper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins = upper.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if plain && begins && !upper.starts_with("GITHUB_") {
        return Ok(upper);
    }
    Err(SecretError::Name(text.to_owned()))
}

/// A secret with its value sealed.
pub fn seal(
    seal: &Seal,
    project: &ProjectName,
    environment: Option<EnvironmentName>,
    text: &str,
    value: &str,
) -> Result<ProjectSecret, SecretError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(SecretError::TooLarge(value.len()));
    }
    let sealed = STANDARD.encode(seal.seal(value.as_bytes())?);
    Ok(ProjectSecret { project: project.clone(), environment, name: name(text)?, sealed, updated: store::now() })
}

/// Secrets by name, opened.
#[derive(Default)]
pub struct Opened {
    /// Those of the project.
    pub project: Vec<(String, String)>,
    /// Those of the environment; they win.
    pub environment: Vec<(String, String)>,
}

/// The secrets of a job; none for foreign code.
pub async fn of_job(ci: &Ci, grant: &JobGrant) -> Opened {
    match grant.trust {
        Trust::Foreign => Opened::default(),
        Trust::Own => of_project(ci, grant.project(), grant.environment.as_ref()).await,
    }
}

/// The secrets of a project and of one of its environments.
pub async fn of_project(ci: &Ci, project: &ProjectName, environment: Option<&EnvironmentName>) -> Opened {
    let stored = match store::list::<ProjectSecret>(&*ci.records, &format!("{project}/")).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::error!(%error, "the secrets of a project could not be read");
            return Opened::default();
        }
    };
    let mut opened = Opened::default();
    for secret in stored {
        let into = match &secret.environment {
            None => &mut opened.project,
            Some(own) if Some(own) == environment => &mut opened.environment,
            Some(_) => continue,
        };
        if let Some(value) = open(&ci.seal, &secret) {
            into.push((secret.name, value));
        }
    }
    opened
}

fn open(seal: &Seal, secret: &ProjectSecret) -> Option<String> {
    let sealed = STANDARD.decode(&secret.sealed).ok()?;
    match seal.unseal(&sealed) {
        Ok(plain) => String::from_utf8(plain).ok(),
        Err(error) => {
            tracing::error!(%error, name = secret.name, "a secret cannot be opened");
            None
        }
    }
}

/// The `vars` context of a run.
pub async fn variables(ci: &Ci, project: &ProjectName) -> Result<Value, TypedError> {
    let stored = store::list::<ProjectVariable>(&*ci.records, &format!("{project}/")).await?;
    let own = stored.into_iter().filter(|variable| variable.environment.is_none());
    Ok(Value::Object(own.map(|variable| (variable.name, Value::from(variable.value))).collect::<Map<_, _>>()))
}

/// The variables of a job's environment.
pub async fn variables_of_environment(ci: &Ci, grant: &JobGrant) -> Vec<(String, String)> {
    let Some(environment) = &grant.environment else { return Vec::new() };
    match store::list::<ProjectVariable>(&*ci.records, &format!("{}/{environment}/", grant.project())).await {
        Ok(stored) => stored.into_iter().map(|variable| (variable.name, variable.value)).collect(),
        Err(error) => {
            tracing::error!(%error, "the variables of an environment could not be read");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_github() {
        assert_eq!(name("npm_token").ok().as_deref(), Some("NPM_TOKEN"));
        for wrong in ["", "1A", "A-B", "github_token"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sealed_secret_opens_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = Seal::open(&folder.path().join("key")).expect("a key");
        let project = "shop".parse().expect("a name");
        let secret = seal(&key, &project, None, "token", "hunter2").expect("seal");
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(open(&key, &secret).as_deref(), Some("hunter2"));
    }
}
