//! The name of a Git commit.

use std::{fmt, str::FromStr};

/// A full Git commit id: 40 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId([u8; 20]);

/// Why a text is no [`CommitId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 40 lowercase hex digits, found `{0}`")]
pub struct ParseCommitError(String);

impl CommitId {
    /// What Git writes where there is no commit: a created or a deleted ref.
    pub const ZERO: Self = Self([0; 20]);

    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// The first 12 digits, as used in tags and tables.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for CommitId {
    type Err = ParseCommitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseCommitError(text.to_owned());
        if text.len() != 40 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_commit_are_the_same_thing() {
        let text = "0ab43f1c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a";
        let commit: CommitId = text.parse().expect("a commit");
        assert_eq!((commit.to_string().as_str(), commit.short().as_str()), (text, "0ab43f1c9d8e"));
        assert!("0AB43F1C9D8E7F6A5B4C3D2E1F0A9B8C7D6E5F4A".parse::<CommitId>().is_err());
        assert!("0ab4".parse::<CommitId>().is_err());
    }
}
