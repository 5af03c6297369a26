//! Names of runs and releases: a project, an environment, and a number that counts up.

use std::{fmt, str::FromStr};

use crate::{EnvironmentName, ProjectName};

/// One run of one workflow of a project, written `shop#42`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    pub project: ProjectName,
    /// Counts the runs of the project from 1.
    pub number: u64,
}

/// One release of one environment of a project, written `shop/production@7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId {
    pub project: ProjectName,
    pub environment: EnvironmentName,
    /// Counts the releases of the environment from 1.
    pub number: u64,
}

/// Why a text is no run or release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct ParseRunIdError {
    expected: &'static str,
    found: String,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.project, self.number)
    }
}

impl FromStr for RunId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('#').and_then(|(project, number)| {
            Some(Self { project: project.parse().ok()?, number: number.parse().ok()? })
        });
        parsed.ok_or_else(|| ParseRunIdError {
            expected: "a run such as `shop#42`",
            found: text.to_owned(),
        })
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.project, self.environment, self.number)
    }
}

impl FromStr for ReleaseId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(project, rest)| {
            let (environment, number) = rest.split_once('@')?;
            Some(Self {
                project: project.parse().ok()?,
                environment: environment.parse().ok()?,
                number: number.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| ParseRunIdError {
            expected: "a release such as `shop/production@7`",
            found: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_name_are_the_same_thing() {
        for text in ["shop#42", "a-b#1"] {
            assert_eq!(text.parse::<RunId>().expect("a run").to_string(), text);
        }
        let text = "shop/production@7";
        assert_eq!(text.parse::<ReleaseId>().expect("a release").to_string(), text);
        assert!("shop".parse::<RunId>().is_err());
        assert!("shop@7".parse::<ReleaseId>().is_err());
    }
}
