//! Describes a job to its executor, at its start and at its end.

use std::{fmt, time::Duration};

use api::Conclusion;
use serde::{Deserialize, Serialize};

use super::{JobKey, ReuseAsk, step_start::Env};
use crate::Permissions;

/// A job that is to start, with every expression evaluated. Never store it: it holds secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStart {
    pub job: JobKey,
    pub attempt: u32,
    /// What people see, e.g. `test (node 20, linux)`.
    pub name: String,
    /// The labels of `runs-on`.
    pub labels: Vec<String>,
    /// The group of `runs-on`.
    pub group: Option<String>,
    pub environment: Option<String>,
    /// Whether the environment gets a record of a deployment.
    pub records_deployment: bool,
    /// Where steps run, instead of on the machine itself.
    pub container: Option<ContainerSpec>,
    /// In the order of the file.
    pub services: Vec<ServiceSpec>,
    /// The file that holds the job, if another one calls it.
    pub called: Option<CalledFile>,
    /// Already narrowed by callers and by trust.
    pub permissions: Permissions,
    pub trust: Trust,
    /// There if the job names its inputs: what else decides what it does.
    pub reuse: Option<ReuseAsk>,
    /// The run stops the job itself when this is over.
    pub timeout: Duration,
}

/// A reusable workflow, as identity tokens name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalledFile {
    /// `owner/name/path@ref`
    pub reference: String,
    pub commit: String,
}

/// Whether secrets, writing tokens, caches and environments are within reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    #[default]
    Trusted,
    /// The code comes from outside: no secrets but a reading token, no cache write, no deploy.
    Untrusted { reason: String },
}

impl Trust {
    pub fn is_trusted(&self) -> bool {
        *self == Self::Trusted
    }
}

/// A container of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerSpec {
    pub image: String,
    pub credentials: Option<Credentials>,
    pub env: Env,
    /// `8080:80`, `80`, `53:53/udp`.
    pub ports: Vec<String>,
    /// `/source:/target`, `name:/target`, `/target`, with an optional `:ro`.
    pub volumes: Vec<String>,
    /// Options of `docker create`, as written.
    pub options: String,
    /// In place of the image's; services only.
    pub entrypoint: Option<String>,
    /// In place of the image's; services only.
    pub command: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.username)
    }
}

/// A container beside the job; its id is its host name.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSpec {
    pub id: String,
    pub container: ContainerSpec,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEnd {
    pub job: JobKey,
    pub attempt: u32,
    pub conclusion: Conclusion,
    /// The address of the environment, when the job names one.
    pub environment_url: Option<String>,
    /// Whether a sandbox may exist that must be removed.
    pub started: bool,
}
