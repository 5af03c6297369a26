//! How the requests to a Service are divided: `web-canary=10`.

use std::{fmt, str::FromStr};

/// Of a hundred requests, so many go to the pods of one Deployment, the rest to all other pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The Deployment whose pods get the share.
    pub deployment: String,
    /// At most 100.
    pub weight: u8,
}

/// Why a text divides nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` divides no requests; expected a Deployment and a weight, such as `web-canary=10`")]
pub struct ParseSplitError(String);

impl FromStr for Split {
    type Err = ParseSplitError;

    fn from_str(text: &str) -> Result<Self, ParseSplitError> {
        let wrong = || ParseSplitError(text.to_owned());
        let (deployment, weight) = text.split_once('=').ok_or_else(wrong)?;
        let weight = weight.parse::<u8>().ok().filter(|it| *it <= 100).ok_or_else(wrong)?;
        if deployment.is_empty() {
            return Err(wrong());
        }
        Ok(Self { deployment: deployment.to_owned(), weight })
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.deployment, self.weight)
    }
}

impl Split {
    /// Whether a pod is one of the Deployment's: its name is the Deployment's, a hash and a suffix.
    pub fn has(&self, pod: &str) -> bool {
        let rest = pod.strip_prefix(&self.deployment).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| rest.split('-').count() == 2)
    }
}

/// The version that a pod is of: what the names of all pods of one ReplicaSet begin with.
pub fn version_of(pod: &str) -> &str {
    pod.rsplit_once('-').map_or(pod, |(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_reads_as_it_is_written() {
        let split: Split = "web-canary=10".parse().expect("a split");
        assert_eq!((split.to_string().as_str(), split.weight), ("web-canary=10", 10));
        for wrong in ["web-canary", "=10", "web=101", "web=x", "web=-1"] {
            assert_eq!(wrong.parse::<Split>(), Err(ParseSplitError(wrong.to_owned())));
        }
    }

    #[test]
    fn pods_are_known_by_their_names() {
        let split = Split { deployment: "web-canary".into(), weight: 10 };
        let pods = ["web-canary-5d8f7c9b6d-abcde", "web-5d8f7c9b6d-abcde", "web-canary-abcde", "web-canary-2-5d8f-abcde", ""];
        assert_eq!(pods.map(|pod| split.has(pod)), [true, false, false, false, false]);
        assert_eq!(version_of("web-canary-5d8f-abcde"), "web-canary-5d8f");
    }
}
