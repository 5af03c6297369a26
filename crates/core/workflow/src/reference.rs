//! What `uses` refers to: actions, images, workflow files.

use std::{fmt, str::FromStr};

/// The action of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uses {
    /// `actions/checkout@v4`
    Repository(ActionRef),
    /// `./build`: a folder of the job's workspace.
    Local(String),
    /// `docker://alpine:3`: an image, without the prefix.
    Image(String),
}

/// `actions/checkout@v4`, or `actions/cache/save@v4` with a path inside the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionRef {
    /// Owner and repository.
    pub repository: String,
    pub path: Option<String>,
    pub version: String,
}

/// The workflow file that a job calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkflowRef {
    /// `./.github/workflows/build.yml`, without `./`; from the caller's commit.
    Local(String),
    /// `owner/repository/.github/workflows/build.yml@v1`; its path is always there.
    Repository(ActionRef),
}

/// Why a text names no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `owner/repository@version`, `./folder` or `docker://image`, found `{0}`")]
pub struct ParseActionError(String);

/// Why a text names no workflow file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseWorkflowRefError {
    #[error(
        "expected `./.github/workflows/FILE` or `owner/repository/.github/workflows/FILE@version`, found `{0}`"
    )]
    Form(String),
    #[error("a file of this repository takes no version: `{0}`")]
    LocalVersion(String),
    #[error("workflow files lie in `.github/workflows` and end in `.yml` or `.yaml`: `{0}`")]
    Place(String),
}

impl FromStr for ActionRef {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseActionError(text.to_owned());
        let (name, version) = text.split_once('@').ok_or_else(wrong)?;
        // GitHub takes both slashes and overlooks doubled ones.
        let mut parts = name.split(['/', '\\']).filter(|it| !it.is_empty());
        let (Some(owner), Some(repository)) = (parts.next(), parts.next()) else {
            return Err(wrong());
        };
        if version.is_empty() || version.contains('@') {
            return Err(wrong());
        }
        let path = parts.collect::<Vec<_>>().join("/");
        Ok(Self {
            repository: format!("{owner}/{repository}"),
            path: (!path.is_empty()).then_some(path),
            version: version.to_owned(),
        })
    }
}

impl ActionRef {
    /// Owner, repository and path, without the version.
    pub fn name(&self) -> String {
        match &self.path {
            Some(path) => format!("{}/{path}", self.repository),
            None => self.repository.clone(),
        }
    }

    /// Whether the version is a whole commit and can never change.
    pub fn is_pinned(&self) -> bool {
        [40, 64].contains(&self.version.len())
            && self.version.bytes().all(|it| it.is_ascii_hexdigit())
    }
}

impl fmt::Display for ActionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name(), self.version)
    }
}

impl FromStr for Uses {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(image) = text.strip_prefix("docker://") {
            return match image {
                "" => Err(ParseActionError(text.to_owned())),
                image => Ok(Self::Image(image.to_owned())),
            };
        }
        let local = text.strip_prefix("./").or_else(|| text.strip_prefix(".\\"));
        match local {
            Some(_) => Ok(Self::Local(text.replace('\\', "/"))),
            None => text.parse().map(Self::Repository),
        }
    }
}

impl fmt::Display for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(action) => action.fmt(f),
            Self::Local(path) => f.write_str(path),
            Self::Image(image) => write!(f, "docker://{image}"),
        }
    }
}

impl FromStr for WorkflowRef {
    type Err = ParseWorkflowRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let placed = |path: &str| {
            let file = path.strip_prefix(".github/workflows/");
            let fits = file.is_some_and(|it| {
                !it.contains('/') && (it.ends_with(".yml") || it.ends_with(".yaml"))
            });
            fits.then(|| path.to_owned())
                .ok_or_else(|| ParseWorkflowRefError::Place(text.to_owned()))
        };
        if let Some(local) = text.strip_prefix("./") {
            if local.contains('@') {
                return Err(ParseWorkflowRefError::LocalVersion(text.to_owned()));
            }
            return placed(local).map(Self::Local);
        }
        let wrong = || ParseWorkflowRefError::Form(text.to_owned());
        let action: ActionRef = text.parse().map_err(|_| wrong())?;
        placed(action.path.as_deref().ok_or_else(wrong)?)?;
        Ok(Self::Repository(action))
    }
}

impl fmt::Display for WorkflowRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "./{path}"),
            Self::Repository(file) => file.fmt(f),
        }
    }
}
