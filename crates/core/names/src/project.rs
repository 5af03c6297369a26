//! Names of projects and environments.

use std::{fmt, str::FromStr};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected 1 to 63 lowercase letters, digits and `-`, beginning and ending with a letter or digit, found `{0}`"
)]
pub struct ParseNameError(String);

/// A DNS label, because a project is a namespace of the cluster, too.
fn is_dns_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| plain(b) || b == b'-')
        && text.bytes().next().is_some_and(plain)
        && text.bytes().last().is_some_and(plain)
}

macro_rules! dns_label {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if is_dns_label(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ParseNameError(text.to_owned()))
                }
            }
        }
    };
}

dns_label!(
    /// The name of a project: its repository, and its namespace in the cluster.
    ProjectName
);

dns_label!(
    /// The name of an environment of a project, e.g. `production`.
    EnvironmentName
);

impl EnvironmentName {
    /// Where a job without `environment:` deploys.
    pub fn production() -> Self {
        Self("production".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_name_is_a_dns_label() {
        assert!("shop-2".parse::<ProjectName>().is_ok());
        for wrong in ["", "-a", "a-", "A", "a/b", "a.b", "..", &"a".repeat(64)] {
            assert!(wrong.parse::<ProjectName>().is_err(), "{wrong} was accepted");
        }
    }
}
