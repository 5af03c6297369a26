//! Who may do what: pure decisions about principals and what they ask for.

use std::fmt;

use names::{CommitId, EnvironmentName, ProjectName, RunId};
use serde::{Deserialize, Serialize};

/// Who asks. Nothing answers without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Principal {
    /// The person who owns this installation: holds the local token.
    Admin,
    /// A job of a run, for as long as it runs.
    Job {
        run: RunId,
        job: String,
        commit: CommitId,
        project: ProjectName,
        environment: EnvironmentName,
    },
    /// An agent that makes a cluster elsewhere follow Git, for one project.
    Agent { project: ProjectName, cluster: String },
    /// A pod of the cluster.
    ServiceAccount { namespace: String, name: String },
    /// A part of Landfall itself, by name; never made from a request.
    Component { name: String },
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("admin"),
            Self::Job { run, job, .. } => write!(f, "job:{run}/{job}"),
            Self::Agent { project, cluster } => write!(f, "agent:{project}@{cluster}"),
            Self::ServiceAccount { namespace, name } => {
                write!(f, "system:serviceaccount:{namespace}:{name}")
            }
            Self::Component { name } => write!(f, "landfall:{name}"),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Fetch from a project's repository.
    ReadRepository(&'a ProjectName),
    /// Push to a project's repository, making it if it is not there.
    WriteRepository(&'a ProjectName),
    /// Push to the repository with the token of a job, which may say what it may do there.
    PushFromJob { project: &'a ProjectName, contents: Contents },
    /// Read runs, logs, releases, images as records.
    ReadRecords,
    /// Cancel a run, roll back, import an image, stop the server.
    Operate,
    /// Pull from the registry.
    PullImage,
    /// Push to the registry or build an image.
    PushImage,
    /// Reach the cluster with all rights.
    AdministerCluster,
    /// Deploy into a namespace as a release.
    Deploy { namespace: &'a str },
}

/// What `permissions: contents` gives a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    Write,
    Read,
    /// The code is not trusted, whatever the file says.
    Untrusted,
}

/// Why something is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{principal}` may not {action}")]
pub struct Denied {
    pub principal: String,
    pub action: String,
}

/// Decides whether `principal` may do `action`.
pub fn check(principal: &Principal, action: &Action<'_>) -> Result<(), Denied> {
    let allowed = match principal {
        Principal::Admin | Principal::Component { .. } => true,
        Principal::Job { project, .. } => match action {
            Action::ReadRepository(other) => *other == project,
            Action::PushFromJob { project: other, contents } => *other == project && *contents == Contents::Write,
            Action::PullImage | Action::PushImage => true,
            Action::Deploy { namespace } => *namespace == project.as_str(),
            Action::WriteRepository(_)
            | Action::ReadRecords
            | Action::Operate
            | Action::AdministerCluster => false,
        },
        Principal::Agent { project, .. } => match action {
            // It writes the commits that take back what was bad.
            Action::ReadRepository(other) | Action::WriteRepository(other) => *other == project,
            Action::PullImage => true,
            Action::PushFromJob { .. }
            | Action::PushImage
            | Action::Deploy { .. }
            | Action::ReadRecords
            | Action::Operate
            | Action::AdministerCluster => false,
        },
        Principal::ServiceAccount { .. } => false,
    };
    if allowed {
        return Ok(());
    }
    Err(Denied { principal: principal.to_string(), action: action.to_string() })
}

impl fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadRepository(project) => write!(f, "read the repository `{project}`"),
            Self::WriteRepository(project) => write!(f, "push to the repository `{project}`"),
            Self::PushFromJob { project, contents } => {
                let why = match contents {
                    Contents::Write => "a job pushes to its own repository only",
                    Contents::Read => "the job lacks `permissions: contents: write`",
                    Contents::Untrusted => "code from outside runs with a token that only reads",
                };
                write!(f, "push to the repository `{project}`: {why}")
            }
            Self::ReadRecords => f.write_str("read records"),
            Self::Operate => f.write_str("operate this installation"),
            Self::PullImage => f.write_str("pull images"),
            Self::PushImage => f.write_str("push images"),
            Self::AdministerCluster => f.write_str("administer the cluster"),
            Self::Deploy { namespace } => write!(f, "deploy to the namespace `{namespace}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_stays_within_its_project() {
        let project: ProjectName = "shop".parse().expect("a name");
        let other: ProjectName = "bank".parse().expect("a name");
        let job = Principal::Job {
            run: "shop#1".parse().expect("a run"),
            job: "build".to_owned(),
            commit: CommitId::ZERO,
            project: project.clone(),
            environment: EnvironmentName::production(),
        };
        assert_eq!(check(&job, &Action::Deploy { namespace: "shop" }), Ok(()));
        assert_eq!(check(&job, &Action::ReadRepository(&project)), Ok(()));
        let denied = check(&job, &Action::ReadRepository(&other)).expect_err("denied");
        assert_eq!(denied.to_string(), "`job:shop#1/build` may not read the repository `bank`");
        let push = |project, contents| check(&job, &Action::PushFromJob { project, contents }).map_err(|denied| denied.to_string());
        assert_eq!(push(&project, Contents::Write), Ok(()));
        let lacking = "`job:shop#1/build` may not push to the repository `shop`: the job lacks `permissions: contents: write`";
        assert_eq!(push(&project, Contents::Read), Err(lacking.to_owned()));
        assert!(push(&project, Contents::Untrusted).is_err() && push(&other, Contents::Write).is_err());
        assert!(check(&job, &Action::Deploy { namespace: "kube-system" }).is_err());
        assert!(check(&job, &Action::Operate).is_err());
    }

    #[test]
    fn an_agent_reaches_the_repository_of_its_project_only() {
        let project: ProjectName = "shop".parse().expect("a name");
        let other: ProjectName = "bank".parse().expect("a name");
        let agent = Principal::Agent { project: project.clone(), cluster: "east".to_owned() };
        assert_eq!(check(&agent, &Action::WriteRepository(&project)), Ok(()));
        let denied = check(&agent, &Action::ReadRepository(&other)).expect_err("denied");
        assert_eq!(denied.to_string(), "`agent:shop@east` may not read the repository `bank`");
        for action in [Action::Operate, Action::ReadRecords, Action::AdministerCluster, Action::Deploy { namespace: "shop" }] {
            assert!(check(&agent, &action).is_err(), "{action}");
        }
    }

    #[test]
    fn a_pod_has_no_rights_of_its_own() {
        let pod = Principal::ServiceAccount { namespace: "shop".into(), name: "default".into() };
        assert!(check(&pod, &Action::PullImage).is_err());
    }
}
