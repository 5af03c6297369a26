//! Who asks, and what it may see: a job its own repository, the owner all of them.

use access::{Action, Principal};
use api::{JobGrant, Permission};
use axum::http::Extensions;
use names::ProjectName;

use super::answer::Problem;
use crate::Toolkit;

/// Who asks.
pub enum Caller {
    Job(Box<JobGrant>),
    Owner,
}

impl Caller {
    /// The caller behind the principal that the authentication found.
    pub async fn of(toolkit: &Toolkit, extensions: &Extensions) -> Result<Self, Problem> {
        let principal = extensions.get::<Principal>().ok_or_else(Problem::unauthorized)?;
        if let Principal::Job { run, job, .. } = principal {
            let key = JobGrant::key_of(run, job);
            let grant = store::find::<JobGrant>(&*toolkit.records, &key).await?;
            return grant.map(|grant| Self::Job(Box::new(grant))).ok_or_else(Problem::unauthorized);
        }
        match access::check(principal, &Action::Operate) {
            Ok(()) => Ok(Self::Owner),
            Err(_) => Err(Problem::unauthorized()),
        }
    }

    /// The project behind `owner/name`; others' projects are not there for a job.
    pub fn project(&self, toolkit: &Toolkit, repository: &str) -> Result<ProjectName, Problem> {
        match self {
            Self::Job(grant) if grant.fact("repository").eq_ignore_ascii_case(repository) => Ok(grant.project().clone()),
            Self::Job(_) => Err(Problem::not_found()),
            Self::Owner => {
                let name = repository.rsplit('/').next().unwrap_or_default();
                let project: ProjectName = name.to_lowercase().parse().map_err(|_| Problem::not_found())?;
                toolkit.repositories.find(&project).map(|_| project).ok_or_else(Problem::not_found)
            }
        }
    }

    pub fn need(&self, scope: &'static str, permission: Permission) -> Result<(), Problem> {
        match self {
            Self::Job(grant) if grant.may(scope, permission) => Ok(()),
            Self::Job(_) => Err(Problem::forbidden(scope, permission)),
            Self::Owner => Ok(()),
        }
    }

    /// How the caller is called in what it leaves behind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Job(_) => "github-actions[bot]",
            Self::Owner => "admin",
        }
    }

    pub fn grant(&self) -> Option<&JobGrant> {
        match self {
            Self::Job(grant) => Some(grant),
            Self::Owner => None,
        }
    }
}
