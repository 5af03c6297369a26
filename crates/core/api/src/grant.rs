//! What a job may do with its tokens while it runs.

use std::collections::BTreeMap;

use names::{EnvironmentName, ProjectName, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Record;

/// The rights of one attempt of a job; it is there from the start of the job to its end.
///
/// The tokens of a job only name it. So deleting the grant ends all of them at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobGrant {
    pub run: RunId,
    /// As in [`crate::Job::id`].
    pub job: String,
    pub attempt: u32,
    pub trust: Trust,
    /// Why code of the pull request is not trusted, in a job that is; once the job fetches it, it loses its rights.
    #[serde(default)]
    pub outside: Option<String>,
    /// The scopes that `permissions:` names, e.g. `id-token`; all others are refused.
    pub permissions: BTreeMap<String, Permission>,
    /// The texts of the `github` context: `repository`, `ref`, `sha`, `actor` and so on.
    pub github: BTreeMap<String, String>,
    /// The branch that others are merged into, without `refs/heads/`.
    pub default_branch: String,
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    /// The reusable workflow that holds the job, as `owner/name/path@ref`; else the run's own workflow.
    #[serde(default)]
    pub job_workflow_ref: Option<String>,
    #[serde(default)]
    pub job_workflow_sha: Option<String>,
    pub expires: Timestamp,
}

/// Who wrote the code that a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Somebody who may push to the project.
    Own,
    /// Somebody else, by way of a fork: nothing that outlives the run may be written.
    Foreign,
}

/// How far a job may go in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    None,
    Read,
    Write,
}

impl JobGrant {
    pub fn key_of(run: &RunId, job: &str) -> String {
        format!("{}/{:010}/{job}", run.project, run.number)
    }

    /// The texts of a `github` context; what is no text, such as the event, is left out.
    pub fn facts(github: &Value) -> BTreeMap<String, String> {
        let Value::Object(fields) = github else { return BTreeMap::new() };
        let is_fact = |name: &str| !matches!(name, "token" | "event" | "secret_source");
        let facts = fields.iter().filter(|(name, _)| is_fact(name)).filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(truth) => truth.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            Some((name.clone(), text))
        });
        facts.collect()
    }

    /// A text of the `github` context; empty if it is not there.
    pub fn fact(&self, name: &str) -> &str {
        self.github.get(name).map_or("", String::as_str)
    }

    pub fn project(&self) -> &ProjectName {
        &self.run.project
    }

    pub fn may(&self, scope: &str, wanted: Permission) -> bool {
        let most = match self.trust {
            Trust::Own => Permission::Write,
            Trust::Foreign => Permission::Read,
        };
        self.permissions.get(scope).is_some_and(|granted| (*granted).min(most) >= wanted)
    }
}

impl Record for JobGrant {
    const KIND: &'static str = "job-grant";

    fn key(&self) -> String {
        Self::key_of(&self.run, &self.job)
    }
}
