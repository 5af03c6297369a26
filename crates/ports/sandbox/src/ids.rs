//! Names of sandboxes, their processes and their networks: safe as file, cgroup and link names.

use std::{fmt, str::FromStr};

/// The longest name; control groups and files allow more, logs read better with less.
const LONGEST: usize = 128;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {LONGEST} of `a-z`, `0-9`, `.` and `-`, starting with a letter or a digit, found `{0}`")]
pub struct ParseNameError(String);

fn parse(text: &str) -> Result<String, ParseNameError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let starts_well = text.bytes().next().is_some_and(plain);
    if starts_well && text.len() <= LONGEST && text.bytes().all(|byte| plain(byte) || byte == b'.' || byte == b'-') {
        Ok(text.to_owned())
    } else {
        Err(ParseNameError(text.to_owned()))
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseNameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

names!(
    /// The name of a sandbox, unique on this machine until it is removed.
    SandboxId,
    /// The name of a process inside its sandbox; [`ProcessName::main`] is the first one.
    ProcessName,
    /// The name of a network that the sandboxes of one pod share.
    NetworkName,
);

impl ProcessName {
    /// The process that [`crate::Main`] describes.
    pub fn main() -> Self {
        Self("main".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_taken() {
        for good in ["a", "web-7d9c.0", "0"] {
            assert_eq!(good.parse::<SandboxId>().expect(good).as_str(), good);
        }
        for bad in ["", ".", "..", "-x", "a/b", "A", "a b", &"x".repeat(129)] {
            assert!(bad.parse::<SandboxId>().is_err(), "{bad}");
        }
    }
}
